"""What a stopped run has and what it lacks: which trials are whole, which are to come, which must not count."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from experiment.journal_records import BegunRecord
from experiment.rounds import Place, look_before, places
from experiment.run_folder import Run

_OF_A_TRIAL: Final = re.compile(r"b\d+-[A-Za-z0-9._@+-]+\.npz(\.partial)?")
"""The names that `loadtests.target_tally` gives to samples: nothing else in their folder is a run's to remove."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What a stopped run has, and what it lacks.

    `done` holds the places whose trial is whole, `left` those to come, `void` those of them of which the journal has a
    part that must not count. `in_flight` is the record of what was begun and never finished. `strays` are samples
    files, whole or torn, of no trial that counts.
    """

    done: frozenset[Place]
    left: tuple[Place, ...]
    void: tuple[Place, ...]
    searched: frozenset[tuple[int, str, str]]
    in_flight: BegunRecord | None
    strays: tuple[Path, ...]


def remainder(run: Run, expected: Mapping[str, AbstractSet[str]]) -> Remainder:
    """What is left of a run, given the targets that each of its scenarios is to be measured on.

    A trial is finished when every one of its targets has its record and its samples. After a look they are the ones
    that it names.
    """
    recorded: dict[Place, set[str]] = defaultdict(set)
    whole: dict[Place, set[str]] = defaultdict(set)
    for trial in run.trials:
        place = (trial.block, trial.scenario)
        recorded[place].add(trial.target)
        if trial.samples is None or zipfile.is_zipfile(run.folder / trial.samples):
            whole[place].add(trial.target)
    planned = places(run.blocks, [scenario.id for scenario in run.scenarios], run.looks)

    def measured_at(place: Place) -> AbstractSet[str]:
        look = look_before(place[0], run.looks)
        return expected[place[1]] if look is None else expected[place[1]] & set(look.scenarios[place[1]])

    # A scenario that no target takes has nothing to measure. Where no target is left at all, that is still to be said.
    asked = any(expected.values())
    done = frozenset(place for place in planned if (own := measured_at(place)) <= whole[place] and (own or asked))
    searched = frozenset((one.block, one.target, one.endpoint) for one in run.capacities)
    kept = {str(one.samples) for one in run.trials if (one.block, one.scenario) in done}
    return Remainder(
        done=done,
        left=tuple(place for place in planned if place not in done),
        void=tuple(place for place in planned if place not in done and recorded[place]),
        searched=searched,
        in_flight=run.begun if run.begun and not _finished(run.begun, done, searched) else None,
        strays=tuple(
            path
            for path in sorted((run.folder / "samples").glob("*"))
            if _OF_A_TRIAL.fullmatch(path.name) and f"samples/{path.name}" not in kept
        ),
    )


def _finished(begun: BegunRecord, done: AbstractSet[Place], searched: AbstractSet[tuple[int, str, str]]) -> bool:
    return (begun.block, begun.scenario) in done or (begun.block, begun.target, begun.endpoint) in searched
