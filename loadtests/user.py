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

from loadtests.connection import Connection, LoadedTarget


class SliceUsers:
    """The users of one trial in this process, numbered from `first` on as Locust spawned them."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.spawned: list[SliceUser] = []

    def connections(self, target: LoadedTarget) -> Sequence[Connection]:
        """Every user's connection to a target, open or not."""
        return [user.connection(target) for user in self.spawned]


class UsersEnvironment(Environment):
    """Locust's environment plus the list that its users enter themselves in."""

    def __init__(self, users: SliceUsers) -> None:
        super().__init__(user_classes=[SliceUser], catch_exceptions=False)
        self.users = users


class SliceUser(User):
    """One user: at most one connection to each target, and one request in flight."""

    wait_time = constant(0)

    def __init__(self, environment: UsersEnvironment) -> None:
        super().__init__(environment)
        self.number = environment.users.first + len(environment.users.spawned)
        self._connections: dict[str, Connection] = {}
        self._stopped = Event()
        environment.users.spawned.append(self)

    def on_stop(self) -> None:
        """Locust has stopped this user."""
        for connection in self._connections.values():
            connection.close()

    def connection(self, target: LoadedTarget) -> Connection:
        """This user's connection to a target, open or not."""
        if target.id not in self._connections:
            self._connections[target.id] = Connection(target, self.number)
        return self._connections[target.id]

    @task
    def wait_until_stopped(self) -> None:
        """Be there until Locust stops the user."""
        self._stopped.wait()


def spawn(users: SliceUsers, count: int, runner: Any = None) -> Callable[[], None]:
    """Let Locust spawn so many users at once; what is returned stops them.

    `runner` is Locust's worker, whose environment is a UsersEnvironment; without one, a local runner does it.
    """
    ours: Any = UsersEnvironment(users).create_local_runner() if runner is None else runner
    ours.environment.users = users
    ours.spawn_users({SliceUser.__name__: count})
    # A user that has not begun would not be told of its end either, and would leave its connections open.
    gevent.sleep(0)
    if len(users.spawned) != count:
        raise RuntimeError(f"Locust spawned {len(users.spawned)} users, not {count}")
    return ours.quit if runner is None else partial(ours.stop_users, {SliceUser.__name__: count})
