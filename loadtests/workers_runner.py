"""A trial's load shared out among the workers of a master, which load the same target at the same time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Self

import msgspec

from loadtests.clock_offsets import ClockOffset, Ping, compare
from loadtests.master import Master, Message
from loadtests.orders import TrialOrder
from loadtests.runner import LoadSegment, LostWorkerError, SliceOrder, SliceResult, split_load
from loadtests.trial_record import WorkerNode
from loadtests.worker_messages import unpack

PINGS = 8
LEAST_LEAD_NS = 10_000_000
"""Between the order to run and the agreed time, at least; more where messages take longer."""
LEAD_ROUND_TRIPS = 3
GRACE_S = 15.0
"""What a worker may take for an answer beyond slice and drain: collections, connecting, sending samples."""


class WorkersRunner:
    """Loads a trial's targets through several workers, all of which load the same one at the same time."""

    def __init__(self, master: Master, order: TrialOrder, present: Sequence[tuple[str, WorkerNode]]) -> None:
        self._master = master
        self._order = order
        self.segments: tuple[LoadSegment, ...] = split_load(order.scenario.users, len(present))
        self._present = dict(present[: len(self.segments)])
        self._clients = list(self._present)
        self.workers = tuple(self._present.values())
        self._tag = 0
        self._clocks: list[ClockOffset] = []
        self._lead_ns = LEAST_LEAD_NS

    def __enter__(self) -> Self:
        order = msgspec.to_builtins(self._order)
        self._tag = self._master.new_tag()
        for client, segment in zip(self._clients, self.segments, strict=True):
            self._master.tell(client, "trial", self._tag, order=order, segment=msgspec.to_builtins(segment))
        try:
            self._all("ready")
        except BaseException:
            # Nobody else would tell those that are ready already.
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

    def prepare(self, order: SliceOrder) -> None:
        """Let every worker get ready, and compare its clock with ours."""
        self._tag = self._master.new_tag()
        for client in self._clients:
            self._master.tell(client, "prepare", self._tag, slice=msgspec.to_builtins(order))
        self._all("ready")
        self._clocks = []
        slowest_ns = 0
        for client in self._clients:
            pings = [self._ping(client) for _ in range(PINGS)]
            self._clocks.append(compare(pings))
            slowest_ns = max(slowest_ns, *(one.round_trip_ns for one in pings))
        self._lead_ns = max(LEAST_LEAD_NS, LEAD_ROUND_TRIPS * slowest_ns)

    def run(self) -> list[SliceResult]:
        """Let all begin at one time, each told by its own clock, and collect every sample."""
        opens_ns = time.monotonic_ns() + self._lead_ns
        for client, clock in zip(self._clients, self._clocks, strict=True):
            self._master.tell(client, "run", self._tag, opens_ns=opens_ns + clock.offset_ns)
        return [
            self._collect(client, worker, clock)
            for client, worker, clock in zip(self._clients, self.workers, self._clocks, strict=True)
        ]

    def _collect(self, client: str, worker: WorkerNode, clock: ClockOffset) -> SliceResult:
        chunks: list[bytes] = []
        while (heard := self._hear(client, self._tag)).word != "done":
            chunks.append(heard.data["rows"])
        try:
            return unpack(chunks, heard.data, clock)
        except LostWorkerError as error:
            raise LostWorkerError(f"{worker}: {error}") from error

    def _ping(self, client: str) -> Ping:
        tag = self._master.new_tag()
        sent_ns = time.monotonic_ns()
        self._master.tell(client, "ping", tag)
        heard = self._hear(client, tag)
        return Ping(sent_ns=sent_ns, answered_ns=heard.data["clock_ns"], received_ns=heard.at_ns)

    def _all(self, word: str) -> None:
        for client, worker in zip(self._clients, self.workers, strict=True):
            heard = self._hear(client, self._tag)
            if heard.word != word:
                raise LostWorkerError(f"{worker} said {heard.word!r} where {word!r} was its turn")

    def _hear(self, client: str, tag: int) -> Message:
        until_s = time.monotonic() + self._order.longest_slice_s + 2 * self._order.timeout_s + GRACE_S
        return self._master.hear(client, self._present, tag, until_s)
