"""One run: blocks of fresh processes, the gate, priming, interleaved trials; each fact journalled as it is known."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from conformance.case import Reference
from experiment.block import Block
from experiment.ceiling import joint_ceiling, measure_ceiling
from experiment.cores import share_out
from experiment.errors import ExpectedError
from experiment.gating import Gatekeeper
from experiment.journal import Journal
from experiment.line_up import Contender
from experiment.meter import Meter
from experiment.progress import Terminal, plural
from experiment.remnants import mark
from experiment.user_model_setup import GuestModel
from loadtests.orders import Workforce
from loadtests.record import CeilingRecord
from loadtests.remote import Generator, GeneratorError
from loadtests.scenarios import Plan, Scenario
from loadtests.search import Slo
from servers.settings import Settings


@dataclass(slots=True, kw_only=True)
class Experiment:
    """What is measured and how far it has come. `done` holds the (block, scenario id) pairs that a resumed run has.

    `workforce` are the load generators elsewhere, if the load is not this machine's own.
    `slo` asks for each target's capacity too; `searched` holds the (block, target, endpoint) that have one.
    `complete` says that the journal has the planned end already.
    """

    folder: Path
    plan: Plan
    seed: int
    contenders: tuple[Contender, ...]
    settings: Settings
    skip_check: bool
    figures: Reference | None
    terminal: Terminal
    journal: Journal
    guest: GuestModel | None = None
    slo: Slo | None = None
    workforce: Workforce | None = None
    done: frozenset[tuple[int, str]] = frozenset()
    searched: frozenset[tuple[int, str, str]] = frozenset()
    refused: set[str] = field(default_factory=set)
    complete: bool = False
    measuring_s: float = 0.0

    def run(self) -> None:
        """Measure everything that is not done yet; the journal's last line says whether it came to the end."""
        if self.is_over():
            self.journal.close()
            return
        mark(self.folder)
        started = time.monotonic()
        reason: str | None = "the harness failed"
        try:
            self._measure()
            reason = None
        except KeyboardInterrupt:
            reason = "interrupted"
            raise
        except ExpectedError as error:
            reason = str(error)
            raise
        except GeneratorError as error:
            reason = str(error)
            raise ExpectedError(reason, hint=error.hint) from error
        finally:
            with self.journal:
                self.journal.append(
                    {
                        "kind": "end",
                        "complete": reason is None,
                        "reason": reason,
                        "wall_s": round(time.monotonic() - started, 3),
                        "measuring_s": round(self.measuring_s, 3),
                    }
                )

    def is_over(self) -> bool:
        """Whether all is measured and the journal says so."""
        return self.complete and not self.waiting() and not self.unsearched()

    def waiting(self) -> list[tuple[int, Scenario]]:
        """The trials to come: block and scenario."""
        return [
            (block, scenario)
            for block in range(self.plan.blocks)
            for scenario in self.plan.scenarios
            if (block, scenario.id) not in self.done
        ]

    def unsearched(self) -> list[tuple[int, str, str]]:
        """Where a capacity is still to be found: block, target, endpoint. Twins have none of their own."""
        if self.slo is None:
            return []
        endpoints = dict.fromkeys(scenario.endpoint for scenario in self.plan.scenarios)
        return [
            (block, one.id, endpoint)
            for block in range(self.plan.blocks)
            for endpoint in endpoints
            for one in self.contenders
            if one.twin_of is None and one.id not in self.refused and (block, one.id, endpoint) not in self.searched
        ]

    def _measure(self) -> None:
        cores = share_out(self.settings.workers)
        generator_core = cores.generator[0] if cores.generator else None
        waiting = self.waiting()
        if not waiting and not self.unsearched():
            return
        with (
            Generator(cpu=generator_core, workforce=self.workforce) as generator,
            self.terminal.bar("Measuring") as bar,
        ):
            meter = Meter(
                bar,
                self.plan,
                len(self.contenders),
                blocks_left=len({block for block, _ in waiting}),
                scenarios_left=len(waiting),
            )
            if self.workforce:
                meter.phase(f"waiting for {plural(self.workforce.expect, 'worker')} on port {self.workforce.port}")
                ceiling = joint_ceiling(generator.muster())
            else:
                meter.phase("what the load generator can do here")
                found = measure_ceiling(generator, self.settings, cores.servers, self.folder / "logs")
                ceiling = CeilingRecord(**msgspec.structs.asdict(found))
            self.journal.append(msgspec.to_builtins(ceiling))
            gatekeeper = Gatekeeper(
                journal=self.journal,
                settings=self.settings,
                logs=self.folder / "logs",
                junit=self.folder / "conformance.xml",
                figures=self.figures,
                guest=self.guest,
            )
            for number in sorted({block for block, _ in waiting} | {block for block, *_ in self.unsearched()}):
                block = Block(
                    number=number,
                    experiment=self,
                    generator=generator,
                    ceiling_rps=ceiling.ceiling_rps,
                    gatekeeper=gatekeeper,
                    meter=meter,
                )
                block.run([scenario for at, scenario in waiting if at == number])
