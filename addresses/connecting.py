"""One way to a server for everybody who asks one: every address of its name, no proxy, and a bound on all that comes.

The standard library's clients read `http_proxy` from the environment, try the addresses one after the other for as long
as each takes, and read for as long as bytes come. Here nothing is read from the environment, an address that is silent
holds up the next one for a quarter of a second (RFC 8305), and time and size of an answer have an end.
"""

from __future__ import annotations

import errno
import http.client
import io
import os
import selectors
import socket
import time
from typing import Any, Final

from addresses.address import Address

ANSWER_S: Final = 10.0
"""How long an answer may take to be whole, and a connection to be there."""
MOST_HEAD_BYTES: Final = 64 * 1024
"""Status line and headers of one answer, together with the interim ones before it."""
MOST_BODY_BYTES: Final = 16 * 2**20
MOST_INTERIM: Final = 16
"""Answers of 1xx before the one that counts."""
_STAGGER_S: Final = 0.25

SocketAddress = tuple[socket.AddressFamily, Any]
"""The family of an address, and the address as `socket` takes it."""


class NoAnswerError(Exception):
    """Nobody answered, or not as HTTP, or not within its bounds; the message says which."""


def places(host: str, port: int) -> list[SocketAddress]:
    """Every address of a host, in the order of the system (RFC 6724). Raises OSError where the name has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, place) for family, _, _, _, place in found))


def connect(address: Address, *, timeout_s: float = ANSWER_S) -> socket.socket:
    """A connection to the first address that takes one, blocking and without a timeout. Raises OSError."""
    deadline = time.monotonic() + timeout_s
    waiting = places(address.host, address.port)
    refusals: list[OSError] = []
    next_at = 0.0
    with selectors.DefaultSelector() as trying:
        try:
            while waiting or trying.get_map():
                now = time.monotonic()
                if now >= deadline:
                    raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
                if waiting and (now >= next_at or not trying.get_map()):
                    next_at = now + _STAGGER_S
                    _begin(waiting.pop(0), trying, refusals)
                    continue
                for key, _ in trying.select((min(deadline, next_at) if waiting else deadline) - now):
                    opened: socket.socket = key.fileobj  # type: ignore[assignment]  # registered below
                    trying.unregister(opened)
                    if _is_open(opened, refusals):
                        return opened
        finally:
            for key in list(trying.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]  # as above
    raise refusals[-1]


def _begin(place: SocketAddress, trying: selectors.BaseSelector, refusals: list[OSError]) -> None:
    family, where = place
    try:
        begun = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # a machine without IPv6
        refusals.append(error)
        return
    begun.setblocking(False)  # noqa: FBT003 - the standard library's signature
    code = begun.connect_ex(where)
    if code in (0, errno.EINPROGRESS):
        trying.register(begun, selectors.EVENT_WRITE)
    else:
        begun.close()
        refusals.append(OSError(code, os.strerror(code)))


def _is_open(begun: socket.socket, refusals: list[OSError]) -> bool:
    code = begun.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        begun.close()
        refusals.append(OSError(code, os.strerror(code)))
        return False
    begun.setblocking(True)  # noqa: FBT003 - as above
    begun.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return True


def in_words(error: Exception) -> str:
    """Why there was no answer, in the same words whoever asked. What is no OSError was found in its bytes."""
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"malformed answer: {str(error) or type(error).__name__}"


def get(address: Address, path: str, *, timeout_s: float = ANSWER_S) -> tuple[int, bytes]:
    """Status and body of the answer to one GET. Raises NoAnswerError."""
    deadline = time.monotonic() + timeout_s
    asked = f"GET {address.prefix}{path} HTTP/1.1\r\nHost: {address.authority}\r\nConnection: close\r\n\r\n"
    try:
        with connect(address, timeout_s=timeout_s) as opened:
            opened.settimeout(max(0.001, deadline - time.monotonic()))
            opened.sendall(asked.encode("ascii"))
            answer = http.client.HTTPResponse(_Bounded(opened, deadline), method="GET")  # type: ignore[arg-type]
            answer.begin()
            return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswerError(in_words(error)) from error


class _Bounded(io.RawIOBase):
    """What comes from a socket until a deadline, and no more than an answer may have."""

    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket = opened
        self._deadline = deadline
        self._left = MOST_HEAD_BYTES + MOST_BODY_BYTES

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What http.client asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes; 0 at the end. Raises OSError past the deadline or the bound."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        if self._left <= 0:
            raise OSError(errno.EMSGSIZE, f"an answer of over {MOST_BODY_BYTES >> 20} MiB")
        self._socket.settimeout(left_s)
        count = self._socket.recv_into(buffer)
        self._left -= count
        return count
