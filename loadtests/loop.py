"""The timed loop: one slice on one target, all of its connections, closed loop or open.

One function, because in Python a call costs what a dozen of its lines do. Readiness of all connections is asked for at
once; each that is ready is read, its answer compared with the bytes that are known to be right, and, in a closed loop,
its next request written before the next one is looked at: two system calls a request, and a share of a third. In an
open loop a connection that has its answer goes back to the idle ones, and the schedule says when one of them is next
used. Everything but the usual exchange is left to Connection and to what stands below the loop.

On a core of its own the loop never sleeps. It asks again and again: no answer waits until it is awake, and no target
spends time on waking it, which was a hundredth of the throughput at 16 connections and a third at one, on two virtual
cores. What it does not find to do is then what it knows of its own load.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from loadtests.arrival import Schedule
from loadtests.connection import TRANSPORT_ERRORS, Connection, LoadedTarget
from loadtests.responses import ErrorKind, TimedResponse
from loadtests.samples import Samples, pack_row

TICK_NS = 5_000_000
"""How often the loop looks up: at its own lag and at connections that pause."""
ROUND_TICKS, BREATH_ROUNDS = 10, 10
"""Every so many ticks overdue exchanges are broken off and the load is read, and every so many of these rounds others
in the process may run: a round of gevent's loop can take its smallest timeout, a millisecond."""
GIVE_UP_AFTER = 3
"""Unanswered requests in a row after which a user leaves a closed loop's slice: a dead target is no busy loop."""
PAUSE_NS = 10_000_000
"""A user's wait after an unanswered request."""
LEAST_GAP_NS = 200_000
"""Waiting awake for what is due would take the whole core where gaps are shorter on average."""
NEVER = 2**63 - 1


class SliceRun:
    """One slice on one target, and what the loop learns in it beside the samples.

    `lags_ns` holds, for each tick, the longest time between two looks at the sockets: as long may an answer have lain
    unread. For `busy_ns` of `wall_ns` the loop did something: it used the CPU or, where it waits awake, it did not ask
    in vain. `shares` is that between two rounds, `gaps_ns` how late every tick was. `cap_hits` counts
    the requests of an open loop that were due with the most in flight already, and `unsent` those never sent.
    """

    def __init__(
        self,
        *,
        target: LoadedTarget,
        samples: Samples,
        number: int,
        length_ns: int,
        timeout_ns: int,
        schedule: Schedule | None = None,
        lags_ns: array[int] | None = None,
    ) -> None:
        self.target = target
        self.samples = samples
        self.number = number
        self.length_ns = length_ns
        self.timeout_ns = timeout_ns
        self.schedule = schedule
        self.lags_ns = array("q") if lags_ns is None else lags_ns
        self.gaps_ns, self.shares = array("q"), list[float]()
        self.opened_ns = self.deadline_ns = self.wall_ns = self.busy_ns = self.cap_hits = self.unsent = 0

    def run(self, connections: Sequence[Connection], opens_ns: int | None = None) -> None:
        """Make the run over `connections`, each of its own user; returns when the last answer is in or overdue.

        It opens now, or opened at `opens_ns`, which others have agreed on: the deadline and all due times hang on it.
        """
        state = _SliceState(self, connections)
        self.opened_ns = self.target.system.clock() if opens_ns is None else opens_ns
        self.deadline_ns = self.opened_ns + self.length_ns
        try:
            _serve(self, connections, state)
        finally:
            self.wall_ns, self.busy_ns = state.spent()
            for connection in connections:
                connection.sent_ns = 0


def _serve(run: SliceRun, connections: Sequence[Connection], state: _SliceState) -> None:  # noqa: C901, PLR0912, PLR0915 - the hot loop, inlined on purpose
    target, opened, deadline = run.target, run.opened_ns, run.deadline_ns
    clock, by_fd, rows, pack = target.system.clock, target.by_fd, run.samples.rows, pack_row
    closed, dues, awake = run.schedule is None, run.schedule or (), target.system.awake
    wait = target.readiness.poll if closed or awake else target.readiness.wait
    at, idle, most, tick_s = 0, state.idle, len(connections), TICK_NS / 1e9
    request = target.requests[run.number % len(target.requests)]
    now, look_up, lag, resting = opened, opened + TICK_NS, 0, False
    due = opened + dues[0] if dues else NEVER
    early = target.system.early_ns if len(dues) * LEAST_GAP_NS <= run.length_ns else 0
    if closed:
        for connection in connections:
            connection.request, request = request, request.next
            state.start(connection, opened)
    while state.busy or due != NEVER:
        while due <= now:
            if not idle:
                if state.overrun(at, now):
                    due = NEVER
                break
            connection = idle.pop()
            connection.request, request = request, request.next
            state.start(connection, due)
            at += 1
            due = opened + dues[at] if at < len(dues) else NEVER
            now = clock()
        turned, before = 0, now
        ready = wait(
            0 if awake else tick_s if closed else (min(due - early if idle else NEVER, look_up) - now) / 1e9, most
        )
        for fd, _ in ready:
            connection = by_fd[fd]
            try:
                if connection.fresh:
                    data = connection.recv(connection.request.room)
                    now = clock()
                    asked = connection.request
                    if data == asked.known and connection.sent_ns:
                        rows += pack(
                            connection.due_ns,
                            connection.sent_ns,
                            now,
                            now,
                            len(data),
                            asked.expect_status,
                            connection.user,
                            0,
                        )
                        connection.failures = 0
                    elif not connection.sent_ns:
                        connection.close()
                        continue
                    else:
                        answer = connection.take(data, now)
                        if answer is None:
                            continue
                        now = state.settle(connection, answer)
                else:
                    answer = connection.advance()
                    if answer is None:
                        continue
                    now = state.settle(connection, answer)
                if not turned:
                    turned = now
                if not closed:
                    connection.sent_ns = 0
                    idle.append(connection)
                    state.busy -= 1
                elif now >= deadline:
                    connection.sent_ns = 0
                    state.busy -= 1
                else:
                    connection.request = asked = connection.request.next
                    connection.due_ns = now
                    connection.sent_ns = now = clock()
                    if connection.fresh:
                        try:
                            taken = connection.send(asked.wire)
                        except BlockingIOError:
                            taken = 0
                        if taken != asked.size:
                            connection.resume(taken)
                    else:
                        connection.begin()
            except BlockingIOError:
                continue
            except TRANSPORT_ERRORS as error:
                if connection.sent_ns:
                    now = state.fail(connection, ErrorKind.TRANSPORT, error)
                else:
                    # Hung up on while it was idle: no request has failed, and the next one connects anew.
                    connection.close()
        if ready:
            resting = False
            if turned:
                # Where it sleeps, the time until something was there is no lag.
                lag = max(lag, now - turned, turned - before if awake else 0)
            if not turned or not closed:
                now = clock()
        else:
            now = clock()
            if awake:
                lag = max(lag, now - before)
                # The first time in vain is no rest: a request was still to be sent when the clock was last read.
                if resting:
                    state.rested_ns += now - before
                resting = True
        if now >= look_up:
            run.lags_ns.append(lag)
            lag, missed = 0, look_up
            now = state.tick(now)
            run.gaps_ns.append(now - missed)
            look_up = now + TICK_NS


class _SliceState:
    """The rest of a run: requests that do not begin or end as usual, and what is looked after at every tick."""

    def __init__(self, run: SliceRun, connections: Sequence[Connection]) -> None:
        self._run = run
        self._connections = connections
        self._system = run.target.system
        self._closed = run.schedule is None
        self._paused: list[tuple[int, Connection]] = []
        self._overran = -1
        self._ticks = 0
        self.rested_ns = 0
        self._begun = self._last = self._used()
        self.busy = len(connections) if self._closed else 0
        # The last is used first, and an open connection before one that must be opened.
        self.idle = sorted(connections, key=lambda connection: (connection.is_open, -connection.user))

    def start(self, connection: Connection, due_ns: int) -> None:
        """Send a connection's request, which was due at `due_ns`."""
        if not self._closed:
            self.busy += 1
        connection.due_ns = due_ns
        connection.sent_ns = self._system.clock()
        try:
            connection.begin()
        except TRANSPORT_ERRORS as error:
            self.fail(connection, ErrorKind.TRANSPORT, error)

    def settle(self, connection: Connection, answer: TimedResponse) -> int:
        """Take down an answer that the loop did not know by its bytes; when it was complete."""
        self._run.samples.add(due_ns=connection.due_ns, sent_ns=connection.sent_ns, user=connection.user, answer=answer)
        connection.failures = 0
        if not answer.keep_alive:
            connection.close()
        return answer.done_ns

    def fail(self, connection: Connection, kind: ErrorKind, error: Exception | None = None) -> int:
        """Take down that there was no answer; the time now."""
        now = self._system.clock()
        nothing = TimedResponse(now, now, 0, 0, kind, keep_alive=False)
        self._run.samples.add(
            due_ns=connection.due_ns, sent_ns=connection.sent_ns, user=connection.user, answer=nothing
        )
        connection.close()
        connection.sent_ns = 0
        self._run.target.failed(error)
        connection.failures += 1
        if not self._closed:
            self.idle.append(connection)
            self.busy -= 1
        elif connection.failures >= GIVE_UP_AFTER or now >= self._run.deadline_ns:
            connection.failures = 0
            self.busy -= 1
        else:
            self._paused.append((now + PAUSE_NS, connection))
        return now

    def overrun(self, at: int, now_ns: int) -> bool:
        """A request is due and every connection in use; whether it is too late to send it and what follows it."""
        run = self._run
        if at != self._overran:
            self._overran = at
            run.cap_hits += 1
        if run.schedule is None or now_ns < run.deadline_ns + run.timeout_ns:
            return False
        run.unsent = len(run.schedule) - at
        return True

    def tick(self, now_ns: int) -> int:
        """Look after pauses and, every few ticks, everything else; the time afterwards."""
        paused, self._paused = self._paused, []
        for until_ns, connection in paused:
            if now_ns < until_ns:
                self._paused.append((until_ns, connection))
            elif now_ns >= self._run.deadline_ns:
                connection.failures = 0
                self.busy -= 1
            else:
                connection.request = connection.request.next
                self.start(connection, now_ns)
        self._ticks += 1
        if self._ticks % ROUND_TICKS == 0:
            self._look_around(now_ns)
        return self._system.clock()

    def _look_around(self, now_ns: int) -> None:
        for connection in self._connections:
            if connection.sent_ns and now_ns - connection.sent_ns > self._run.timeout_ns:
                self.fail(connection, ErrorKind.TIMEOUT)
        if self._ticks % (ROUND_TICKS * BREATH_ROUNDS) == 0:
            self._system.breathe()
        before, self._last = self._last, self._used()
        self._run.shares.append((self._last[1] - before[1]) / max(1, self._last[0] - before[0]))

    def spent(self) -> tuple[int, int]:
        """Time since the run began, and for how much of it the loop did something, in ns."""
        wall_ns, busy_ns = self._used()
        return wall_ns - self._begun[0], busy_ns - self._begun[1]

    def _used(self) -> tuple[int, int]:
        wall_ns = self._system.clock()
        return wall_ns, wall_ns - self.rested_ns if self._system.awake else self._system.cpu()
