"""A raw-socket HTTP client: exact bytes out, strict reading in, and the connection's fate on record.

Whatever a server does is a result and never an exception: a hang ends at the deadline as TIMED_OUT, garbage
is kept as a problem. Sending and reading overlap, so that an early refusal of a long body is seen and no
side waits for the other.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import Final, Self

from addresses.address import Address
from addresses.connecting import ANSWER_S, connect, in_words
from conformance.fate import Fate
from conformance.http_answer import AnswerReader, HttpAnswer, MalformedAnswerError
from conformance.http_connection import HttpExchange
from conformance.http_request import HttpRequest

_READ_BYTES: Final = 256 * 1024
_SETTLE_S: Final = 0.002
"""How long a connection is watched after an answer, for surplus bytes or an early end."""


class SocketConnection:
    """One connection, opened on first use. A context manager; not for several threads."""

    def __init__(self, address: Address, *, timeout_s: float = ANSWER_S) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection; the next `ask` opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def connects(self) -> bool:
        """Whether somebody accepts the connection."""
        try:
            self._socket = self._socket or self._connected()
        except OSError:
            return False
        return True

    def ask(self, *requests: HttpRequest) -> HttpExchange:
        """Sends requests in one go (pipelined where there are several) and reads an answer to each."""
        address = self._address
        data = b"".join(request.wire(address.authority, address.prefix) for request in requests)
        methods = [request.method for request in requests]
        try:
            self._socket = self._socket or self._connected()
        except TimeoutError:
            return HttpExchange(answers=(), fate=Fate.TIMED_OUT, problem="no connection in time", sent_all=False)
        except OSError as error:
            return HttpExchange(answers=(), fate=Fate.REFUSED, problem=in_words(error), sent_all=False)
        exchange = _Talk(self._socket, data, methods, half_close=requests[-1].half_close).run(self._timeout_s)
        # Who has ended its own side cannot send on it again, whatever the server still thinks of the connection.
        if not exchange.reusable or requests[-1].half_close:
            self.close()
        return exchange

    def _connected(self) -> socket.socket:
        opened = connect(self._address, timeout_s=self._timeout_s)
        opened.settimeout(0.0)  # every wait is select's
        return opened


class _Talk:
    """The state of one exchange."""

    def __init__(self, opened: socket.socket, data: bytes, methods: list[str], *, half_close: bool) -> None:
        self._socket = opened
        self._unsent = memoryview(data)
        self._half_close = half_close
        self._buffer = bytearray()
        self._readers = [AnswerReader(method) for method in methods]
        self._answers: list[HttpAnswer] = []
        self._fate = Fate.KEPT
        self._send_broken = False

    def run(self, timeout_s: float) -> HttpExchange:
        deadline = time.monotonic() + timeout_s
        problem: str | None = None
        try:
            while self._fate is Fate.KEPT and len(self._answers) < len(self._readers):
                self._step(deadline - time.monotonic())
                self._parse()
            if self._fate is Fate.KEPT:
                self._step(_SETTLE_S, settling=True)
        except MalformedAnswerError as error:
            problem = str(error)
        return HttpExchange(
            answers=tuple(self._answers),
            fate=self._fate,
            problem=problem,
            surplus=b"" if problem or len(self._answers) < len(self._readers) else bytes(self._buffer),
            sent_all=not self._unsent,
        )

    def _step(self, wait_s: float, *, settling: bool = False) -> None:
        """Waits for the socket once, and sends or reads what it can; sets the fate where the talk is over."""
        if wait_s <= 0:
            # Also where bytes come without an end.
            self._fate = Fate.TIMED_OUT
            return
        sending = bool(self._unsent) and not settling and not self._send_broken
        waits = [self._socket]
        readable, writable, _ = select.select(waits, waits if sending else [], [], wait_s)
        if not readable and not writable:
            if not settling:
                self._fate = Fate.TIMED_OUT
            return
        if readable:
            self._receive()
        if writable and self._fate is Fate.KEPT:
            self._send()

    def _send(self) -> None:
        try:
            sent = self._socket.send(self._unsent[:_READ_BYTES])
        except BlockingIOError:
            return
        except OSError:
            # What the server said before it left may still wait to be read.
            self._send_broken = True
            return
        self._unsent = self._unsent[sent:]
        if not self._unsent and self._half_close:
            with contextlib.suppress(OSError):  # the server may have left already; reading will tell
                self._socket.shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._fate = Fate.RESET
            return
        if data:
            self._buffer += data
        else:
            self._fate = Fate.CLOSED

    def _parse(self) -> None:
        while len(self._answers) < len(self._readers) and (self._buffer or self._fate is not Fate.KEPT):
            answer = self._readers[len(self._answers)].read(self._buffer, ended=self._fate is Fate.CLOSED)
            if answer is None:
                return
            self._answers.append(answer)
