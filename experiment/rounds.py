"""A run that goes on until it is decided: a look after its planned blocks, a round of blocks for what is open, again.

A round has half as many blocks as there are so far, or what the time allows: few looks, each with much more data, since
every look takes its share of the error that all of them may make (`reports/looks.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from experiment.journal_records import BLOCKS, DECIDED, BlockRecord, EndRecord, JournalRecord, LookRecord, ResumedRecord
from experiment.pace import UNKNOWN_PACE, UsualPace
from experiment.progress import plural
from loadtests.plans import Plan

Place = tuple[int, str]
"""A block and a scenario's id: where one trial of all targets together belongs."""

LEAST_BLOCKS: Final = 2
MOST_BLOCKS: Final = 1000

_QUICK: Final = "quick"
"""The plan of who wants an answer in minutes."""

_AT_MOST_S: Final = {_QUICK: 360.0}
_USUAL_AT_MOST_S: Final = 1200.0

_DRAWING_S: Final = 10.0
"""The report is drawn after the last block, and counts in the time of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """When a run is to be over, as far as somebody has said so: `blocks` in all, then `until`, within `at_most_s`."""

    blocks: int | None = None
    until: str | None = None
    at_most_s: float | None = None

    def begun(self, plan: str) -> Stopping:
        """All that was left open, for a run of that plan that is begun."""
        return self._settled(plan, DECIDED if plan == _QUICK else BLOCKS)

    def resumed(self, plan: str) -> Stopping | None:
        """The same for a run that goes on; None where nothing was said, so that all stays as it was."""
        return None if self == Stopping() else self._settled(plan, BLOCKS)

    def _settled(self, plan: str, usual: str) -> Stopping:
        until = self.until or usual
        limit_s = self.at_most_s or _AT_MOST_S.get(plan, _USUAL_AT_MOST_S)
        return Stopping(blocks=self.blocks, until=until, at_most_s=limit_s if until == DECIDED else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPair:
    """A comparison in one scenario that is inconclusive so far."""

    baseline: str
    candidate: str
    scenario: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is undecided, of so many `pairs` that are compared with a verdict, each scenario counted."""

    undecided: tuple[OpenPair, ...]
    pairs: int


Ask = Callable[[], Standing]
"""Reads what is in the journal by now, and says how it stands."""


def places(blocks: int, scenarios: Sequence[str], looks: Sequence[LookRecord]) -> list[Place]:
    """Every place that the plan or a look has, in the order in which they are measured."""
    planned = [(block, scenario) for block in range(blocks) for scenario in scenarios]
    return planned + [
        (block, name) for look in looks for block in range(look.block, look.end) for name in look.scenarios
    ]


def more_blocks(
    run_blocks: int, looks: Sequence[LookRecord], total: int, scenarios: Mapping[str, Sequence[str]]
) -> LookRecord:
    """The look of a person who has the planned blocks and those after `looks`, and now wants so many in `total`."""
    so_far = looks[-1].end if looks else run_blocks
    named = {name: tuple(targets) for name, targets in scenarios.items()}
    return LookRecord(number=len(looks) + 1, block=so_far, blocks=total - so_far, scenarios=named)


def look_before(block: int, looks: Sequence[LookRecord]) -> LookRecord | None:
    """The look that a block follows; None for a planned one."""
    return next((look for look in looks if look.block <= block < look.end), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What blocks of this run take: of each target its trial by scenario, and the rest, in seconds."""

    target_s: float
    trial_s: Mapping[str, float]

    @classmethod
    def of(cls, plan: Plan, timings: Sequence[BlockRecord], usual: UsualPace = UNKNOWN_PACE) -> Pace:
        """The slowest seen of each: the run is to end within its time. Where nothing was seen, what is usual."""
        seen: dict[str, float] = {}
        for one in timings:
            seen |= {name: max(took_s, seen.get(name, 0.0)) for name, took_s in one.trial_s.items()}
        expected = {scenario.id: plan.trial_s(scenario) * usual.load_ratio for scenario in plan.scenarios}
        return cls(target_s=max((one.target_s for one in timings), default=usual.target_s), trial_s=expected | seen)

    def block_s(self, scenarios: Mapping[str, Sequence[str]]) -> float:
        """Seconds of a block of those targets by scenario."""
        targets = {name for names in scenarios.values() for name in names}
        load_s = sum(len(names) * self.trial_s[scenario] for scenario, names in scenarios.items())
        return len(targets) * self.target_s + load_s


def asked_again(
    pairs: Iterable[OpenPair], targets: Sequence[str], twins: AbstractSet[str]
) -> dict[str, tuple[str, ...]]:
    """Which of `targets` more blocks need for these pairs, by scenario: the sides of a pair, and with them the `twins`.

    The twins are one code under two names; without them the noise floor would not be known.
    """
    open_in: dict[str, set[str]] = {}
    for pair in pairs:
        open_in.setdefault(pair.scenario, set(twins)).update((pair.baseline, pair.candidate))
    return {name: tuple(one for one in targets if one in those) for name, those in open_in.items()}


def next_look(
    looks: Sequence[LookRecord],
    *,
    blocks: int,
    standing: Standing,
    targets: Sequence[str],
    twins: AbstractSet[str],
    pace: Pace,
    left_s: float | None,
) -> LookRecord:
    """What follows from how it stands, given `blocks` so far and the seconds that are left, None for any number.

    Those of `targets` are measured that `asked_again` names for what is undecided.
    """
    record = LookRecord(
        number=len(looks) + 1, block=blocks, blocks=0, undecided=len(standing.undecided), pairs=standing.pairs
    )
    scenarios = asked_again(standing.undecided, targets, twins)
    if not scenarios:
        return replace(record, reason="nothing is undecided")
    block_s = pace.block_s(scenarios)
    count = min((blocks + 1) // 2, MOST_BLOCKS - blocks)
    if count < 1:
        return replace(record, reason=f"{MOST_BLOCKS} blocks are the most that a run has")
    if left_s is not None:
        count = min(count, int(max(0.0, left_s - _DRAWING_S) // block_s))
        if not count:
            left = f"{max(0.0, left_s):.0f} s are left, of which the report takes some"
            return replace(record, reason=f"another block would take about {block_s:.0f} s; {left}")
    return replace(record, blocks=count, scenarios=scenarios)


def standing_in_words(look: LookRecord) -> str:
    """`undecided: 3 of 24 pairs`."""
    if look.undecided is None:
        return "more blocks"
    return f"undecided: {look.undecided} of {plural(look.pairs or 0, 'pair')}"


def spent_s(records: Sequence[JournalRecord]) -> float:
    """Seconds that the run has taken since it was begun or, if later, was last given a time.

    Of a session that was killed those until its last whole block, for nobody wrote down when it was killed.
    """
    before_s = session_s = 0.0
    for record in records:
        if isinstance(record, BlockRecord):
            session_s = record.at_s
        elif isinstance(record, EndRecord):
            session_s = record.wall_s or session_s
        elif isinstance(record, ResumedRecord):
            before_s = 0.0 if record.at_most_s is not None else before_s + session_s
            session_s = 0.0
    return before_s + session_s
