"""One kept connection to a served target, blocking: the cheapest way to ask over a socket from Python."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Final, Self

import httptools

from addresses.address import Address
from addresses.connecting import connect
from servers.models.payloads import Payload
from servers.rungs.calls import StatusAndBody

_TIMEOUT_S: Final = 20.0
_READ_BYTES: Final = 65536


class _Reading:
    """What llhttp tells of one answer."""

    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


class KeptConnection:
    """A connection on which each payload is sent as bytes made beforehand. Raises OSError where it breaks."""

    def __init__(self, base_url: str, endpoint: str, payloads: tuple[Payload, ...]) -> None:
        address = Address.of(base_url)
        self._wires = [_wire(address.authority, endpoint, one) for one in payloads]
        self._sock = connect(address, timeout_s=_TIMEOUT_S)
        self._sock.settimeout(_TIMEOUT_S)

    def wire(self, at: int) -> bytes:
        """The request of a payload."""
        return self._wires[at]

    def ask(self, wire: bytes) -> StatusAndBody:
        """Send and read the whole answer."""
        self._sock.sendall(wire)
        reading = _Reading()
        parser: Any = httptools.HttpResponseParser(reading)
        while not reading.complete:
            data = self._sock.recv(_READ_BYTES)
            if not data:
                raise ConnectionResetError("closed by the server inside an answer")
            parser.feed_data(data)
        return parser.get_status_code(), reading.body

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sock.close()


def _wire(host: str, endpoint: str, payload: Payload) -> bytes:
    head = (
        f"POST /{endpoint} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {payload.content_type}\r\n"
        f"Content-Length: {len(payload.body)}\r\n\r\n"
    )
    return head.encode() + payload.body
