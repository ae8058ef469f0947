"""One HTTP answer, read strictly off the bytes of a connection.

llhttp (through httptools) judges the syntax: it refuses what RFC 9112 forbids, such as a repeated
Content-Length, a bare LF or a space before a colon. It cannot be told that an answer has no body because it
answers HEAD, so where the body ends is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httptools

from addresses.connecting import MOST_BODY_BYTES, MOST_HEAD_BYTES, MOST_INTERIM

SWITCHING: Final = 101
"""Switching Protocols: what follows is no HTTP."""

_SHOWN_BYTES: Final = 160
_PIECE_BYTES: Final = 64 * 1024


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
        """One printable line: status, where it redirects to, media type and the beginning of the body."""
        status = f"{self.status} to {self.values('location')[0]!a}" if self._redirects else f"{self.status}"
        kind = ", ".join(self.values("content-type")) or "no Content-Type"
        shown = ascii(self.body[:_SHOWN_BYTES])[1:]
        more = f" and {len(self.body) - _SHOWN_BYTES} bytes more" if len(self.body) > _SHOWN_BYTES else ""
        return f"{status} {ascii(kind)[1:-1]} {shown}{more}"

    @property
    def _redirects(self) -> bool:
        return 300 <= self.status < 400 and bool(self.values("location"))


class AnswerReader:
    """Reads the answer to one request, of that method, off a buffer to which bytes are added as they come.

    Interim answers (1xx) are skipped, but not the one after which the connection speaks another protocol (101).
    """

    def __init__(self, method: str) -> None:
        self._method = method
        self._interim = 0
        self._head: _Head | None = None
        self._chunks: _Chunks | None = None

    def read(self, buffer: bytearray, *, ended: bool) -> HttpAnswer | None:
        """The final answer, its bytes taken off the buffer; None while bytes are missing.

        `ended` says whether the peer has closed its side. Raises MalformedAnswerError on bytes that are no answer, on
        one that the peer cut short, and on more than an answer may have.
        """
        while self._head is None:
            if not self._read_head(buffer, ended=ended):
                return None
        head, content = self._head, self._body(self._head, buffer, ended=ended)
        if content is None:
            if ended:
                raise MalformedAnswerError("the connection closed within the body")
            return None
        return HttpAnswer(
            status=head.status,
            headers=tuple(head.headers),
            body=content,
            keep_alive=head.keep_alive and head.status != SWITCHING,
            chunked=head.chunked,
        )

    def _read_head(self, buffer: bytearray, *, ended: bool) -> bool:
        end = buffer.find(b"\r\n\r\n", 0, MOST_HEAD_BYTES)
        if end < 0:
            if len(buffer) >= MOST_HEAD_BYTES:
                raise MalformedAnswerError(f"headers of over {MOST_HEAD_BYTES >> 10} KiB")
            # Bad bytes are told at once: waiting for an end that never comes would look like a hang.
            _Head(bytes(buffer))
            if ended and buffer:
                raise MalformedAnswerError("the connection closed within the headers")
            return False
        head = _Head(bytes(buffer[: end + 4]))
        del buffer[: end + 4]
        if 100 <= head.status < 200 and head.status != SWITCHING:
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise MalformedAnswerError(f"over {MOST_INTERIM} interim answers")
        else:
            self._head = head
        return True

    def _body(self, head: _Head, buffer: bytearray, *, ended: bool) -> bytes | None:
        """RFC 9112 section 6.3, in its order; the content, or None while bytes are missing."""
        if self._method == "HEAD" or head.status in (SWITCHING, 204, 304):
            return b""
        if head.chunked:
            self._chunks = self._chunks or _Chunks(head.data)
            return self._chunks.read(buffer)
        declared = head.value("content-length")
        # llhttp has let digits through only, and no more of them than 64 bits hold.
        length = len(buffer) if declared is None else int(declared)
        if length > MOST_BODY_BYTES:
            raise _too_long()
        if len(buffer) < length or (declared is None and not ended):
            return None
        content = bytes(buffer[:length])
        del buffer[:length]
        return content


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
        except httptools.HttpParserUpgrade:
            pass  # 101: its headers are read
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
    """Takes a chunked body apart as it comes; httptools calls it back."""

    def __init__(self, head: bytes) -> None:
        self._head_bytes = head
        self._start()

    def _start(self) -> None:
        self._read_bytes = 0
        self.body = bytearray()
        self.complete = False
        self._parser = httptools.HttpResponseParser(self)
        self._parser.feed_data(self._head_bytes)

    def on_body(self, data: bytes) -> None:
        """Callback of httptools."""
        if not self.complete:
            self.body += data

    def on_message_complete(self) -> None:
        """Callback of httptools."""
        self.complete = True

    def read(self, buffer: bytearray) -> bytes | None:
        """The whole body, its bytes taken off the buffer; None while some are missing."""
        began = self._read_bytes
        while not self.complete and self._read_bytes < len(buffer):
            if len(buffer) > MOST_BODY_BYTES:
                raise _too_long()
            began = self._read_bytes
            self._feed(buffer, _PIECE_BYTES)
        if not self.complete:
            return None
        # httptools does not say where in a piece a message ended: the last one is read again, byte by byte.
        self._start()
        while self._read_bytes < began:
            self._feed(buffer, min(_PIECE_BYTES, began - self._read_bytes))
        while not self.complete:
            self._feed(buffer, 1)
        del buffer[: self._read_bytes]
        return bytes(self.body)

    def _feed(self, buffer: bytearray, most: int) -> None:
        piece = bytes(buffer[self._read_bytes : self._read_bytes + most])
        self._read_bytes += len(piece)
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserError as error:
            if not self.complete:
                raise MalformedAnswerError(f"malformed chunks: {error}") from error


def _too_long() -> MalformedAnswerError:
    return MalformedAnswerError(f"a body of over {MOST_BODY_BYTES >> 20} MiB")
