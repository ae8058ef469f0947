"""Locust's master, and the workers that have come to it: who is there, who is lost, and a trial shared out among them.

Transport, registration and heartbeats are Locust's (locust.runners.MasterRunner). Its own spawning is not used, because
it moves users from worker to worker when one comes or goes, and a trial wants the same load to its end or none.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec
from gevent.queue import Empty, Queue
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import STATE_MISSING

from loadtests.clocks import Exchange, Reading, compare
from loadtests.orders import TrialOrder, Workforce
from loadtests.parts import Errand, LostWorkerError, Part, Portion, portions
from loadtests.record import WorkerNode
from loadtests.wire import PREFIX, SAME_CODE, TO_MASTER, code_digest, unpack

PINGS = 8
LEAST_LEAD_NS = 10_000_000
"""Between the order to go and the agreed time, at least; more where messages take longer."""
LEAD_ROUND_TRIPS = 3
LOOK_S = 0.2
"""How often a wait looks up whether the worker is still there."""
GRACE_S = 15.0
"""What a worker may take for an answer beyond slice and drain: collections, connecting, sending samples."""


class MusterError(Exception):
    """Too few workers have come, or the wrong ones, or there is no port to come to. The hint says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class WorkerFaultError(Exception):
    """Something failed inside a worker; the message holds its traceback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """One message from a worker, and when it came, in ns."""

    word: str
    at_ns: int
    data: dict[str, Any]


class Master:
    """Listens for workers. Raises MusterError where it cannot."""

    def __init__(self, workforce: Workforce) -> None:
        self._workforce = workforce
        try:
            self._runner: Any = Environment().create_master_runner(workforce.bind, workforce.port)
        except (SystemExit, RPCError) as error:
            # Locust has logged why before it gave up by SystemExit.
            raise MusterError(
                f"cannot listen for workers on {workforce.bind}:{workforce.port}",
                hint="another run may be using the port; choose one with --master-port, an address with --master-bind",
            ) from error
        self._inboxes: dict[str, Queue[_Heard]] = defaultdict(Queue)
        self._hellos: dict[str, dict[str, Any]] = {}
        self._tag = 0
        self._code = code_digest()
        for word in TO_MASTER:
            self._runner.register_message(PREFIX + word, self._hear)

    def close(self) -> None:
        """Send all workers home."""
        self._runner.quit()

    def muster(self) -> list[tuple[str, WorkerNode]]:
        """Locust's ids of the expected number of workers, and the workers.

        Waits for them. Raises MusterError where they do not come in time or run other code than this process.
        """
        until_s = time.monotonic() + self._workforce.timeout_s
        while len(found := self._present()) < self._workforce.expect:
            if time.monotonic() > until_s:
                raise MusterError(
                    f"{len(found)} of {self._workforce.expect} expected workers were there after"
                    f" {self._workforce.timeout_s:g} s",
                    hint="start each with `python bench.py worker --master ADDRESS_OF_THIS_MACHINE"
                    f" --master-port {self._workforce.port}`; does a firewall let it through?",
                )
            self._sleep()
        return found[: self._workforce.expect]

    def troupe(self, order: TrialOrder) -> Troupe:
        """A stage on which the mustered workers make a trial's visits. Raises MusterError as above."""
        return Troupe(self, order, self.muster())

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

    def hear(self, client: str, troupe: Mapping[str, WorkerNode], tag: int, until_s: float) -> _Heard:
        """The next message of that tag from one of a troupe.

        Raises LostWorkerError where there can be none, or where another one is lost meanwhile; WorkerFaultError.
        """
        worker = troupe[client]
        while True:
            try:
                heard: _Heard = self._inboxes[client].get(timeout=LOOK_S)
            except Empty:
                for each, its in troupe.items():
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
            self._inboxes[msg.node_id].put(_Heard(word=word, at_ns=now_ns, data=msg.data))

    def _present(self) -> list[tuple[str, WorkerNode]]:
        """Those that are there, in the order in which they first came."""
        found = []
        for client, hello in self._hellos.items():
            if self.missed(client) is not None:
                continue
            number = self._runner.get_worker_index(client) + 1
            if hello["code"] != self._code:
                self.tell(client, "refused", self.new_tag())
                raise MusterError(
                    f"worker {number} ({hello['host']}) runs other code than this machine", hint=SAME_CODE
                )
            told = {"id": number, "host": hello["host"], "calibration": hello["calibration"]}
            found.append((client, msgspec.convert(told, WorkerNode)))
        return sorted(found, key=lambda one: one[1].id)

    @staticmethod
    def _sleep() -> None:
        time.sleep(LOOK_S)  # Locust has patched it: others run meanwhile.


class Troupe:
    """A stage of several workers, all of which visit the same target at the same time."""

    def __init__(self, master: Master, order: TrialOrder, present: Sequence[tuple[str, WorkerNode]]) -> None:
        self._master = master
        self._order = order
        self.portions: tuple[Portion, ...] = portions(order.scenario.users, len(present))
        self._troupe = dict(present[: len(self.portions)])
        self._clients = list(self._troupe)
        self.workers = tuple(self._troupe.values())
        self._tag = 0
        self._clocks: list[Reading] = []
        self._lead_ns = LEAST_LEAD_NS

    def __enter__(self) -> Self:
        order = msgspec.to_builtins(self._order)
        self._tag = self._master.new_tag()
        for client, portion in zip(self._clients, self.portions, strict=True):
            self._master.tell(client, "trial", self._tag, order=order, portion=msgspec.to_builtins(portion))
        try:
            self._all("standing")
        except BaseException:
            # Nobody else would tell those that stand already.
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            if self._master.missed(client) is None:
                self._master.tell(client, "end", self._master.new_tag())

    def probe(self, target: int) -> str | None:
        """One exchange from each worker, one after the other: some servers take one connection at a time."""
        found = []
        for client, worker in zip(self._clients, self.workers, strict=True):
            self._tag = self._master.new_tag()
            self._master.tell(client, "probe", self._tag, target=target)
            if (lost := self._hear(client, self._tag).data["lost"]) is not None:
                found.append(f"{worker}: {lost}")
        return found[0] if found else None

    def prepare(self, errand: Errand) -> None:
        """Let every worker stand ready, and compare its clock with ours."""
        self._tag = self._master.new_tag()
        for client in self._clients:
            self._master.tell(client, "prepare", self._tag, errand=msgspec.to_builtins(errand))
        self._all("standing")
        self._clocks = []
        slowest_ns = 0
        for client in self._clients:
            exchanges = [self._ping(client) for _ in range(PINGS)]
            self._clocks.append(compare(exchanges))
            slowest_ns = max(slowest_ns, *(one.round_trip_ns for one in exchanges))
        self._lead_ns = max(LEAST_LEAD_NS, LEAD_ROUND_TRIPS * slowest_ns)

    def go(self) -> list[Part]:
        """Let all begin at one time, each told by its own clock, and bring home every sample."""
        opens_ns = time.monotonic_ns() + self._lead_ns
        for client, clock in zip(self._clients, self._clocks, strict=True):
            self._master.tell(client, "go", self._tag, opens_ns=opens_ns + clock.offset_ns)
        return [
            self._bring_home(client, worker, clock)
            for client, worker, clock in zip(self._clients, self.workers, self._clocks, strict=True)
        ]

    def _bring_home(self, client: str, worker: WorkerNode, clock: Reading) -> Part:
        chunks: list[bytes] = []
        while (heard := self._hear(client, self._tag)).word != "home":
            chunks.append(heard.data["rows"])
        try:
            return unpack(chunks, heard.data, clock)
        except LostWorkerError as error:
            raise LostWorkerError(f"{worker}: {error}") from error

    def _ping(self, client: str) -> Exchange:
        tag = self._master.new_tag()
        sent_ns = time.monotonic_ns()
        self._master.tell(client, "ping", tag)
        heard = self._hear(client, tag)
        return Exchange(sent_ns=sent_ns, answered_ns=heard.data["clock_ns"], received_ns=heard.at_ns)

    def _all(self, word: str) -> None:
        for client, worker in zip(self._clients, self.workers, strict=True):
            heard = self._hear(client, self._tag)
            if heard.word != word:
                raise LostWorkerError(f"{worker} said {heard.word!r} where {word!r} was its turn")

    def _hear(self, client: str, tag: int) -> _Heard:
        until_s = time.monotonic() + self._order.longest_slice_s + 2 * self._order.timeout_s + GRACE_S
        return self._master.hear(client, self._troupe, tag, until_s)
