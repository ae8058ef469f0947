"""The quick way through a urlencoded form is the standard library's, to the byte, for every body that is one."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.core import form_fields
from servers.core.form_fields import urlencoded_field
from servers.core.reply import ApiError

_GRAMMAR = re.compile(rb"(?:[!-$&-~ ]|%[0-9A-Fa-f]{2})*\Z")
"""Printable ASCII, each percent sign with two hexadecimal digits: the rule in one pattern."""

_PIECES = [
    b"%2F",
    b"%2f",
    b"%2B",
    b"%3d",
    b"%25",
    b"%00",
    b"%ff",
    b"%2",
    b"%",
    b"2",
    b"F",
    b"+",
    b"=",
    b"a",
    b" ",
    b"~",
]
_ODD = [b"\x7f", b"\n", b"\xff", b"%g0"]

_texts = st.lists(st.sampled_from(_PIECES + _ODD), max_size=8).map(b"".join)


@given(text=_texts)
@settings(max_examples=2000, deadline=None)
def test_a_value_is_what_the_standard_library_makes_of_it(text: bytes) -> None:
    """Escapes of escapes, cut ones, small and capital digits, plus signs and control characters."""
    body = b"image=" + text
    if _GRAMMAR.match(body) is None:
        with pytest.raises(ApiError) as refused:
            urlencoded_field(body, "image")
        assert refused.value.code == "malformed_form"
    else:
        assert urlencoded_field(body, "image") == unquote_to_bytes(text.replace(b"+", b" "))


def test_the_escapes_of_base64_are_all_there() -> None:
    """Three characters, capital digits first, as every browser writes them."""
    assert form_fields._BASE64_ESCAPES == (
        (b"%2B", b"+"),
        (b"%2F", b"/"),
        (b"%3D", b"="),
        (b"%2b", b"+"),
        (b"%2f", b"/"),
        (b"%3d", b"="),
    )
