"""One HTTP/1.1 request as data, down to its framing, and the bytes it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conformance.recipes import Recipe, build

_CHUNK_BYTES: Final = 64 * 1024


class Framing(StrEnum):
    """How the end of the body is announced (RFC 9112 section 6)."""

    LENGTH = "length"
    CHUNKED = "chunked"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What is sent, exactly.

    `target` is the request-target as it stands on the wire, in Latin-1. `content_type` None leaves the
    header out. `declared_length` lies about the body where a case needs a lie; `half_close` ends the
    sending side after the last byte. `raw` replaces everything else by bytes as they are; `method` then
    only says how the answer ends.
    """

    method: str = "POST"
    target: str = "/"
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: Recipe = b""
    framing: Framing = Framing.LENGTH
    declared_length: int | None = None
    half_close: bool = False
    raw: bytes | None = None

    def wire(self, host: str, prefix: str = "") -> bytes:
        """The bytes on the wire; `host` goes into Host, `prefix` (a base URL's path) before the target."""
        if self.raw is not None:
            return self.raw
        body = build(self.body)
        lines = [f"{self.method} {prefix}{self.target} HTTP/1.1", f"Host: {host}"]
        if self.content_type is not None:
            lines.append(f"Content-Type: {self.content_type}")
        if self.framing is Framing.LENGTH:
            length = len(body) if self.declared_length is None else self.declared_length
            lines.append(f"Content-Length: {length}")
        elif self.framing is Framing.CHUNKED:
            lines.append("Transfer-Encoding: chunked")
            body = _chunked(body)
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _chunked(body: bytes) -> bytes:
    pieces = [body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
