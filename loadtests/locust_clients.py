"""What a user of the stock Locust asks with: this project's connection, or Locust's own client, over the same requests.

Either tells Locust of every exchange by its `request` event, an answer that is not the right one as a failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import gevent
from locust.contrib.fasthttp import FastHttpSession
from locust.event import EventHook

from loadtests.connection import TRANSPORT_ERRORS, Connection, LoadedTarget
from loadtests.orders import PreparedRequest, TargetOrder
from loadtests.responses import ErrorKind, TimedResponse
from loadtests.system import READABLE, REAL_SYSTEM, RealSystem
from loadtests.wire_request import is_right

PAUSE_S: Final = 0.1
"""After an exchange without an answer, so that a server that is down is not called thousands of times a second."""

_GEVENT_READ, _GEVENT_WRITE = 1, 2


class FailedExchangeError(Exception):
    """An exchange that counts as a failure. Its text is what Locust lists failures by."""


class Client(Protocol):
    """What asks for one user."""

    def ask(self, number: int, *, due_ns: int = 0) -> None:
        """Send the request of that number and wait for its answer; it was due then, where that is not 0."""

    def close(self) -> None:
        """The user has stopped."""


class GreenletReadiness:
    """One user's sockets, watched by gevent's loop: whoever waits lets the other users run."""

    def __init__(self) -> None:
        self._hub = gevent.get_hub()
        self._watchers: dict[int, Any] = {}

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch one more."""
        self._watchers[fd] = self._hub.loop.io(fd, _GEVENT_READ if eventmask == READABLE else _GEVENT_WRITE)

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Watch one for something else."""
        self.unregister(fd)
        self.register(fd, eventmask)

    def unregister(self, fd: int, /) -> None:
        """Watch one no more."""
        self._watchers.pop(fd).close()

    def wait_for(self) -> None:
        """Return when the one socket is ready."""
        (watcher,) = self._watchers.values()
        self._hub.wait(watcher)

    def poll(self, timeout: float, maxevents: int, /) -> list[tuple[int, int]]:
        """Greenlets wait one by one."""
        raise NotImplementedError

    wait = poll


class GreenletSystem(RealSystem):
    """The machine's clock and network, for one user among many in a process."""

    def readiness(self) -> GreenletReadiness:
        """The user's own."""
        return GreenletReadiness()


class FastClient:
    """This project's connection: the bytes of a request are made once, and known answers are not parsed."""

    def __init__(
        self, base_url: str, name: str, requests: Sequence[PreparedRequest], request_event: EventHook, timeout_s: float
    ) -> None:
        self._target = LoadedTarget(TargetOrder(id=name, base_url=base_url, requests=tuple(requests)), GreenletSystem())
        self._target.choose_place(int(timeout_s * 1e9))
        self._connection = Connection(self._target)
        self._readiness: GreenletReadiness = self._target.readiness  # type: ignore[assignment]  # GreenletSystem's
        self._timeout_s = timeout_s
        self._clock = self._target.system.clock
        self._fire: Any = request_event.fire
        self._name = name
        self._paths = [request.path for request in requests]
        self._methods = [request.method for request in requests]

    def ask(self, number: int, *, due_ns: int = 0) -> None:
        """One exchange, and one event."""
        connection, error = self._connection, None
        connection.request = self._target.requests[number]
        sent_ns = self._clock()
        try:
            answer = self._answer()
        except TRANSPORT_ERRORS as failure:
            self._target.failed(failure)
            answer, error = None, FailedExchangeError(f"no answer: {self._target.failure}")
        except gevent.Timeout:
            answer, error = None, FailedExchangeError(f"no whole answer within {self._timeout_s:g} s")
        if answer is not None and answer.error is not ErrorKind.NONE:
            wrong = f"status {answer.status}" if answer.error is ErrorKind.STATUS else "a wrong body"
            error = FailedExchangeError(wrong)
        if answer is None or not answer.keep_alive:
            connection.close()
        done_ns = answer.done_ns if answer else self._clock()
        self._fire(
            request_type=self._methods[number],
            name=self._name,
            response_time=(done_ns - (due_ns or sent_ns)) / 1e6,
            response_length=answer.bytes_in if answer else 0,
            exception=error,
            context={
                "due_ns": due_ns or sent_ns,
                "sent_ns": sent_ns,
                "first_ns": answer.first_ns if answer else None,
                "done_ns": done_ns,
            },
            url=self._paths[number],
        )
        if answer is None:
            gevent.sleep(PAUSE_S)

    def _answer(self) -> TimedResponse:
        connection = self._connection
        with gevent.Timeout(self._timeout_s):
            connection.begin()
            while True:
                self._readiness.wait_for()
                if (answer := connection.advance()) is not None:
                    return answer

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()


class StockClient:
    """Locust's FastHttpUser's own client, for comparison: its times, its parsing, its cost."""

    def __init__(
        self, base_url: str, name: str, requests: Sequence[PreparedRequest], request_event: EventHook, timeout_s: float
    ) -> None:
        self._session: Any = FastHttpSession(
            base_url.rstrip("/"),
            request_event,
            None,
            network_timeout=timeout_s,
            connection_timeout=timeout_s,
            max_retries=0,
        )
        self._requests = requests
        self._name = name

    def ask(self, number: int, *, due_ns: int = 0) -> None:
        """One exchange, timed by Locust's client; for how long it was due before that is added."""
        request = self._requests[number]
        late_ms = (REAL_SYSTEM.clock() - due_ns) / 1e6 if due_ns else 0.0
        with self._session.request(
            request.method,
            request.path,
            data=request.body,
            headers=dict(request.headers),
            name=self._name,
            catch_response=True,
        ) as response:
            response.request_meta["response_time"] += late_ms
            if response.status_code == 0:
                response.failure(FailedExchangeError(f"no answer: {response.error}"))
            elif response.status_code != request.expect_status:
                response.failure(FailedExchangeError(f"status {response.status_code}"))
            elif not is_right(bytes(response.content), request.expect_body, request.within):
                response.failure(FailedExchangeError("a wrong body"))
            else:
                response.success()
        if response.status_code == 0:
            gevent.sleep(PAUSE_S)

    def close(self) -> None:
        """Close its connections."""
        self._session.client.clientpool.close()
