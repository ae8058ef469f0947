"""One user's connection to one target, and what an exchange on it goes through.

Most exchanges are one write and one read, and the timed loop makes those itself. What is here is all the rest:
connecting, requests that no single write takes, answers that come in pieces, and what ends a connection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Sequence
from typing import Any

import httptools

from addresses.address import Address
from addresses.connecting import connect, in_words, places
from loadtests.orders import TargetOrder
from loadtests.responses import READ_BYTES, ErrorKind, ResponseReader, TimedResponse
from loadtests.system import READABLE, REAL_SYSTEM, WRITABLE, System
from loadtests.wire_request import WireRequest


class LoadedTarget:
    """One target as the users see it: its address, its requests, and what its answers have shown so far.

    It has a set of watched sockets of its own, so that what other targets' idle connections do disturbs no slice.
    """

    def __init__(self, order: TargetOrder, system: System = REAL_SYSTEM) -> None:
        self._address = Address.of(order.base_url)
        host, port = self._address.host, self._address.port
        try:
            self._places = places(host, port)
        except OSError:
            # The first request will tell.
            self._places = [(socket.AF_INET, (host, port))]
        self.id = order.id
        self.system = system
        self.readiness = system.readiness()
        self.family, self.place = self._places[0]
        self.requests = [WireRequest(request, self._address) for request in order.requests]
        for request, following in zip(self.requests, [*self.requests[1:], self.requests[0]], strict=True):
            request.next = following
        self.by_fd: dict[int, Connection] = {}
        self.closes = False
        self.connects = 0
        self.failure: str | None = None

    def failed(self, error: Exception | None) -> None:
        """Keep in words why there was no answer; None where it was not whole in time."""
        self.failure = in_words(error) if error else "no whole answer in time"

    def choose_place(self, timeout_ns: int) -> None:
        """Take the first address of its name at which somebody listens, as everybody who asks it does.

        Where nobody does, the first request tells.
        """
        if len(self._places) > 1:
            with contextlib.suppress(OSError), connect(self._address, timeout_s=timeout_ns / 1e9) as opened:
                self.family, self.place = opened.family, opened.getpeername()


class Connection:
    """At most one open socket, and at most one exchange under way since `sent_ns` (0: none).

    `fresh` means that the socket is open, whatever was to be sent is sent, and nothing of the answer has been read:
    then the loop may use `send` and `recv`, the socket's own, itself.
    """

    __slots__ = (
        "_bytes_in",
        "_fed",
        "_first_ns",
        "_pieces",
        "_reader",
        "_sock",
        "_unsent",
        "due_ns",
        "failures",
        "fresh",
        "is_open",
        "recv",
        "request",
        "send",
        "sent_ns",
        "target",
        "user",
    )

    def __init__(self, target: LoadedTarget, user: int = 0) -> None:
        self.target = target
        self.user = user
        self.request: WireRequest = target.requests[0]
        self.due_ns = self.sent_ns = self.failures = 0
        self.is_open = self.fresh = False
        self._sock: Any = None
        self._unsent: memoryview | None = None
        self._pieces: list[bytes] = []
        self._first_ns = self._bytes_in = self._fed = 0
        self._reader = ResponseReader()

    def connect(self) -> bool:
        """Begin to open the socket; whether it is open already. Raises OSError where the target refuses at once."""
        sock = self.target.system.socket(self.target.family)
        code = sock.connect_ex(self.target.place)
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            raise OSError(code, os.strerror(code))
        self._sock, self.send, self.recv = sock, sock.send, sock.recv
        self._reader = ResponseReader()
        self.target.connects += 1
        self.target.by_fd[sock.fileno()] = self
        self.is_open = code == 0
        self.target.readiness.register(sock.fileno(), READABLE if self.is_open else WRITABLE)
        self.fresh = self.is_open
        return self.is_open

    def connected(self) -> None:
        """The socket that was connecting is writable. Raises OSError where that is because it failed."""
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self.is_open = self.fresh = True
        self.target.readiness.modify(self._sock.fileno(), READABLE)

    @property
    def is_connecting(self) -> bool:
        """Whether a socket is on its way to be open."""
        return self._sock is not None and not self.is_open

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self._sock is not None:
            # First of all: the number may be used anew at once.
            self.target.readiness.unregister(self._sock.fileno())
            del self.target.by_fd[self._sock.fileno()]
            self._sock.close()
            self._sock = self._unsent = None
            self.is_open = self.fresh = False
            self._pieces.clear()

    def make_ready(self) -> bool:
        """Before a slice's clock starts: an open, silent connection; whether it is one by now. Raises OSError."""
        if self.is_open and not self._silent():
            self.close()
        return self.is_open or self.connect()

    def _silent(self) -> bool:
        """Neither closed by the peer nor holding bytes that nobody asked for."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def begin(self) -> None:
        """Send `request`, connecting first if need be. Raises OSError."""
        if self.is_open or (self._sock is None and self.connect()):
            self.resume(0)
        else:
            self._unsent = memoryview(self.request.wire)

    def resume(self, taken: int) -> None:
        """Send what of `request` is left after `taken` bytes; what is left then, goes out as the socket takes it."""
        self._unsent = memoryview(self.request.wire)[taken:]
        self.fresh = False
        if not self._write():
            self.target.readiness.modify(self._sock.fileno(), WRITABLE)

    def _write(self) -> bool:
        """Send as much as the socket takes; whether that was all."""
        while self._unsent:
            try:
                self._unsent = self._unsent[self._sock.send(self._unsent) :]
            except BlockingIOError:
                return False
        self._unsent = None
        self.fresh = True
        return True

    def advance(self) -> TimedResponse | None:
        """Do what the socket is ready for; the answer, once it is complete. Raises as `take` does."""
        if not self.is_open:
            self.connected()
            if self._unsent is not None:
                self.resume(0)
            return None
        if self._unsent is not None:
            if self._write():
                self.target.readiness.modify(self._sock.fileno(), READABLE)
            return None
        data = self.recv(READ_BYTES)
        return self.take(data, self.target.system.clock())

    def take(self, data: bytes, at_ns: int) -> TimedResponse | None:
        """Add a piece that came at `at_ns`; the answer, if it completes one, else None.

        The clock was read before any parsing, so checking costs no latency. Pieces that join to the bytes of the
        answer that is known are not parsed. Raises OSError where the connection ends inside the answer,
        httptools.HttpParserError where the bytes are not HTTP.
        """
        if self.fresh:
            self.fresh = False
            self._first_ns, self._bytes_in, self._fed = at_ns, 0, 0
            self._reader.start()
        self._bytes_in += len(data)
        if self._bytes_in > self.request.most_bytes:
            raise OSError(errno.EMSGSIZE, f"an answer of over {self.request.most_bytes >> 10} KiB")
        self._pieces.append(data)
        known = self.request.known
        if known is not None and not self._fed:
            joined = b"".join(self._pieces)
            if joined == known:
                return self._answered(self.request.expect_status, at_ns, ErrorKind.NONE, keep_alive=True)
            if data and known.startswith(joined):
                return None
        return self._parse(at_ns)

    def _parse(self, at_ns: int) -> TimedResponse | None:
        reader, request = self._reader, self.request
        for piece in self._pieces[self._fed :]:
            self._fed += 1
            if piece:
                reader.feed(piece)
            elif not reader.end():
                raise ConnectionResetError(errno.ECONNRESET, "closed by the peer inside an answer")
        if not reader.complete:
            return None
        error = request.judge(reader)
        keep_alive = reader.keep_alive and not reader.stray
        if error is ErrorKind.NONE and keep_alive:
            request.remember(b"".join(self._pieces))
        return self._answered(reader.status, at_ns, error, keep_alive=keep_alive)

    def _answered(self, status: int, at_ns: int, error: ErrorKind, *, keep_alive: bool) -> TimedResponse:
        self._pieces.clear()
        self.fresh = keep_alive
        return TimedResponse(self._first_ns, at_ns, status, self._bytes_in, error, keep_alive)


def make_ready(target: LoadedTarget, connections: Sequence[Connection], timeout_ns: int) -> None:
    """Check or open connections before a slice's clock starts.

    None is opened where the target always closes: one opened in advance and left idle would block a server that takes
    one connection at a time. Where opening fails, the users meet the fault inside the slice and count it.
    """
    until_ns = target.system.clock() + timeout_ns
    waiting = False
    for connection in connections:
        try:
            if connection.is_open or not target.closes:
                waiting |= not connection.make_ready()
        except OSError:
            connection.close()
            return
    while waiting and target.system.clock() < until_ns:
        for fd, _ in target.readiness.poll(0.02, len(connections)):
            connection = target.by_fd[fd]
            try:
                if connection.is_connecting:
                    connection.connected()
                else:
                    connection.close()
            except OSError:
                connection.close()
        waiting = any(connection.is_connecting for connection in connections)
        target.system.breathe()


TRANSPORT_ERRORS = (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade)
"""What an exchange raises when no answer could be read."""
