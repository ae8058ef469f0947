"""The timed loop: one slice on one target, all of its connections, closed loop or open.

One function, because in Python a call costs what a dozen of its lines do. Readiness of all connections is asked for at
once; each that is ready is read, its answer compared with the bytes that are known to be right, and, in a closed loop,
its next request written before the next one is looked at: two system calls a request, and a share of a third. In an
open loop a connection that has its answer goes back to the idle ones, and the schedule says when one of them is next
used. Everything but the usual exchange is left to Connection and to what stands below the loop.

On a core of its own the loop never sleeps. It asks again and again: no answer waits until it is awake, and no target
spends time on waking it, which was a hundredth of the throughput at 16 and 64 connections and a third at one where it
was measured, on two virtual cores. What it does not find to do is then what it knows of its own load.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from loadtests.answers import Answer, ErrorKind
from loadtests.arrival import Schedule
from loadtests.connection import TRANSPORT_ERRORS, Connection, Route
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


class Visit:
    """One slice on one target, and what the loop learns in it beside the samples.

    `lags_ns` holds, for each tick, the longest time between two looks at the sockets: as long may an answer have lain
    unread. For `busy_ns` of `wall_ns` the loop did something: it used the CPU or, where it waits awake, it did not ask
    in vain. `shares` is that between two rounds. `cap_hits` counts the requests of an open loop that were due while the
    most were in flight already, and `unsent` those that never were sent.
    """

    def __init__(
        self,
        *,
        route: Route,
        samples: Samples,
        number: int,
        length_ns: int,
        timeout_ns: int,
        schedule: Schedule | None = None,
        lags_ns: array[int] | None = None,
    ) -> None:
        self.route = route
        self.samples = samples
        self.number = number
        self.length_ns = length_ns
        self.timeout_ns = timeout_ns
        self.schedule = schedule
        self.lags_ns = array("q") if lags_ns is None else lags_ns
        self.shares: list[float] = []
        self.opened_ns = self.deadline_ns = self.wall_ns = self.busy_ns = 0
        self.cap_hits = self.unsent = 0

    def run(self, lines: Sequence[Connection], opens_ns: int | None = None) -> None:
        """Make the visit over `lines`, each of its own user; returns when the last answer is in or overdue.

        It opens now, or opened at `opens_ns`, which others have agreed on: the deadline and all due times hang on it.
        """
        hands = _Hands(self, lines)
        self.opened_ns = self.route.world.clock() if opens_ns is None else opens_ns
        self.deadline_ns = self.opened_ns + self.length_ns
        try:
            _serve(self, lines, hands)
        finally:
            self.wall_ns, self.busy_ns = hands.spent()
            for line in lines:
                line.sent_ns = 0


def _serve(visit: Visit, lines: Sequence[Connection], hands: _Hands) -> None:  # noqa: C901, PLR0912, PLR0915 - the hot loop, inlined on purpose
    route, opened, deadline = visit.route, visit.opened_ns, visit.deadline_ns
    clock, by_fd, rows, pack = route.world.clock, route.by_fd, visit.samples.rows, pack_row
    closed, dues, awake = visit.schedule is None, visit.schedule or (), route.world.awake
    wait = route.readiness.poll if closed or awake else route.readiness.wait
    at, idle, most, tick_s = 0, hands.idle, len(lines), TICK_NS / 1e9
    shot = route.shots[visit.number % len(route.shots)]
    now, look_up, lag, resting = opened, opened + TICK_NS, 0, False
    due = opened + dues[0] if dues else NEVER
    early = route.world.early_ns if len(dues) * LEAST_GAP_NS <= visit.length_ns else 0
    if closed:
        for line in lines:
            line.shot, shot = shot, shot.next
            hands.start(line, opened)
    while hands.busy or due != NEVER:
        while due <= now:
            if not idle:
                if hands.overrun(at, now):
                    due = NEVER
                break
            line = idle.pop()
            line.shot, shot = shot, shot.next
            hands.start(line, due)
            at += 1
            due = opened + dues[at] if at < len(dues) else NEVER
            now = clock()
        turned, before = 0, now
        ready = wait(
            0 if awake else tick_s if closed else (min(due - early if idle else NEVER, look_up) - now) / 1e9, most
        )
        for fd, _ in ready:
            line = by_fd[fd]
            try:
                if line.fresh:
                    data = line.recv(line.shot.room)
                    now = clock()
                    asked = line.shot
                    if data == asked.known and line.sent_ns:
                        rows += pack(line.due_ns, line.sent_ns, now, now, len(data), asked.expect_status, line.user, 0)
                        line.failures = 0
                    elif not line.sent_ns:
                        line.close()
                        continue
                    else:
                        answer = line.take(data, now)
                        if answer is None:
                            continue
                        now = hands.settle(line, answer)
                else:
                    answer = line.advance()
                    if answer is None:
                        continue
                    now = hands.settle(line, answer)
                if not turned:
                    turned = now
                if not closed:
                    line.sent_ns = 0
                    idle.append(line)
                    hands.busy -= 1
                elif now >= deadline:
                    line.sent_ns = 0
                    hands.busy -= 1
                else:
                    line.shot = asked = line.shot.next
                    line.due_ns = now
                    line.sent_ns = now = clock()
                    if line.fresh:
                        try:
                            taken = line.send(asked.wire)
                        except BlockingIOError:
                            taken = 0
                        if taken != asked.size:
                            line.resume(taken)
                    else:
                        line.begin()
            except BlockingIOError:
                continue
            except TRANSPORT_ERRORS as error:
                if line.sent_ns:
                    now = hands.fail(line, ErrorKind.TRANSPORT, error)
                else:
                    # Hung up on while it was idle: no request has failed, and the next one connects anew.
                    line.close()
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
                    hands.rested_ns += now - before
                resting = True
        if now >= look_up:
            visit.lags_ns.append(lag)
            lag = 0
            now = hands.tick(now)
            look_up = now + TICK_NS


class _Hands:
    """The rest of a visit: requests that do not begin or end as usual, and what is looked after at every tick."""

    def __init__(self, visit: Visit, lines: Sequence[Connection]) -> None:
        self._visit = visit
        self._lines = lines
        self._world = visit.route.world
        self._closed = visit.schedule is None
        self._paused: list[tuple[int, Connection]] = []
        self._overran = -1
        self._ticks = 0
        self.rested_ns = 0
        self._begun = self._last = self._used()
        self.busy = len(lines) if self._closed else 0
        # The last is used first, and an open connection before one that must be opened.
        self.idle = sorted(lines, key=lambda line: (line.is_open, -line.user))

    def start(self, line: Connection, due_ns: int) -> None:
        """Send a line's shot, which was due at `due_ns`."""
        if not self._closed:
            self.busy += 1
        line.due_ns = due_ns
        line.sent_ns = self._world.clock()
        try:
            line.begin()
        except TRANSPORT_ERRORS as error:
            self.fail(line, ErrorKind.TRANSPORT, error)

    def settle(self, line: Connection, answer: Answer) -> int:
        """Take down an answer that the loop did not know by its bytes; when it was complete."""
        self._visit.samples.add(due_ns=line.due_ns, sent_ns=line.sent_ns, user=line.user, answer=answer)
        line.failures = 0
        if not answer.keep_alive:
            line.close()
        return answer.done_ns

    def fail(self, line: Connection, kind: ErrorKind, error: Exception | None = None) -> int:
        """Take down that there was no answer; the time now."""
        now = self._world.clock()
        nothing = Answer(now, now, 0, 0, kind, keep_alive=False)
        self._visit.samples.add(due_ns=line.due_ns, sent_ns=line.sent_ns, user=line.user, answer=nothing)
        line.close()
        line.sent_ns = 0
        self._visit.route.failure = f"{type(error).__name__}: {error}" if error else "no whole answer in time"
        line.failures += 1
        if not self._closed:
            self.idle.append(line)
            self.busy -= 1
        elif line.failures >= GIVE_UP_AFTER or now >= self._visit.deadline_ns:
            line.failures = 0
            self.busy -= 1
        else:
            self._paused.append((now + PAUSE_NS, line))
        return now

    def overrun(self, at: int, now_ns: int) -> bool:
        """A request is due and every connection in use; whether it is too late to send it and what follows it."""
        visit = self._visit
        if at != self._overran:
            self._overran = at
            visit.cap_hits += 1
        if visit.schedule is None or now_ns < visit.deadline_ns + visit.timeout_ns:
            return False
        visit.unsent = len(visit.schedule) - at
        return True

    def tick(self, now_ns: int) -> int:
        """Look after pauses and, every few ticks, everything else; the time afterwards."""
        paused, self._paused = self._paused, []
        for until_ns, line in paused:
            if now_ns < until_ns:
                self._paused.append((until_ns, line))
            elif now_ns >= self._visit.deadline_ns:
                line.failures = 0
                self.busy -= 1
            else:
                line.shot = line.shot.next
                self.start(line, now_ns)
        self._ticks += 1
        if self._ticks % ROUND_TICKS == 0:
            self._round(now_ns)
        return self._world.clock()

    def _round(self, now_ns: int) -> None:
        for line in self._lines:
            if line.sent_ns and now_ns - line.sent_ns > self._visit.timeout_ns:
                self.fail(line, ErrorKind.TIMEOUT)
        if self._ticks % (ROUND_TICKS * BREATH_ROUNDS) == 0:
            self._world.breathe()
        before, self._last = self._last, self._used()
        self._visit.shares.append((self._last[1] - before[1]) / max(1, self._last[0] - before[0]))

    def spent(self) -> tuple[int, int]:
        """Time since the visit began, and for how much of it the loop did something, in ns."""
        wall_ns, busy_ns = self._used()
        return wall_ns - self._begun[0], busy_ns - self._begun[1]

    def _used(self) -> tuple[int, int]:
        wall_ns = self._world.clock()
        return wall_ns, wall_ns - self.rested_ns if self._world.awake else self._world.cpu()
