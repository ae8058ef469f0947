"""One user's connection to one target: a non-blocking socket driven by gevent's event loop.

gevent's own socket first tries each read and pays for the EAGAIN with an exception. A load generator has
always just sent its request, so the answer is never there yet: here the wait comes first, then the read,
which saves a third of the generator's CPU time per request. Sockets are the interpreter's own, not the
patched ones.
"""

from __future__ import annotations

import errno
import os
import socket
from time import monotonic_ns
from typing import Any

import gevent
import httptools
from gevent.monkey import get_original

from loadtests.answers import READ_BYTES, Answer, ErrorKind, Reading, Shot, split_base_url
from loadtests.orders import TargetOrder

PlainSocket = get_original("socket", "socket")
READABLE, WRITABLE = 1, 2
"""Event masks of libev's io watchers."""


class Route:
    """One target as the users see it: its address, its shots, and what its answers have shown so far."""

    def __init__(self, order: TargetOrder) -> None:
        url = split_base_url(order.base_url)
        found = socket.getaddrinfo(url.hostname, url.port or 80, type=socket.SOCK_STREAM)
        self.id = order.id
        self.family: int = found[0][0]
        self.address: Any = found[0][4]
        self.shots = [Shot(request, url) for request in order.requests]
        self.closes = False
        self.connects = 0
        self.lost: str | None = None


class Connection:
    """At most one open socket.

    `send` and `recv` are the socket's own, `readable` is the watcher to wait for.
    """

    __slots__ = ("_reading", "_route", "_sock", "_wait", "is_open", "readable", "recv", "send")

    def __init__(self, route: Route) -> None:
        self._route = route
        self._wait = gevent.get_hub().wait
        self._sock: Any = None
        self.is_open = False

    def connect(self) -> None:
        """Open the socket. Raises OSError where the target refuses."""
        sock = PlainSocket(self._route.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = sock.connect_ex(self._route.address)
            if code == errno.EINPROGRESS:
                self._wait_writable(sock)
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))  # noqa: TRY301 - the socket is closed below
        except BaseException:
            sock.close()
            raise
        self._sock, self.send, self.recv = sock, sock.send, sock.recv
        self.readable = gevent.get_hub().loop.io(sock.fileno(), READABLE)
        self._reading = Reading()
        self._route.connects += 1
        self.is_open = True

    def close(self) -> None:
        """Close the socket, if there is one.

        The watcher goes first: libev must not watch a number used anew.
        """
        if self.is_open:
            self.is_open = False
            self.readable.close()
            self._sock.close()
            self._sock = None

    def stand_ready(self) -> None:
        """Before a slice's clock starts: an open, silent connection, or none where the target always closes.

        A socket opened in advance and left idle would block a server that takes one connection at a time.
        """
        if self.is_open and not self._silent():
            self.close()
        if not self.is_open and not self._route.closes:
            self.connect()

    def _silent(self) -> bool:
        """Neither closed by the peer nor holding bytes that nobody asked for."""
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def send_rest(self, wire: bytes, start: int) -> None:
        """Send what one write did not take; large bodies need several."""
        view = memoryview(wire)
        while start < len(wire):
            self._wait_writable(self._sock)
            start += self._sock.send(view[start:])

    def read_answer(self, shot: Shot, data: bytes, first_ns: int) -> Answer:
        """Parse an answer whose first piece has been read, reading on as needed, and judge it.

        The clock is read after each read and before its parsing, so checking costs no latency. Raises OSError
        where the connection ends inside the answer, httptools.HttpParserError where the bytes are not HTTP.
        """
        reading = self._reading
        reading.start()
        done_ns, bytes_in, pieces = first_ns, 0, 0
        while True:
            if data:
                bytes_in += len(data)
                pieces += 1
                reading.feed(data)
            elif not reading.end():
                raise ConnectionResetError(errno.ECONNRESET, "closed by the peer inside an answer")
            if reading.complete:
                break
            self._wait(self.readable)
            data = self.recv(READ_BYTES)
            done_ns = monotonic_ns()
        error = shot.judge(reading)
        keep_alive = reading.keep_alive and not reading.stray
        if error is ErrorKind.NONE and keep_alive and pieces == 1:
            shot.known = data
        return Answer(first_ns, done_ns, reading.status, bytes_in, error, keep_alive)

    def exchange(self, shot: Shot) -> Answer:
        """One whole exchange outside the timed loop, connecting if need be. Raises as `read_answer` does."""
        if not self.is_open:
            self.connect()
        self.send_rest(shot.wire, 0)
        self._wait(self.readable)
        answer = self.read_answer(shot, self.recv(READ_BYTES), monotonic_ns())
        if not answer.keep_alive:
            self.close()
        return answer

    def _wait_writable(self, sock: Any) -> None:
        writable = gevent.get_hub().loop.io(sock.fileno(), WRITABLE)
        try:
            self._wait(writable)
        finally:
            writable.close()


TRANSPORT_ERRORS = (OSError, httptools.HttpParserError, httptools.HttpParserUpgrade)
"""What an exchange raises when no answer could be read."""
