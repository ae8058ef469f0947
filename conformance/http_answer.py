"""One HTTP answer, read strictly off the bytes of a connection.

llhttp (through httptools) judges the syntax: it refuses what RFC 9112 forbids, such as a repeated
Content-Length, a bare LF or a space before a colon. It cannot be told that an answer has no body because it
answers HEAD, so where the body ends is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httptools

_SHOWN_BYTES: Final = 160


class MalformedAnswerError(ValueError):
    """The bytes are no HTTP/1.1 answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """A whole answer. `headers` keep their order and spelling; `keep_alive` is what the answer announces."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    keep_alive: bool
    chunked: bool = False

    def values(self, name: str) -> tuple[str, ...]:
        """Every value of the header `name` (lower case), in order."""
        return tuple(value for key, value in self.headers if key.lower() == name)

    def describe(self) -> str:
        """One printable line: status, media type and the beginning of the body."""
        kind = ", ".join(self.values("content-type")) or "no Content-Type"
        shown = ascii(self.body[:_SHOWN_BYTES])[1:]
        more = f" and {len(self.body) - _SHOWN_BYTES} bytes more" if len(self.body) > _SHOWN_BYTES else ""
        return f"{self.status} {ascii(kind)[1:-1]} {shown}{more}"


def read_answer(buffer: bytes, method: str, *, ended: bool) -> tuple[HttpAnswer, int] | None:
    """The first final answer in `buffer` and how many bytes it takes; None while bytes are missing.

    `method` is that of the request, `ended` whether the peer has closed its side. Interim answers (1xx) are
    skipped. Raises MalformedAnswerError on bytes that are no answer, and on one that the peer cut short.
    """
    start = 0
    while True:
        end = buffer.find(b"\r\n\r\n", start)
        if end < 0:
            # Bad bytes are told at once: waiting for an end that never comes would look like a hang.
            _Head(buffer[start:])
            if ended and len(buffer) > start:
                raise MalformedAnswerError("the connection closed within the headers")
            return None
        head = _Head(buffer[start : end + 4])
        start = end + 4
        if not 100 <= head.status < 200:
            break
    body = _body(head, buffer[start:], method, ended=ended)
    if body is None:
        if ended:
            raise MalformedAnswerError("the connection closed within the body")
        return None
    content, used = body
    answer = HttpAnswer(
        status=head.status,
        headers=tuple(head.headers),
        body=content,
        keep_alive=head.keep_alive,
        chunked=head.chunked,
    )
    return answer, start + used


class _Head:
    """Status line and headers, parsed by llhttp from exactly their bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.headers: list[tuple[str, str]] = []
        parser = httptools.HttpResponseParser(self)
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise MalformedAnswerError(f"malformed answer: {error}") from error
        self.status: int = parser.get_status_code()
        self.keep_alive: bool = parser.should_keep_alive()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Callback of httptools."""
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def value(self, name: str) -> str | None:
        """The first value of a header, lower-cased name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return (self.value("transfer-encoding") or "").lower() == "chunked"


class _Chunks:
    """Takes a chunked body apart; httptools calls it back."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, data: bytes) -> None:
        """Callback of httptools."""
        self.body += data

    def on_message_complete(self) -> None:
        """Callback of httptools."""
        self.complete = True


def _body(head: _Head, data: bytes, method: str, *, ended: bool) -> tuple[bytes, int] | None:
    """RFC 9112 section 6.3, in its order; content and bytes used, or None while bytes are missing."""
    if method == "HEAD" or head.status in (204, 304):
        return b"", 0
    if head.chunked:
        return _dechunked(head, data)
    declared = head.value("content-length")
    if declared is None:
        return (data, len(data)) if ended else None
    length = int(declared)  # llhttp has let digits through only
    return (data[:length], length) if len(data) >= length else None


def _dechunked(head: _Head, data: bytes) -> tuple[bytes, int] | None:
    sink = _Chunks()
    parser = httptools.HttpResponseParser(sink)
    try:
        parser.feed_data(head.data)
        # Byte by byte, since httptools does not say where in its input a message ended.
        for position in range(len(data)):
            parser.feed_data(data[position : position + 1])
            if sink.complete:
                return bytes(sink.body), position + 1
    except httptools.HttpParserError as error:
        raise MalformedAnswerError(f"malformed chunks: {error}") from error
    return None
