"""One block: fresh processes of every contender, up together, and their interleaved trials."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from experiment import trial_orders
from experiment.capacity_search import Capacity
from experiment.contender import Contender, bring_up, takes
from experiment.cores import harness_out_of_the_way
from experiment.design import Design
from experiment.errors import NothingToMeasureError
from experiment.gating import Gatekeeper
from experiment.journal import Journal
from experiment.journal_records import BegunRecord, BlockRecord, LaunchRecord, PrimedRecord, RefusedRecord
from experiment.meter import Meter
from experiment.priming import WrongAnswerError, answers_to, changed, prime
from loadtests.orders import PreparedRequest, TargetOrder
from loadtests.remote import Generator
from loadtests.resources import listening_here
from loadtests.scenarios import Scenario
from loadtests.trial_record import TrialRecord
from servers.fleet import Fleet
from servers.launch import Server

Primed = Mapping[str, Mapping[str, tuple[PreparedRequest, ...]]]
"""Prepared requests by target and scenario."""


@dataclass(slots=True, kw_only=True)
class Block:
    """One repetition of the whole comparison: the unit that the statistics count.

    `contenders` are all of the design, or those that a look has left open; `words` say where in the run it is,
    `session_began` when by the monotonic clock that was begun or resumed. `refused` are those that must not be
    measured, as far as is known; `answers` has what each server with a model of its own answered at first, and in which
    block; `foreign_pids` are the processes of servers of this machine that somebody else started; `measuring_s` is the
    time under load so far, and `trials` has the seconds and the number of targets of every trial, by scenario.
    """

    number: int
    design: Design
    contenders: tuple[Contender, ...]
    words: str
    session_began: float
    journal: Journal
    generator: Generator
    ceiling_rps: float | None
    gatekeeper: Gatekeeper
    meter: Meter
    refused: set[str]
    answers: dict[str, tuple[int, Mapping[str, str | None]]]
    measuring_s: float = 0.0
    urls: dict[str, str] = field(default_factory=dict)
    foreign_pids: dict[str, tuple[int, ...]] = field(default_factory=dict)
    trials: dict[str, tuple[float, int]] = field(default_factory=dict)

    def run(self, scenarios: Mapping[str, Collection[str]], searches: Sequence[tuple[str, str]]) -> BlockRecord:
        """Launch, judge (in the first block), prime, measure, stop. Raises NothingToMeasureError.

        `scenarios` has the targets that are measured in each, by its id; `searches` are the targets and endpoints whose
        capacity is asked for. What the block took is told without the gate and the searches.
        """
        design = self.design
        began = time.monotonic()
        beside_s, gate_s = 0.0, None
        admitted = self._admitted(self.contenders)
        present = self._chance("targets").sample(admitted, k=len(admitted))
        order = self._chance("scenarios").sample(design.plan.scenarios, k=len(design.plan.scenarios))
        logs = design.folder / "logs" / f"block{self.number}"
        with Fleet(cpus=design.cores.servers, logs=logs) as fleet:
            self._starting(f"starting {len(present)} servers", present)
            self.urls = bring_up(fleet, present, lambda name: self._starting(f"{name} is up", present))
            self.foreign_pids = {one.id: listening_here(self.urls[one.id]) for one in present if one.target is None}
            for one in present:
                self._journal_launch(one, fleet)
            if not self.gatekeeper.done:
                self.meter.judging(self._words("the conformance gate"))
                judging = time.monotonic()
                self.refused |= self.gatekeeper.judge(self.number, present, self.urls, skip_foreign=design.skip_check)
                beside_s = time.monotonic() - judging
                gate_s = round(beside_s / len(present), 3)
                self.meter.judged()
            self._starting("every payload once, against the reference", present)
            requests = self._prime(self._admitted(present))
            if not requests:
                what = (
                    "passed the gate; there is nothing to measure"
                    if self.number == 0
                    else "is left that may be measured"
                )
                raise NothingToMeasureError(f"no target {what}: {self._why()}")
            for scenario in order:
                if wanted := scenarios.get(scenario.id):
                    asked = {name: own for name, own in requests.items() if name in wanted}
                    self._trial(scenario, fleet, asked, planned=len(wanted))
            searching = time.monotonic()
            places = [place for place in searches if place[0] in requests]
            for name, endpoint in self._chance("searches").sample(places, k=len(places)):
                self._search(name, endpoint, fleet, requests[name])
            beside_s += time.monotonic() - searching
            self._starting("stopping the servers", present)
        self.meter.block_done(len(present), planned=len(self.contenders))
        rest_s = time.monotonic() - began - beside_s - sum(took_s for took_s, _ in self.trials.values())
        return BlockRecord(
            block=self.number,
            at_s=round(time.monotonic() - self.session_began, 3),
            target_s=round(rest_s / len(present), 3),
            gate_s=gate_s,
            trial_s={scenario: round(took_s / targets, 3) for scenario, (took_s, targets) in self.trials.items()},
        )

    def _chance(self, *what: str) -> random.Random:
        """A source of its own for each use, so that a resumed run draws for the rest what the whole one would have."""
        return random.Random("/".join(map(str, (self.design.seed, self.number, *what))))  # noqa: S311 - an order, not a secret

    def _seed(self, *what: str) -> int:
        return self._chance(*what).randrange(2**32)

    def _admitted(self, contenders: Sequence[Contender]) -> list[Contender]:
        return [one for one in contenders if one.id not in self.refused]

    def _why(self) -> str:
        """Each reason once, with those whom it keeps out."""
        told: dict[str, list[str]] = {}
        for name, reason in self.gatekeeper.reasons.items():
            told.setdefault(reason, []).append(name)
        return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in told.items())

    def _starting(self, what: str, present: Sequence[Contender]) -> None:
        self.meter.starting(self._words(what), len(present))

    def _say(self, what: str) -> None:
        self.meter.phase(self._words(what))

    def _words(self, what: str) -> str:
        return f"{self.words}: {what}"

    def _prime(self, present: Sequence[Contender]) -> Primed:
        design = self.design
        requests = {}
        own = {design.user_model.name: design.user_model.model} if design.user_model else {}
        for one in present:
            taken = [each for each in design.plan.scenarios if takes(one, each, skip_check=design.skip_check)]
            try:
                found = prime(self.urls[one.id], taken, foreign=one.target is None, user_models=own, route=one.route)
                if one.target is None:
                    self._hold_to_the_first(one.id, found)
                requests[one.id] = found
            except WrongAnswerError as error:
                self.refused.add(one.id)
                self.gatekeeper.tell(one.id, str(error))
                self.journal.append(RefusedRecord(block=self.number, target=one.id, reason=str(error)))
        return requests

    def _hold_to_the_first(self, name: str, found: Mapping[str, tuple[PreparedRequest, ...]]) -> None:
        """Raise WrongAnswerError where a server with its own model answers otherwise than when it was first asked."""
        now = answers_to(request for requests in found.values() for request in requests)
        self.journal.append(PrimedRecord(block=self.number, target=name, answers=now))
        block, first = self.answers.setdefault(name, (self.number, now))
        if (request := changed(first, now)) is not None:
            since = f"since block {self.number + 1} {request} has another one than in block {block + 1}"
            raise WrongAnswerError(f"it changed its answers: {since}")

    def _target(self, name: str, fleet: Fleet, requests: tuple[PreparedRequest, ...]) -> TargetOrder:
        own, log = fleet.pids(name), fleet.log(name)
        pids = own or self.foreign_pids.get(name, ())
        return TargetOrder(id=name, base_url=self.urls[name], requests=requests, pids=pids, launched=bool(own), log=log)

    def _trial(self, scenario: Scenario, fleet: Fleet, requests: Primed, *, planned: int) -> None:
        targets = tuple(
            self._target(name, fleet, theirs[scenario.id]) for name, theirs in requests.items() if scenario.id in theirs
        )
        if not targets:
            self.meter.scenario_done(scenario.id, 0, planned=planned)
            return
        order = trial_orders.of_plan(
            self.design.plan,
            scenario,
            targets,
            seed=self._seed("trial", scenario.id),
            ceiling_rps=self.ceiling_rps,
            out=self.design.folder / "samples",
            label=f"b{self.number}-{scenario.id}",
        )
        names = tuple(target.id for target in targets)
        began = time.monotonic()
        self.journal.append(BegunRecord(block=self.number, scenario=scenario.id, targets=names))
        with self._measuring():
            records = self.generator.trial(
                order, lambda event: self.meter.visit(self.words, scenario.id, len(targets), event)
            )
        self.journal.append(*(self._with_its_end(record, fleet.servers.get(record.target)) for record in records))
        self.trials[scenario.id] = (time.monotonic() - began, len(targets))
        self.meter.scenario_done(scenario.id, len(targets), planned=planned)

    def _with_its_end(self, record: TrialRecord, server: Server | None) -> TrialRecord:
        """A trial's record, and what became of the server in it: its retraces, or how it ended."""
        if server is None:
            return msgspec.structs.replace(record, block=self.number)
        ended, facts = server.ended(), server.metadata() or {}
        return msgspec.structs.replace(
            record,
            block=self.number,
            retraces=facts.get("retraces"),
            reason=f"{record.reason}; {ended}" if record.reason and ended else record.reason,
        )

    def _search(
        self, name: str, endpoint: str, fleet: Fleet, theirs: Mapping[str, tuple[PreparedRequest, ...]]
    ) -> None:
        scenarios = self.design.plan.scenarios
        usual = next((each for each in scenarios if (each.endpoint, each.variant) == (endpoint, None)), None)
        if usual is None or self.design.slo is None:
            return
        search = Capacity(
            generator=self.generator,
            target=self._target(name, fleet, theirs[usual.id]),
            scenario=usual,
            slo=self.design.slo,
            seed=self._seed("search", name, endpoint),
            ceiling_rps=self.ceiling_rps,
            say=self._say,
        )
        self.journal.append(BegunRecord(block=self.number, target=name, endpoint=endpoint))
        with self._measuring():
            found = search.find()
        self.journal.append(msgspec.structs.replace(found, block=self.number))

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        began = time.monotonic()
        with harness_out_of_the_way(self.design.cores):
            yield
        self.measuring_s += time.monotonic() - began

    def _journal_launch(self, one: Contender, fleet: Fleet) -> None:
        server = fleet.servers.get(one.id)
        if server is None:
            return
        metadata = server.metadata()
        startup = (metadata or {}).get("startup", {})
        self.journal.append(
            LaunchRecord(
                block=self.number,
                target=one.id,
                startup_s=round(server.startup_s, 4),
                import_s=startup.get("import_s"),
                load_s=startup.get("load_s"),
                rss_mib=round(server.rss_mib(), 2),
                metadata=metadata,
            )
        )
