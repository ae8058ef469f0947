"""Base64 as the contract has it: the standard alphabet, padded, not a character more (RFC 4648 sections 3.3 and 4)."""

from __future__ import annotations

import binascii
import string
from typing import Final

_ALPHABET: Final = (string.ascii_letters + string.digits + "+/=").encode()

_SLIPS: Final = (
    (b"\r\n", "without line breaks"),
    (b" \t", "without spaces (in a form a + is sent as %2B)"),
    (b"-_", "with + and / as the standard alphabet has them, not the URL-safe - and _"),
)
"""Characters that are no base64, and what is said of a text that has one of them."""


class Base64Error(ValueError):
    """A text that is no base64. The message is a rule, such as "must be base64 without line breaks"."""


def decode(text: bytes) -> bytes:
    """The bytes that `text` stands for; raises Base64Error. Nothing outside the alphabet is skipped."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise Base64Error(f"must be base64 {_rule(text)}") from None


def _rule(text: bytes) -> str:
    if text[:5].lower() == b"data:":
        return "without the data: prefix"
    if text.startswith(b"\xef\xbb\xbf"):
        return "and starts with a byte order mark"
    strange = text.translate(None, _ALPHABET)
    for characters, rule in _SLIPS:
        if any(character in strange for character in characters):
            return rule
    if strange:
        return "in the standard alphabet, and has characters outside it"
    return "in the standard alphabet, padded with = to a multiple of four characters"
