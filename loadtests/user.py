"""The Locust user: Locust spawns, counts and stops it; the timed loop serves its connections.

Locust's runners decide how many users this process has, on one machine or as a worker of many. A user owns at most one
connection to each target. What a user of Locust usually does by itself, request after request, is done for all users of
the process together by loadtests.loop, because switching from greenlet to greenlet costs as much as a request does.
Locust's statistics see none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from locust import User, constant, task
from locust.env import Environment

from loadtests.connection import Connection, Route


class Crew:
    """The users of one trial in this process, numbered from `first` on as Locust spawned them."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.users: list[SliceUser] = []

    def lines(self, route: Route) -> Sequence[Connection]:
        """Every user's connection to a target, open or not."""
        return [user.connection(route) for user in self.users]


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
        self.number = environment.crew.first + len(environment.crew.users)
        self._connections: dict[str, Connection] = {}
        self._stopped = Event()
        environment.crew.users.append(self)

    def on_stop(self) -> None:
        """Locust has stopped this user."""
        for connection in self._connections.values():
            connection.close()

    def connection(self, route: Route) -> Connection:
        """This user's connection to a target, open or not."""
        if route.id not in self._connections:
            self._connections[route.id] = Connection(route, self.number)
        return self._connections[route.id]

    @task
    def stand_by(self) -> None:
        """Be there until Locust stops the user."""
        self._stopped.wait()


def spawn(crew: Crew, users: int, runner: Any = None) -> Callable[[], None]:
    """Let Locust spawn so many users at once; what is returned stops them.

    `runner` is Locust's worker, whose environment is a CrewEnvironment; without one, a local runner does it.
    """
    ours: Any = CrewEnvironment(crew).create_local_runner() if runner is None else runner
    ours.environment.crew = crew
    ours.spawn_users({SliceUser.__name__: users})
    # A user that has not begun would not be told of its end either, and would leave its connections open.
    gevent.sleep(0)
    if len(crew.users) != users:
        raise RuntimeError(f"Locust spawned {len(crew.users)} users, not {users}")
    return ours.quit if runner is None else partial(ours.stop_users, {SliceUser.__name__: users})
