"""One block: fresh processes of every contender, up together, and their interleaved trials."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from experiment.capacity_search import Capacity
from experiment.cores import harness_out_of_the_way, share_out
from experiment.errors import FINDING, ExpectedError
from experiment.fleet import Fleet
from experiment.gating import Gatekeeper
from experiment.line_up import Contender, takes
from experiment.meter import Meter
from experiment.priming import WrongAnswerError, prime
from loadtests.orders import LONGEST_SLICE_S, PreparedRequest, TargetOrder, TrialOrder
from loadtests.remote import Generator
from loadtests.scenarios import Scenario

if TYPE_CHECKING:
    from experiment.experiment import Experiment


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One repetition of the whole comparison: the unit that the statistics count."""

    number: int
    experiment: Experiment
    generator: Generator
    ceiling_rps: float | None
    gatekeeper: Gatekeeper
    meter: Meter

    def run(self, scenarios: Sequence[Scenario]) -> None:
        """Launch, judge (in the first block), prime, measure, stop. Raises ExpectedError if nothing may be measured."""
        run = self.experiment
        admitted = self._admitted(run.contenders)
        present = self._chance("targets").sample(admitted, k=len(admitted))
        order = self._chance("scenarios").sample(run.plan.scenarios, k=len(run.plan.scenarios))
        logs = run.folder / "logs" / f"block{self.number}"
        with Fleet(settings=run.settings, cpus=share_out(run.settings.workers).servers, logs=logs) as fleet:
            self._say(f"starting {len(present)} servers")
            fleet.launch(present, lambda name: self.meter.launched(self._words(f"{name} is up")))
            for one in present:
                self._journal_launch(one, fleet)
            if not self.gatekeeper.done:
                self._say("the conformance gate")
                run.refused |= self.gatekeeper.judge(self.number, present, fleet.urls, skip_foreign=run.skip_check)
            self._say("every payload once, against the reference")
            requests = self._prime(self._admitted(present), fleet)
            if not requests:
                raise ExpectedError("no target passed the gate; there is nothing to measure", code=FINDING)
            for scenario in order:
                if scenario in scenarios:
                    self._trial(scenario, fleet, requests)
            searches = [place for place in run.unsearched() if place[0] == self.number and place[1] in requests]
            for _, name, endpoint in self._chance("searches").sample(searches, k=len(searches)):
                self._search(name, endpoint, fleet, requests[name])

    def _chance(self, *what: str) -> random.Random:
        """A source of its own for each use, so that a resumed run draws for the rest what the whole one would have."""
        return random.Random("/".join(map(str, (self.experiment.seed, self.number, *what))))  # noqa: S311 - an order, not a secret

    def _seed(self, *what: str) -> int:
        return self._chance(*what).randrange(2**32)

    def _admitted(self, contenders: Sequence[Contender]) -> list[Contender]:
        return [one for one in contenders if one.id not in self.experiment.refused]

    def _say(self, what: str) -> None:
        self.meter.phase(self._words(what))

    def _words(self, what: str) -> str:
        return f"block {self.number + 1}/{self.experiment.plan.blocks}: {what}"

    def _prime(self, present: Sequence[Contender], fleet: Fleet) -> dict[str, dict[str, tuple[PreparedRequest, ...]]]:
        run = self.experiment
        requests = {}
        given = {run.guest.name: run.guest.model.payloads} if run.guest else {}
        for one in present:
            taken = [each for each in run.plan.scenarios if takes(one, each, skip_check=run.skip_check)]
            try:
                requests[one.id] = prime(fleet.urls[one.id], taken, foreign=one.target is None, given=given)
            except WrongAnswerError as error:
                self.experiment.refused.add(one.id)
                self._journal("refused", target=one.id, reason=str(error), cases=[])
        return requests

    def _trial(
        self,
        scenario: Scenario,
        fleet: Fleet,
        requests: dict[str, dict[str, tuple[PreparedRequest, ...]]],
    ) -> None:
        run = self.experiment
        targets = tuple(
            TargetOrder(id=name, base_url=fleet.urls[name], requests=theirs[scenario.id], pids=tuple(fleet.pids(name)))
            for name, theirs in requests.items()
            if scenario.id in theirs
        )
        if not targets:
            self.meter.scenario_done()
            return
        order = TrialOrder(
            scenario=scenario,
            targets=targets,
            slices=run.plan.slices_of(scenario),
            slice_s=run.plan.slice_s_of(scenario),
            longest_slice_s=max(LONGEST_SLICE_S, run.plan.slice_s_of(scenario)),
            warmup_slices=run.plan.warmup_slices,
            longest_warmup_slices=run.plan.longest_warmup_slices,
            seed=self._seed("trial", scenario.id),
            ceiling_rps=self.ceiling_rps,
            out=str(run.folder / "samples"),
            label=f"b{self.number}-{scenario.id}",
        )
        self._journal("begun", scenario=scenario.id, targets=[target.id for target in targets])
        began = time.monotonic()
        with harness_out_of_the_way(share_out(run.settings.workers)):
            records = self.generator.trial(order, lambda event: self.meter.visit(self.number, scenario.id, event))
        run.measuring_s += time.monotonic() - began
        servers = {record.target: fleet.servers.get(record.target) for record in records}
        about = {name: server.metadata() if server else None for name, server in servers.items()}
        run.journal.append(
            *(
                msgspec.to_builtins(
                    msgspec.structs.replace(record, block=self.number, retraces=facts["retraces"] if facts else None)
                )
                for record in records
                for facts in (about[record.target],)
            )
        )
        self.meter.scenario_done()

    def _search(self, name: str, endpoint: str, fleet: Fleet, theirs: dict[str, tuple[PreparedRequest, ...]]) -> None:
        run = self.experiment
        usual = next((each for each in run.plan.scenarios if (each.endpoint, each.variant) == (endpoint, None)), None)
        if usual is None or run.slo is None:
            return
        search = Capacity(
            generator=self.generator,
            target=TargetOrder(
                id=name, base_url=fleet.urls[name], requests=theirs[usual.id], pids=tuple(fleet.pids(name))
            ),
            scenario=usual,
            slo=run.slo,
            seed=self._seed("search", name, endpoint),
            ceiling_rps=self.ceiling_rps,
            say=self._say,
        )
        self._journal("begun", target=name, endpoint=endpoint)
        began = time.monotonic()
        with harness_out_of_the_way(share_out(run.settings.workers)):
            found = search.find()
        run.measuring_s += time.monotonic() - began
        run.journal.append(msgspec.to_builtins(msgspec.structs.replace(found, block=self.number)))

    def _journal_launch(self, one: Contender, fleet: Fleet) -> None:
        server = fleet.servers.get(one.id)
        if server is None:
            return
        metadata = server.metadata()
        startup = (metadata or {}).get("startup", {})
        self._journal(
            "launch",
            target=one.id,
            startup_s=round(server.startup_s, 4),
            import_s=startup.get("import_s"),
            load_s=startup.get("load_s"),
            rss_mib=round(server.rss_mib(), 2),
            metadata=metadata,
        )

    def _journal(self, kind: str, **facts: Any) -> None:
        self.experiment.journal.append({"kind": kind, "block": self.number, **facts})
