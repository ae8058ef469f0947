"""A system for the timed loop in which every instant is known: time passes only while somebody waits."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from typing import Any

from loadtests.connection import Connection, LoadedTarget
from loadtests.loop import SliceRun
from loadtests.orders import PreparedRequest, TargetOrder
from loadtests.samples import Samples

MS = 1_000_000
LOOK_NS = 1_000
"""What a look at sockets that are not ready takes a loop that waits awake."""
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = PreparedRequest(method="GET", path="/", expect_body=b"ok")

Answering = Callable[[int], int]
"""When the target has a request that arrives now, in ns, when is its answer there, in ns?"""


class SimulatedSystem:
    """A clock, and sockets to a target that answers as `answering` says, all requests on their own."""

    early_ns = 0

    def __init__(
        self, answering: Answering, *, awake: bool = False, refuses: bool = False, hangs_up: bool = False
    ) -> None:
        self.now = 1_000 * MS
        self.awake = awake
        self.look_ns = lambda: LOOK_NS
        self.answering = answering
        self.refuses = refuses
        self.hangs_up = hangs_up
        self.breaths = 0
        self.sockets: dict[int, SimulatedSocket] = {}
        self._numbers = itertools.count(3)

    def clock(self) -> int:
        """The time now."""
        return self.now

    def cpu(self) -> int:
        """Nothing costs anything here."""
        return 0

    def breathe(self) -> None:
        """Nobody else is here; but it is counted."""
        self.breaths += 1

    def socket(self, _family: int) -> SimulatedSocket:
        """One more socket."""
        made = SimulatedSocket(self, next(self._numbers))
        self.sockets[made.fileno()] = made
        return made

    def readiness(self) -> SimulatedReadiness:
        """What may be waited for."""
        return SimulatedReadiness(self)


class SimulatedSocket:
    """One connection: a request goes out at once, its answer is there when the target says.

    A target that hangs up does so a millisecond after each answer, if no request has come by then.
    """

    def __init__(self, system: SimulatedSystem, number: int) -> None:
        self._system = system
        self._number = number
        self.answer_at: int | None = None
        self._idle = True

    def fileno(self) -> int:
        """Its number."""
        return self._number

    def connect_ex(self, _address: object) -> int:
        """At once, or refused."""
        return errno.ECONNREFUSED if self._system.refuses else 0

    def send(self, data: bytes) -> int:
        """All of it."""
        assert self._idle, "a second request before the first answer"
        self._idle = False
        self.answer_at = self._system.answering(self._system.now)
        return len(data)

    def recv(self, _most: int, flags: int = 0) -> bytes:
        """The answer, if it is there."""
        if self.answer_at is None or self.answer_at > self._system.now:
            raise BlockingIOError
        if self._idle:
            raise ConnectionResetError("hung up")
        if not flags:
            self._idle = True
            self.answer_at = self._system.now + MS if self._system.hangs_up else None
        return GOOD

    def close(self) -> None:
        """Gone."""
        del self._system.sockets[self._number]


class SimulatedReadiness:
    """Waiting is what makes time pass, or looking again and again."""

    def __init__(self, system: SimulatedSystem) -> None:
        self._system = system
        self._watched: set[int] = set()

    def register(self, fd: int, _mask: int, /) -> None:
        """Watch it."""
        self._watched.add(fd)

    def modify(self, fd: int, _mask: int, /) -> None:
        """It is watched already."""
        assert fd in self._watched

    def unregister(self, fd: int, /) -> None:
        """Watch it no more."""
        self._watched.remove(fd)

    def poll(self, timeout: float, maxevents: int, /) -> list[tuple[int, int]]:
        """Whoever is ready now, or first, or nobody by the end of the timeout."""
        system = self._system
        pending = {fd: at for fd in self._watched if (at := system.sockets[fd].answer_at) is not None}
        until = system.now + (system.look_ns() if system.awake else max(0, round(timeout * 1e9)))
        system.now = max(system.now, min([until, *pending.values()]))
        return [(fd, 1) for fd, at in pending.items() if at <= system.now][:maxevents]

    wait = poll


class Queue:
    """A target that serves one request after the other, each for `service_ns`, but stands still in some intervals."""

    def __init__(self, service_ns: int, stalls: Callable[[int], int] = lambda at: at) -> None:
        self._service_ns = service_ns
        self._stalls = stalls
        self._free_at = 0

    def __call__(self, now: int) -> int:
        """First come, first served; `stalls` gives the first instant at or after another at which it moves."""
        self._free_at = self._stalls(max(now, self._free_at)) + self._service_ns
        return self._free_at


def run_slice(system: SimulatedSystem, *, users: int, length_ns: int, schedule: Any = None, **options: Any) -> SliceRun:
    """One slice in that system, run."""
    target = LoadedTarget(TargetOrder(id="t", base_url="http://127.0.0.1:1", requests=(REQUEST,)), system)
    made = SliceRun(
        target=target,
        samples=Samples(),
        number=0,
        length_ns=length_ns,
        schedule=schedule,
        **({"timeout_ns": 10_000 * MS} | options),
    )
    made.run([Connection(target, number) for number in range(users)])
    return made
