"""Requests as bytes, and whether an answer to one is right.

Parsing in Python costs several microseconds a request, so the bytes of the last answer that was found right are
remembered: an answer equal to them, byte for byte, needs no second parse, because the same bytes parse the same.
Anything else, if only a new Date, is parsed and compared.
"""

from __future__ import annotations

from addresses.address import Address
from addresses.answers import near_json
from addresses.connecting import MOST_HEAD_BYTES
from loadtests.orders import PreparedRequest
from loadtests.responses import READ_BYTES, ErrorKind, ResponseReader


class WireRequest:
    """One request ready to send, its right answer, and the raw bytes of the last right answer.

    `room` is how much one read takes: a byte more than the answer that is known, so that the buffer which is
    allocated for every read is small, and a longer answer shows. `most_bytes` is what an answer may come to before it
    is broken off. `next` is the request that follows it on a connection.
    """

    __slots__ = ("expect_body", "expect_status", "known", "most_bytes", "next", "room", "size", "wire", "within")

    def __init__(self, request: PreparedRequest, address: Address) -> None:
        self.wire = wire_bytes(request, address)
        self.size = len(self.wire)
        self.expect_status = request.expect_status
        self.expect_body = request.expect_body
        self.within = request.within
        self.most_bytes = MOST_HEAD_BYTES + request.most_body_bytes
        self.room = READ_BYTES
        self.known: bytes | None = None
        self.next = self

    def remember(self, answer: bytes) -> None:
        """Take an answer's bytes as right from now on."""
        self.known = answer
        self.room = len(answer) + 1

    def judge(self, reader: ResponseReader) -> ErrorKind:
        """What a complete answer is worth.

        A stray byte after it makes the connection's next answer a guess.
        """
        if reader.status != self.expect_status:
            return ErrorKind.STATUS
        if reader.stray:
            return ErrorKind.BODY
        return ErrorKind.NONE if is_right(reader.body, self.expect_body, self.within) else ErrorKind.BODY


def is_right(body: bytes, expect_body: bytes | None, within: float) -> bool:
    """Whether a body is the right one: any where none is expected, else the same bytes, or numbers `within` so much."""
    return expect_body is None or body == expect_body or bool(within and near_json(body, expect_body, within))


def wire_bytes(request: PreparedRequest, address: Address) -> bytes:
    """The request as it goes over the wire (RFC 9112).

    Raises ValueError where a part would break the framing.
    """
    target = address.prefix + request.path
    fields = {"Host": address.authority, **request.headers}
    if request.body or request.method not in {"GET", "HEAD"}:
        fields["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if request.method == "HEAD":
        raise ValueError("HEAD is not measured: its answer cannot be told from one cut short")
    if any("\r" in line or "\n" in line for line in lines) or " " in target:
        raise ValueError(f"not a request line or header: {lines!r}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body
