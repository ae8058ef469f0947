"""The Locust user: Locust spawns and stops it, the timed loop inside is our own.

A user takes visits from its inbox. A visit is one slice on one target: request after request as the arrival
law says until the deadline, then the answer still in flight, then it reports back. Requests are bytes before
the clock starts, answers go into columns of integers, and Locust's statistics see none of it.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import Any

import gevent
from gevent.event import Event
from gevent.queue import SimpleQueue
from locust import User, constant, task
from locust.env import Environment

from loadtests.answers import Answer, ErrorKind
from loadtests.arrival import Arrival
from loadtests.connection import TRANSPORT_ERRORS, Connection, Route
from loadtests.samples import Samples

GIVE_UP_AFTER = 3
"""Unanswered requests in a row after which a user leaves a slice: a dead target is no busy loop."""
PAUSE_S = 0.01
"""Wait after an unanswered request."""


class Overdue(Exception):  # noqa: N818 - it is thrown into a waiting user by the watch
    """No whole answer within the time allowed."""


class Visit:
    """One slice on one target, shared by all users; `done` is set when the last of them has left."""

    def __init__(self, *, route: Route, samples: Samples, number: int, length_ns: int, users: int, seed: int) -> None:
        self.route = route
        self.samples = samples
        self.number = number
        self.seed = seed
        self.length_ns = length_ns
        self.opened_ns = 0
        self.deadline_ns = 0
        self.done = Event()
        self.failure: BaseException | None = None
        self._inside = users

    def open(self) -> None:
        """Start the slice's clock."""
        self.opened_ns = monotonic_ns()
        self.deadline_ns = self.opened_ns + self.length_ns

    def leave(self) -> None:
        """Called once by each user."""
        self._inside -= 1
        if not self._inside:
            self.done.set()


class Crew:
    """The users of one trial, in the order in which Locust spawned them."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.users: list[SliceUser] = []


class CrewEnvironment(Environment):
    """Locust's environment plus the crew that its users enlist in."""

    def __init__(self, crew: Crew) -> None:
        super().__init__(user_classes=[SliceUser], catch_exceptions=False)
        self.crew = crew


class SliceUser(User):
    """One user: at most one connection to each target, and one request in flight."""

    wait_time = constant(0)

    def __init__(self, environment: CrewEnvironment) -> None:
        super().__init__(environment)
        self.inbox: SimpleQueue[Visit] = SimpleQueue()
        self.number = len(environment.crew.users)
        self.sent_ns = 0
        self._arrival = environment.crew.arrival
        self._connections: dict[str, Connection] = {}
        environment.crew.users.append(self)

    def on_stop(self) -> None:
        """Locust has stopped this user."""
        for connection in self._connections.values():
            connection.close()

    def connection(self, route: Route) -> Connection:
        """This user's connection to a target, open or not."""
        if route.id not in self._connections:
            self._connections[route.id] = Connection(route)
        return self._connections[route.id]

    @task
    def next_visit(self) -> None:
        """Wait for a visit and make it.

        A fault of the generator's own ends up in the visit, where the conductor looks.
        """
        visit = self.inbox.get()
        try:
            self._fire(visit)
        except BaseException as failure:
            visit.failure = failure
            raise
        finally:
            self.sent_ns = 0
            visit.leave()

    def throw_overdue(self) -> None:
        """Break off the exchange under way; called from the event loop only."""
        self.greenlet.throw(Overdue())

    def _fire(self, visit: Visit) -> None:  # noqa: C901, PLR0915 - the hot loop, inlined on purpose
        """The timed loop. Kept in one function: a call costs what a dozen of its lines do."""
        shots, count = visit.route.shots, len(visit.route.shots)
        position = (self.number + visit.number) % count
        connection = self.connection(visit.route)
        pace = self._arrival.pacer(user=self.number, seed=visit.seed)
        wait, clock, user = gevent.get_hub().wait, monotonic_ns, self.number
        add_due, add_sent, add_first, add_done, add_status, add_bytes, add_user, add_error = (
            column.append for column in visit.samples.columns
        )
        unanswered = 0
        due = done = visit.opened_ns
        deadline = visit.deadline_ns
        while done < deadline:
            shot = shots[position]
            position += 1
            if position == count:
                position = 0
            due = pace(due, done)
            if due > done:
                if due >= deadline:
                    break
                self.sent_ns = 0
                gevent.sleep((due - clock()) / 1e9)
            self.sent_ns = sent = clock()
            try:
                if not connection.is_open:
                    connection.connect()
                taken = connection.send(shot.wire)
                if taken < shot.size:
                    connection.send_rest(shot.wire, taken)
                wait(connection.readable)
                data = connection.recv(shot.room)
                done = clock()
                if data == shot.known:
                    add_due(due)
                    add_sent(sent)
                    add_first(done)
                    add_done(done)
                    add_status(shot.expect_status)
                    add_bytes(len(data))
                    add_user(user)
                    add_error(0)
                    continue
                answer = connection.read_answer(shot, data, done)
            except Overdue:
                answer = _no_answer(ErrorKind.TIMEOUT)
            except TRANSPORT_ERRORS:
                answer = _no_answer(ErrorKind.TRANSPORT)
            done = answer.done_ns
            visit.samples.add(due_ns=due, sent_ns=sent, user=user, answer=answer)
            if not answer.keep_alive:
                connection.close()
            if answer.error < ErrorKind.TRANSPORT:
                unanswered = 0
                continue
            unanswered += 1
            if unanswered == GIVE_UP_AFTER:
                break
            self.sent_ns = 0
            gevent.sleep(PAUSE_S)
            done = clock()


def _no_answer(error: ErrorKind) -> Answer:
    now = monotonic_ns()
    return Answer(now, now, 0, 0, error, keep_alive=False)


def spawn(crew: Crew) -> Any:
    """Let Locust spawn the crew at once; returns its runner, whose `quit` stops them."""
    environment = CrewEnvironment(crew)
    runner = environment.create_local_runner()
    runner.start(crew.arrival.users, spawn_rate=crew.arrival.users)
    gevent.wait([runner.spawning_greenlet])
    if len(crew.users) != crew.arrival.users:
        raise RuntimeError(f"Locust spawned {len(crew.users)} users, not {crew.arrival.users}")
    return runner
