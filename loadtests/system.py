"""What the timed loop stands on: a clock, sockets, and waiting for them.

A test puts a simulated system in its place and so knows every instant. Sockets and polling are the interpreter's own,
not the ones that gevent patches in: the loop serves all connections of a slice itself, and lets gevent's loop run in
between.
"""

from __future__ import annotations

import os
import socket
import sys
from time import monotonic_ns, process_time_ns
from typing import Any, Protocol

import gevent
from gevent.monkey import get_original

READABLE, WRITABLE = 1, 4
"""EPOLLIN and EPOLLOUT, which are POLLIN and POLLOUT too (poll(2), epoll_ctl(2))."""

Events = list[tuple[int, int]]


class Readiness(Protocol):
    """Which of some file descriptors are ready."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch one more."""

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Watch one for something else."""

    def unregister(self, fd: int, /) -> None:
        """Watch one no more."""

    def poll(self, timeout: float, maxevents: int, /) -> Events:
        """Wait for some of them, with a timeout in seconds that may end a millisecond late."""

    def wait(self, timeout: float, maxevents: int, /) -> Events:
        """The same, with a timeout that ends in time: schedules are kept with it."""


class System(Protocol):
    """A clock in ns, sockets, and a breath for whoever else lives in the process."""

    awake: bool
    """Whether to ask whose answer is there again and again, instead of sleeping until one is."""
    early_ns: int
    """Sleeps that must not end late end so much early, and the rest is waited out awake."""

    def clock(self) -> int:
        """Monotonic time in ns."""

    def cpu(self) -> int:
        """CPU time of this process in ns."""

    def socket(self, family: int) -> Any:
        """A new TCP socket that does not block."""

    def readiness(self) -> Readiness:
        """A new set of watched sockets, empty."""

    def breathe(self) -> None:
        """Let others in the process run."""


class Epoll:
    """epoll(7). A timeout of epoll_wait(2) has whole milliseconds, that of select(2) has microseconds."""

    def __init__(self) -> None:
        self._epoll = get_original("select", "epoll")()
        self._select = get_original("select", "select")
        self.register, self.modify = self._epoll.register, self._epoll.modify
        self.unregister, self.poll = self._epoll.unregister, self._epoll.poll

    def wait(self, timeout: float, maxevents: int, /) -> Events:
        """An epoll descriptor can itself be waited for."""
        if timeout > 0:
            self._select((self._epoll,), (), (), timeout)
        found: Events = self.poll(0, maxevents)
        return found


class Poll:
    """poll(2), where there is no epoll; send times are then kept to a millisecond."""

    def __init__(self) -> None:
        self._poll = get_original("select", "poll")()
        self.register, self.modify, self.unregister = self._poll.register, self._poll.modify, self._poll.unregister

    def poll(self, timeout: float, _maxevents: int, /) -> Events:
        """All that are ready."""
        found: Events = self._poll.poll(max(0, timeout) * 1000)
        return found

    wait = poll


class RealSystem:
    """The machine's own clock and network."""

    awake = False
    early_ns = 60_000
    """The kernel wakes sleepers up to 50 us late (timer slack, prctl(2))."""
    clock = staticmethod(monotonic_ns)
    cpu = staticmethod(process_time_ns)
    _socket = staticmethod(get_original("socket", "socket"))

    def take_core(self, cpu: int) -> None:
        """Pin this process to one of several cores, on which it waits awake.

        Where there is but one core the target is on it too, and needs it whenever this process has nothing to do. It
        takes no precedence: whatever else runs on the machine would go to the target's core instead, and what it takes
        there would be told of the target.
        """
        self.awake = len(os.sched_getaffinity(0)) > 1
        os.sched_setaffinity(0, {cpu})

    def socket(self, family: int) -> Any:
        """Requests go out at once (TCP_NODELAY): they are written whole."""
        sock = self._socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)  # noqa: FBT003 - the standard library's signature
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def readiness(self) -> Readiness:
        """The best that this system has."""
        return Epoll() if sys.platform == "linux" else Poll()

    def breathe(self) -> None:
        """One round of gevent's loop, without a wait: standard input, and Locust's own greenlets."""
        # What sleep(0) waits for comes before the loop looks at timers and descriptors, so that alone would leave a
        # worker without a heartbeat for as long as its slice takes. What idle() has woken runs before sleep(0) is over.
        gevent.idle()
        gevent.sleep(0)


REAL_SYSTEM = RealSystem()
