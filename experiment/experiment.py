"""One run: blocks of fresh processes, the gate, priming, interleaved trials; each fact journalled as it is known."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from experiment.block import Block
from experiment.ceiling import joint_ceiling, measure_ceiling
from experiment.contender import Contender
from experiment.cores import allow_open_files
from experiment.design import Design
from experiment.errors import ExpectedError, in_words
from experiment.gating import Gatekeeper
from experiment.journal import Journal
from experiment.journal_records import DECIDED, BlockRecord, EndRecord, LookRecord
from experiment.meter import Meter
from experiment.pace import learn
from experiment.progress import Terminal, plural
from experiment.remnants import mark
from experiment.rounds import Ask, Pace, look_before, next_look, standing_in_words
from experiment.user_model_setup import known_pace, pace_folder
from loadtests.remote import Generator, GeneratorError
from loadtests.scenarios import Scenario
from loadtests.trial_record import CeilingRecord

_FILES: Final = 128
"""What a server or the generator has open beside its connections, and as many of those as any plan needs."""


@dataclass(slots=True, kw_only=True)
class Experiment:
    """A design, and how far it has come. `done` holds the (block, scenario id) pairs that are measured.

    `searched` holds the (block, target, endpoint) that have a capacity. `complete` says that the journal has the
    planned end already. `answers` is what each server with a model of its own answered at first, and in which block.
    `looks` and `timings` are those of the journal so far. `undecided` is asked what is still open, where the design
    goes on until nothing is; `began` is when the clock of its time began to run, and `spent_s` is what earlier sessions
    have used of it.
    """

    design: Design
    terminal: Terminal
    journal: Journal
    done: frozenset[tuple[int, str]] = frozenset()
    searched: frozenset[tuple[int, str, str]] = frozenset()
    refused: set[str] = field(default_factory=set)
    answers: dict[str, tuple[int, Mapping[str, str | None]]] = field(default_factory=dict)
    complete: bool = False
    looks: list[LookRecord] = field(default_factory=list)
    timings: list[BlockRecord] = field(default_factory=list)
    undecided: Ask | None = None
    began: float = field(default_factory=time.monotonic)
    spent_s: float = 0.0
    measuring_s: float = 0.0
    refused_peers: int = 0

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
        except OSError as error:
            reason = in_words(error)
            raise
        finally:
            self.journal.end(
                EndRecord(
                    complete=reason is None,
                    reason=reason,
                    wall_s=round(time.monotonic() - started, 3),
                    measuring_s=round(self.measuring_s, 3),
                    refused_peers=self.refused_peers,
                )
            )

    def is_over(self) -> bool:
        """Whether all is measured and the journal says so."""
        return self.complete and not self.waiting() and not self.unsearched()

    def waiting(self) -> list[tuple[int, Scenario]]:
        """The trials to come: block and scenario."""
        trials = self.design.trials(self.looks)
        return [(block, scenario) for block, scenario in trials if (block, scenario.id) not in self.done]

    def unsearched(self) -> list[tuple[int, str, str]]:
        """Where a capacity is still to be found: block, target, endpoint."""
        return [
            place for place in self.design.searches() if place not in self.searched and place[1] not in self.refused
        ]

    def _measure(self) -> None:
        design, waiting, unsearched = self.design, self.waiting(), self.unsearched()
        if not waiting and not unsearched:
            waiting = self._next_round()
        if not waiting and not unsearched:
            return
        allow_open_files(_FILES + min(_FILES, max(scenario.users for scenario in design.plan.scenarios)))
        with (
            Generator(
                cpu=next(iter(design.cores.generator), None), workforce=design.workforce, say=self.terminal.say
            ) as generator,
            self.terminal.bar("Measuring") as bar,
        ):
            meter = Meter(
                bar,
                design.plan,
                len(design.contenders),
                blocks_left=len({block for block, _ in waiting}),
                scenarios_left=len(waiting),
                at_most_s=self._at_most_left_s() if design.until == DECIDED else None,
                usual=known_pace(design.user_model),
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
                junit=self._junit(min([one[0] for one in waiting] + [one[0] for one in unsearched])),
                figures=design.figures,
                user_model=design.user_model,
                say=self.terminal.say,
            )
            while waiting or unsearched:
                for number in sorted({block for block, _ in waiting} | {block for block, *_ in unsearched}):
                    block = self._block(number, generator, ceiling.ceiling_rps, gatekeeper, meter)
                    self._run(
                        block,
                        [scenario for at, scenario in waiting if at == number],
                        [(name, endpoint) for at, name, endpoint in unsearched if at == number],
                    )
                waiting, unsearched = self._next_round(), []
                if waiting:
                    look = self.looks[-1]
                    meter.more({name: len(targets) for name, targets in look.scenarios.items()}, look.blocks)

    def _block(
        self, number: int, generator: Generator, ceiling_rps: float | None, gatekeeper: Gatekeeper, meter: Meter
    ) -> Block:
        design, look = self.design, look_before(number, self.looks)
        place = f", {standing_in_words(look)}" if look else f"/{design.plan.blocks}"
        return Block(
            number=number,
            design=design,
            contenders=self._contenders(number),
            words=f"block {number + 1}{place}",
            session_began=self.began,
            journal=self.journal,
            generator=generator,
            ceiling_rps=ceiling_rps,
            gatekeeper=gatekeeper,
            meter=meter,
            refused=set(self.refused),
            answers=self.answers,
        )

    def _contenders(self, number: int) -> tuple[Contender, ...]:
        look = look_before(number, self.looks)
        asked = {name for names in look.scenarios.values() for name in names} if look else set()
        return tuple(one for one in self.design.contenders if look is None or one.id in asked)

    def _junit(self, number: int) -> Path | None:
        """Where the gate of that block writes; None where it would replace what is there by less."""
        path = self.design.folder / "conformance.xml"
        return None if path.exists() and self._contenders(number) != self.design.contenders else path

    def _run(self, block: Block, scenarios: Sequence[Scenario], searches: Sequence[tuple[str, str]]) -> None:
        look = look_before(block.number, self.looks)
        everyone = tuple(one.id for one in block.contenders)
        asked = {scenario.id: look.scenarios[scenario.id] if look else everyone for scenario in scenarios}
        try:
            took = block.run(asked, searches)
        finally:
            self.refused_peers = block.generator.refused_peers
            self.refused |= block.refused
            self.measuring_s += block.measuring_s
        self.journal.append(took)
        self.timings.append(took)
        learn(self.design.plan, self.timings, pace_folder(self.design.user_model))
        self.done |= {(block.number, name) for name in asked}

    def _pace(self) -> Pace:
        return Pace.of(self.design.plan, self.timings, known_pace(self.design.user_model))

    def _at_most_left_s(self) -> float | None:
        """Seconds until the run is to be over; None where nobody said so."""
        if self.design.at_most_s is None:
            return None
        return self.design.at_most_s - (self.spent_s + time.monotonic() - self.began)

    def _next_round(self) -> list[tuple[int, Scenario]]:
        """What follows from a look at the figures so far, in the journal too: the trials to come, or none."""
        design = self.design
        if design.until != DECIDED or self.undecided is None:
            return []
        look = next_look(
            self.looks,
            blocks=self.looks[-1].end if self.looks else design.plan.blocks,
            standing=self.undecided(),
            targets=[one.id for one in design.contenders],
            twins=design.twins,
            pace=self._pace(),
            left_s=self._at_most_left_s(),
        )
        self.journal.append(look)
        self.looks.append(look)
        ended = f"no more blocks: {look.reason}" if look.reason else f"{plural(look.blocks, 'more block')} for them"
        self.terminal.say(f"look {look.number} after {plural(look.block, 'block')}: {standing_in_words(look)}; {ended}")
        return self.waiting()
