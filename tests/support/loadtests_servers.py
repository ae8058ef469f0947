"""A small HTTP server with known behaviour and service times, on loopback by default, for the generator's tests."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

from loadtests.orders import PreparedRequest, TargetOrder

Piece = bytes | float | None
"""Bytes to send, seconds to sleep, or None to hang up."""
Reply = Callable[[int, bytes], list[Piece]]
"""(number of the request, its body) -> what to do."""

GOOD = b'{"prediction":152.25}'


def ok(body: bytes = GOOD, *, extra: bytes = b"", status: bytes = b"200 OK", version: bytes = b"HTTP/1.1") -> bytes:
    """A whole answer with a length."""
    return b"%s %s\r\n%sContent-Length: %d\r\n\r\n%s" % (version, status, extra, len(body), body)


class KnownServer:
    """Answers each request as `reply` says, one thread a connection, or strictly one connection at a time.

    `served_s` holds the time from each request's last byte to its answer's last byte, as the server saw it, and
    `came_ns` when each request was read.
    """

    def __init__(
        self,
        reply: Reply,
        *,
        threaded: bool = True,
        idle_s: float | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._reply = reply
        self._threaded = threaded
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((host, port), backlog=128)
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self.port = self._listener.getsockname()[1]
        self.base_url = f"http://{host}:{self.port}"
        self.requests = 0
        self.connections = 0
        self.bodies: list[bytes] = []
        self.served_s: list[float] = []
        self.came_ns: list[int] = []

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.die()
        self._acceptor.join(5)

    def die(self) -> None:
        """Stop listening and cut every connection."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def target(self, name: str, *, bodies: int = 1, size: int = 16, pids: tuple[int, ...] = ()) -> TargetOrder:
        """This server as a target with so many different request bodies."""
        return TargetOrder(
            id=name,
            base_url=self.base_url,
            pids=pids,
            requests=tuple(
                PreparedRequest(method="POST", path="/predict", body=b"%0*d" % (size, number), expect_body=GOOD)
                for number in range(bodies)
            ),
        )

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._threaded:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            else:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(self._idle_s)
        with self._lock:
            self._open.add(connection)
        try:
            while (body := self._read(connection)) is not None:
                if not self._answer(connection, body):
                    return
        except OSError:
            return  # The generator has hung up, or die() has.
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _read(self, connection: socket.socket) -> bytes | None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
        length = int(lengths[0].split(b":")[1]) if lengths else 0
        while len(body) < length:
            body += connection.recv(65536)
        return body

    def _answer(self, connection: socket.socket, body: bytes) -> bool:
        started = time.monotonic()
        with self._lock:
            number = self.requests
            self.requests += 1
            self.bodies.append(body[:16])
            self.came_ns.append(time.monotonic_ns())
        for piece in self._reply(number, body):
            if piece is None:
                return False
            if isinstance(piece, float):
                time.sleep(piece)
            else:
                connection.sendall(piece)
        self.served_s.append(time.monotonic() - started)
        return True
