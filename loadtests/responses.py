"""What comes back on a connection: the answers of a target, read by httptools (llhttp), which decides what one is."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import httptools

READ_BYTES = 65536


class ErrorKind(IntEnum):
    """Why an exchange is no latency; the `error` column of the samples."""

    NONE = 0
    STATUS = 1
    BODY = 2
    TRANSPORT = 3
    TIMEOUT = 4


class TimedResponse(NamedTuple):
    """One finished exchange: the first and the last byte's arrival in ns, and what the answer was worth."""

    first_ns: int
    done_ns: int
    status: int
    bytes_in: int
    error: ErrorKind
    keep_alive: bool


class ResponseReader:
    """Reads the answers of one connection, one after the other (the callbacks are httptools')."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.start()

    def start(self) -> None:
        """Expect a new answer."""
        self._parts: list[bytes] = []
        self._sized = False
        self._in_body = False
        self.complete = False
        self.stray = False
        self.status = 0
        self.keep_alive = False

    @property
    def body(self) -> bytes:
        """The body as far as it has come, chunks joined."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> None:
        """Take what was read. Raises httptools.HttpParserError where it is not HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self.complete:
                raise
            self.stray = True

    def end(self) -> bool:
        """The peer has closed: whether that completes the answer (RFC 9112 section 6.3, clause 8)."""
        if self._in_body and not self._sized:
            self.status = self._parser.get_status_code()
            self.complete = True
        return self.complete

    def on_message_begin(self) -> None:
        """A second answer to one request is stray bytes."""
        self.stray = self.complete

    def on_header(self, name: bytes, _value: bytes) -> None:
        """A length or a coding says where the body ends; without either, closing does."""
        if name.lower() in {b"content-length", b"transfer-encoding"}:
            self._sized = True

    def on_headers_complete(self) -> None:
        """From here on the bytes are body."""
        self._in_body = True

    def on_body(self, part: bytes) -> None:
        """One piece of the body, any chunked coding removed."""
        if not self.complete:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        """Interim answers (1xx) are passed over. Only in here does llhttp still know about keep-alive."""
        if self.complete:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self.start()
            return
        self.status = status
        self.keep_alive = self._parser.should_keep_alive()
        self.complete = True
