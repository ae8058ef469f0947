"""Requests as bytes, and whether an answer is the right one.

httptools (llhttp) decides what an answer is. Parsing in Python costs several microseconds a request, so the
bytes of the last answer that it found right are remembered: an answer equal to them, byte for byte, needs no
second parse, because the same bytes parse the same. Anything else, if only a new Date, is parsed and compared.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import httptools

from loadtests.orders import PreparedRequest

READ_BYTES = 65536


class ErrorKind(IntEnum):
    """Why an exchange is no latency; the `error` column of the samples."""

    NONE = 0
    STATUS = 1
    BODY = 2
    TRANSPORT = 3
    TIMEOUT = 4


class Answer(NamedTuple):
    """One finished exchange: the first and the last byte's arrival in ns, and what the answer was worth."""

    first_ns: int
    done_ns: int
    status: int
    bytes_in: int
    error: ErrorKind
    keep_alive: bool


class Shot:
    """One request ready to send, its right answer, and the raw bytes of the last right answer.

    `room` is how much one read takes: a byte more than the answer that is known, so that the buffer which is
    allocated for every read is small, and a longer answer shows. `next` is the shot that follows it on a connection.
    """

    __slots__ = ("expect_body", "expect_status", "known", "next", "room", "size", "wire")

    def __init__(self, request: PreparedRequest, url: SplitResult) -> None:
        self.wire = wire_bytes(request, url)
        self.size = len(self.wire)
        self.expect_status = request.expect_status
        self.expect_body = request.expect_body
        self.room = READ_BYTES
        self.known: bytes | None = None
        self.next = self

    def remember(self, answer: bytes) -> None:
        """Take an answer's bytes as right from now on."""
        self.known = answer
        self.room = len(answer) + 1

    def judge(self, reading: Reading) -> ErrorKind:
        """What a complete answer is worth.

        A stray byte after it makes the connection's next answer a guess.
        """
        if reading.status != self.expect_status:
            return ErrorKind.STATUS
        if reading.stray or (self.expect_body is not None and reading.body != self.expect_body):
            return ErrorKind.BODY
        return ErrorKind.NONE


class Reading:
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


def split_base_url(base_url: str) -> SplitResult:
    """The parts of `http://host[:port][/prefix]`. Raises ValueError for any other URL."""
    url = urlsplit(base_url)
    if url.scheme != "http" or not url.hostname or url.query or url.fragment:
        raise ValueError(f"a base URL is http://host[:port][/prefix], not {base_url!r}")
    return url


def wire_bytes(request: PreparedRequest, url: SplitResult) -> bytes:
    """The request as it goes over the wire (RFC 9112).

    Raises ValueError where a part would break the framing.
    """
    target = url.path.rstrip("/") + request.path
    fields = {"Host": url.netloc.rpartition("@")[2], **request.headers}
    if request.body or request.method not in {"GET", "HEAD"}:
        fields["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if request.method == "HEAD":
        raise ValueError("HEAD is not measured: its answer cannot be told from one cut short")
    if any("\r" in line or "\n" in line for line in lines) or " " in target:
        raise ValueError(f"not a request line or header: {lines!r}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body
