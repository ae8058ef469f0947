"""Locust's master, and the workers that have come to it: who is there, who is lost, and what they say.

Transport, registration and heartbeats are Locust's (locust.runners.MasterRunner). Its own spawning is not used, because
it moves users from worker to worker when one comes or goes, and a trial wants the same load to its end or none.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from gevent.queue import Empty, Queue
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import STATE_MISSING

from loadtests.orders import Workforce
from loadtests.remote import MissingWorkersError
from loadtests.runner import LostWorkerError
from loadtests.trial_record import WorkerNode
from loadtests.worker_messages import PREFIX, SAME_CODE, TO_MASTER, code_digest

LOOK_S = 0.2
"""How often a wait looks up whether the worker is still there."""


class WorkerFaultError(Exception):
    """Something failed inside a worker; the message holds its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message from a worker, and when it came, in ns."""

    word: str
    at_ns: int
    data: dict[str, Any]


class Master:
    """Listens for workers. Raises MissingWorkersError where it cannot."""

    def __init__(self, workforce: Workforce) -> None:
        self._workforce = workforce
        try:
            self._runner: Any = Environment().create_master_runner(workforce.bind, workforce.port)
        except (SystemExit, RPCError) as error:
            # Locust has logged why before it gave up by SystemExit.
            raise MissingWorkersError(
                f"cannot listen for workers on {workforce.bind}:{workforce.port}",
                hint="another run may be using the port; choose one with --master-port, an address with --master-bind",
            ) from error
        self._inboxes: dict[str, Queue[Message]] = defaultdict(Queue)
        self._hellos: dict[str, dict[str, Any]] = {}
        self._tag = 0
        self._code = code_digest()
        for word in TO_MASTER:
            self._runner.register_message(PREFIX + word, self._hear)

    def close(self) -> None:
        """Let all workers go."""
        self._runner.quit()

    def wait_for_workers(self) -> list[tuple[str, WorkerNode]]:
        """Locust's ids of the expected number of workers, and the workers.

        Waits for them. Raises MissingWorkersError where they do not come in time or run other code than this process.
        """
        until_s = time.monotonic() + self._workforce.timeout_s
        while len(found := self._present()) < self._workforce.expect:
            if time.monotonic() > until_s:
                raise MissingWorkersError(
                    f"{len(found)} of {self._workforce.expect} expected workers were there after"
                    f" {self._workforce.timeout_s:g} s",
                    hint="start each with `python bench.py worker --master ADDRESS_OF_THIS_MACHINE"
                    f" --master-port {self._workforce.port}`; does a firewall let it through?",
                )
            self._sleep()
        return found[: self._workforce.expect]

    def missed(self, client: str) -> str | None:
        """Why a worker is not there: it took its leave, or Locust has not heard its heart lately. None where it is."""
        node = self._runner.clients.get(client)
        if node is None:
            return "it has ended"
        return "its heartbeat has stopped" if node.state == STATE_MISSING else None

    def new_tag(self) -> int:
        """A number that no earlier message carries."""
        self._tag += 1
        return self._tag

    def tell(self, client: str, word: str, tag: int, **data: Any) -> None:
        """Send one message."""
        self._runner.send_message(PREFIX + word, {"tag": tag, **data}, client)

    def hear(self, client: str, workers: Mapping[str, WorkerNode], tag: int, until_s: float) -> Message:
        """The next message of that tag from one of a trial's workers.

        Raises LostWorkerError where there can be none, or where another one is lost meanwhile; WorkerFaultError.
        """
        worker = workers[client]
        while True:
            try:
                heard: Message = self._inboxes[client].get(timeout=LOOK_S)
            except Empty:
                for each, its in workers.items():
                    if (why := self.missed(each)) is not None:
                        raise LostWorkerError(f"{its} was lost: {why}") from None
                if time.monotonic() > until_s:
                    raise LostWorkerError(f"{worker} was lost: it lives but does not answer") from None
                continue
            if heard.word == "fault":
                raise WorkerFaultError(f"{worker} reports {heard.data['message']}\n{heard.data['traceback']}")
            if heard.data["tag"] == tag:
                return heard

    def _hear(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002 - Locust's signature
        now_ns = time.monotonic_ns()
        word = msg.type.removeprefix(PREFIX)
        if word == "hello":
            self._hellos[msg.node_id] = msg.data
        else:
            self._inboxes[msg.node_id].put(Message(word=word, at_ns=now_ns, data=msg.data))

    def _present(self) -> list[tuple[str, WorkerNode]]:
        """Those that are there, in the order in which they first came."""
        found = []
        for client, hello in self._hellos.items():
            if self.missed(client) is not None:
                continue
            number = self._runner.get_worker_index(client) + 1
            if hello["code"] != self._code:
                self.tell(client, "refused", self.new_tag())
                raise MissingWorkersError(
                    f"worker {number} ({hello['host']}) runs other code than this machine", hint=SAME_CODE
                )
            told = {"id": number, "host": hello["host"], "calibration": hello["calibration"]}
            found.append((client, msgspec.convert(told, WorkerNode)))
        return sorted(found, key=lambda one: one[1].id)

    @staticmethod
    def _sleep() -> None:
        time.sleep(LOOK_S)  # Locust has patched it: others run meanwhile.
