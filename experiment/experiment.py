"""One run: blocks of fresh processes, the gate, priming, interleaved trials; each fact journalled as it is known."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import msgspec

from experiment.block import Block
from experiment.ceiling import joint_ceiling, measure_ceiling
from experiment.design import Design
from experiment.errors import ExpectedError
from experiment.gating import Gatekeeper
from experiment.journal import Journal
from experiment.journal_records import EndRecord
from experiment.meter import Meter
from experiment.progress import Terminal, plural
from experiment.remnants import mark
from loadtests.remote import Generator, GeneratorError
from loadtests.scenarios import Scenario
from loadtests.trial_record import CeilingRecord


@dataclass(slots=True, kw_only=True)
class Experiment:
    """A design, and how far it has come. `done` holds the (block, scenario id) pairs that a resumed run has.

    `searched` holds the (block, target, endpoint) that have a capacity. `complete` says that the journal has the
    planned end already.
    """

    design: Design
    terminal: Terminal
    journal: Journal
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
        mark(self.design.folder)
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
                    EndRecord(
                        complete=reason is None,
                        reason=reason,
                        wall_s=round(time.monotonic() - started, 3),
                        measuring_s=round(self.measuring_s, 3),
                    )
                )

    def is_over(self) -> bool:
        """Whether all is measured and the journal says so."""
        return self.complete and not self.waiting() and not self.unsearched()

    def waiting(self) -> list[tuple[int, Scenario]]:
        """The trials to come: block and scenario."""
        return [(block, scenario) for block, scenario in self.design.trials() if (block, scenario.id) not in self.done]

    def unsearched(self) -> list[tuple[int, str, str]]:
        """Where a capacity is still to be found: block, target, endpoint."""
        return [
            place for place in self.design.searches() if place not in self.searched and place[1] not in self.refused
        ]

    def _measure(self) -> None:
        design, waiting, unsearched = self.design, self.waiting(), self.unsearched()
        if not waiting and not unsearched:
            return
        with (
            Generator(cpu=next(iter(design.cores.generator), None), workforce=design.workforce) as generator,
            self.terminal.bar("Measuring") as bar,
        ):
            meter = Meter(
                bar,
                design.plan,
                len(design.contenders),
                blocks_left=len({block for block, _ in waiting}),
                scenarios_left=len(waiting),
            )
            if design.workforce:
                meter.phase(f"waiting for {plural(design.workforce.expect, 'worker')} on port {design.workforce.port}")
                ceiling = joint_ceiling(generator.wait_for_workers())
            else:
                meter.phase("what the load generator can do here")
                found = measure_ceiling(generator, design.settings, design.cores.servers, design.folder / "logs")
                ceiling = CeilingRecord(**msgspec.structs.asdict(found))
            self.journal.append(ceiling)
            gatekeeper = Gatekeeper(
                journal=self.journal,
                logs=design.folder / "logs",
                junit=design.folder / "conformance.xml",
                figures=design.figures,
                user_model=design.user_model,
            )
            for number in sorted({block for block, _ in waiting} | {block for block, *_ in unsearched}):
                block = Block(
                    number=number,
                    design=design,
                    journal=self.journal,
                    generator=generator,
                    ceiling_rps=ceiling.ceiling_rps,
                    gatekeeper=gatekeeper,
                    meter=meter,
                    refused=set(self.refused),
                )
                try:
                    block.run(
                        [scenario for at, scenario in waiting if at == number],
                        [(name, endpoint) for at, name, endpoint in unsearched if at == number],
                    )
                finally:
                    self.refused |= block.refused
                    self.measuring_s += block.measuring_s
