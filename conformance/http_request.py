"""One HTTP/1.1 request as data, down to its framing, and the bytes it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from conformance.recipes import Recipe, build, part_from_json, part_to_json

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

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal request."""
        return {
            "method": self.method,
            "target": self.target,
            "content_type": self.content_type,
            "headers": [list(pair) for pair in self.headers],
            "body": part_to_json(self.body),
            "framing": self.framing.value,
            "declared_length": self.declared_length,
            "half_close": self.half_close,
            "raw": None if self.raw is None else part_to_json(self.raw),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> HttpRequest:
        """The inverse of `to_json`."""
        raw = document["raw"]
        return cls(
            method=document["method"],
            target=document["target"],
            content_type=document["content_type"],
            headers=tuple((name, value) for name, value in document["headers"]),
            body=part_from_json(document["body"]),
            framing=Framing(document["framing"]),
            declared_length=document["declared_length"],
            half_close=document["half_close"],
            raw=None if raw is None else build(part_from_json(raw)),
        )


def _chunked(body: bytes) -> bytes:
    pieces = [body[start : start + _CHUNK_BYTES] for start in range(0, len(body), _CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
