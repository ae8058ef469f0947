"""A run folder, read: what its journal says was planned, and what of what happened counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
from msgspec import Meta, Struct

from conformance.finding import GateRecord, ParityRecord
from experiment.foreign_ground import look_over, read_file
from experiment.journal import FILE_NAME, JournalError, read_records
from experiment.journal_records import (
    DECIDED,
    BegunRecord,
    BlockRecord,
    EndRecord,
    JournalRecord,
    LaunchRecord,
    LookRecord,
    PrimedRecord,
    RefusedRecord,
    ResumedRecord,
    RunRecord,
    TargetRecord,
)
from experiment.rounds import spent_s
from loadtests.trial_record import CapacityRecord, CeilingRecord, ScenarioRecord, TrialRecord

LADDER_NAME: Final = "ladder.json"
COUNTS_NAME: Final = "instructions.json"
THINNING_NAME: Final = "thinning.json"

MOST_BLOCKS: Final = 100_000

RecordPlace: TypeAlias = tuple[object, ...]
_Kind = TypeVar("_Kind", bound=JournalRecord)

_PLACE = ("block", "target", "targets", "scenario", "endpoint")


class Run(RunRecord, frozen=True, kw_only=True, dict=True):
    """One run folder. Each place (block, target, scenario, endpoint) has one record of a kind; if resumed, its last.

    `kept_every` is the k where a copy of the run keeps one sample in k. `begun` is what was begun last, and
    `resumptions` tell of when the run went on. `end` is None where the journal has none, or more after it. `until` and
    `at_most_s` are those that it was last asked for, of which `spent_s` seconds are over.
    `lines` are the numbers of the records' lines in the journal by `place_of`; the first is the run record itself.
    """

    folder: Path
    generator: CeilingRecord | None = None
    launches: tuple[LaunchRecord, ...] = ()
    gates: tuple[GateRecord, ...] = ()
    parities: tuple[ParityRecord, ...] = ()
    refusals: tuple[RefusedRecord, ...] = ()
    primed: tuple[PrimedRecord, ...] = ()
    trials: tuple[TrialRecord, ...] = ()
    capacities: tuple[CapacityRecord, ...] = ()
    kept_every: int = 1
    timings: tuple[BlockRecord, ...] = ()
    looks: tuple[LookRecord, ...] = ()
    spent_s: float = 0.0
    begun: BegunRecord | None = None
    resumptions: tuple[ResumedRecord, ...] = ()
    end: EndRecord | None = None
    lines: Mapping[RecordPlace, int] = {}

    @cached_property
    def _cells(self) -> Mapping[tuple[str, str], Sequence[TrialRecord]]:
        """The trials by target and scenario: large runs have thousands, and are asked for a few of them as often."""
        cells: dict[tuple[str, str], list[TrialRecord]] = {}
        for trial in self.trials:
            cells.setdefault((trial.target, trial.scenario), []).append(trial)
        return cells

    def trials_of(self, target: str, scenario: str) -> Sequence[TrialRecord]:
        """The trials of one target under one scenario, in the journal's order."""
        return self._cells.get((target, scenario), ())

    def line_of(self, record: JournalRecord) -> int:
        """The number of the record's line in the journal; 0 for one that is not in it."""
        return self.lines.get(place_of(record), 0)

    @property
    def cuts(self) -> tuple[int, ...]:
        """How many blocks the run has at the end of its plan, and of every round that followed."""
        return (self.blocks, *(look.end for look in self.looks))

    @property
    def looks_again(self) -> bool:
        """Whether the figures are looked at more than once, by the run itself or by who wanted more blocks."""
        return self.until == DECIDED or bool(self.looks)

    @property
    def complete(self) -> bool:
        """Whether the run came to its planned end."""
        return self.end is not None and self.end.complete

    @property
    def partial_reason(self) -> str | None:
        """Why the run is partial; None for a complete one."""
        if self.complete:
            return None
        if self.end is None:
            return "the run was killed or is still going on: its journal has no end"
        return self.end.reason or "the run stopped before its planned end"

    def target(self, identifier: str) -> TargetRecord | None:
        """The target of that id, or None."""
        return next((target for target in self.targets if target.id == identifier), None)

    def scenario(self, identifier: str) -> ScenarioRecord | None:
        """The scenario of that id, or None."""
        return next((scenario for scenario in self.scenarios if scenario.id == identifier), None)


def place_of(record: JournalRecord) -> RecordPlace:
    """The kind of a record and what it is about; of several with one place the last counts."""
    return (type(record), *(getattr(record, name, None) for name in _PLACE))


def read_run(folder: Path) -> Run:
    """The run in `folder`. Where a resumed run measured a place again, only that counts.

    Raises JournalError where the folder holds no journal, or a broken one; ExpectedError where it holds what no run
    writes, or too much of it.
    """
    look_over(folder)
    records = read_records(folder)
    if not records or not isinstance(header := records[0], RunRecord):
        raise JournalError(f"{folder / FILE_NAME} does not start with a run record")
    _refuse_contradictions(folder / FILE_NAME, header, records)
    last = records[-1]
    for asked in (one for one in records if isinstance(one, ResumedRecord) and one.until is not None):
        header = msgspec.structs.replace(header, until=asked.until, at_most_s=asked.at_most_s)
    return Run(
        **msgspec.structs.asdict(header),
        folder=folder,
        generator=next((one for one in reversed(records) if isinstance(one, CeilingRecord)), None),
        launches=_last(records, LaunchRecord),
        gates=_last(records, GateRecord),
        parities=_last(records, ParityRecord),
        refusals=_last(records, RefusedRecord),
        primed=_last(records, PrimedRecord),
        trials=_last(without_void(records), TrialRecord),
        capacities=_last(records, CapacityRecord),
        kept_every=_kept_every(folder),
        timings=_last(records, BlockRecord),
        looks=tuple(one for one in records if isinstance(one, LookRecord)),
        spent_s=spent_s(records),
        begun=last_begun(records),
        resumptions=tuple(one for one in records if isinstance(one, ResumedRecord)),
        # Records after an end mean that a resumed run is not over.
        end=last if isinstance(last, EndRecord) else None,
        lines={place_of(record): number for number, record in enumerate(records[1:], start=2)},
    )


def _refuse_contradictions(path: Path, header: RunRecord, records: Sequence[JournalRecord]) -> None:
    """Raise JournalError where a record is of something that the run record does not name, or of no block."""
    targets, scenarios = ({one.id for one in named} for named in (header.targets, header.scenarios))
    if len(targets) < len(header.targets) or len(scenarios) < len(header.scenarios):
        raise JournalError(f"{path}, line 1: a target or a scenario has the name of another")
    pairs = [name for one in header.comparisons for name in (one.baseline, one.candidate)]
    if stray := ({*pairs, *(one.twin_of for one in header.targets if one.twin_of)} - targets):
        raise JournalError(f"{path}, line 1: {min(stray)!r} is compared and is no target")
    for number, record in enumerate(records[1:], start=2):
        if isinstance(record, RunRecord):
            raise JournalError(f"{path}, line {number}: a second run record")
        for name, known in (("target", targets), ("scenario", scenarios)):
            if (found := getattr(record, name, None)) is not None and found not in known:
                raise JournalError(f"{path}, line {number}: {found!r} is no {name} of the run")
        if not 0 <= getattr(record, "block", 0) <= MOST_BLOCKS:
            raise JournalError(f"{path}, line {number}: there is no block {getattr(record, 'block', 0)}")


def _last(records: Iterable[JournalRecord], kind: type[_Kind]) -> tuple[_Kind, ...]:
    """Of each place the last record of a kind, in the order in which the places were first seen."""
    return tuple({place_of(one): one for one in records if isinstance(one, kind)}.values())


def without_void(records: Iterable[JournalRecord]) -> list[TrialRecord]:
    """The trials that count, in the order written."""
    counting: list[TrialRecord] = []
    for record in records:
        if isinstance(record, TrialRecord):
            counting.append(record)
        elif isinstance(record, ResumedRecord):
            void = {(place.block, place.scenario) for place in record.void}
            counting = [one for one in counting if (one.block, one.scenario) not in void]
    return counting


def last_begun(records: Iterable[JournalRecord]) -> BegunRecord | None:
    """What was begun last since the run was started or resumed: under way, unless its results follow."""
    found: BegunRecord | None = None
    for record in records:
        if isinstance(record, BegunRecord):
            found = record
        elif isinstance(record, ResumedRecord):
            found = None
    return found


class Thinning(Struct, frozen=True, kw_only=True):
    """The note in a copy of a run that keeps every k-th of its nanosecond samples.

    Of each trial every k-th is kept, in the order of their requests, so that no part of a trial is favoured. Figures of
    throughput are in the journal and stay as they were; percentiles are those of the samples that are left.
    """

    kept_every: Annotated[int, Meta(ge=2)]


def _kept_every(folder: Path) -> int:
    """1 where `folder` has all samples of its run, k where it has every k-th. Raises JournalError for a broken note."""
    try:
        content = read_file(folder / THINNING_NAME)
    except FileNotFoundError:
        return 1
    try:
        return msgspec.json.decode(content, type=Thinning).kept_every
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JournalError(f"{folder / THINNING_NAME} is broken: {error}") from error


def thinning_note(every: int) -> bytes:
    """The file's content where every `every`-th sample is left."""
    return msgspec.json.encode(Thinning(kept_every=every)) + b"\n"
