"""Interleaved timing: every variant a little at a time, in random order, so that order and drift do not decide.

A *round* calls every variant of a group (one mode, endpoint and encoding) once on every payload, each call timed by
itself after untimed ones: a server that slept through the other variants, or an application whose code has left the
caches, would be measured at up to twice its time. What runs in this process goes payload after payload, the variants in
a new random order for each, so that the calls of two applications lie a millisecond apart. A process of its own is
visited for all payloads in a row. The n-th calls of a group carry the same payload, and pair; the rounds of all groups
are shuffled over the session. Python's garbage collector is off while a round runs and collects between rounds.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from loadtests.ladder.provided import RungCall, Variant, group_of, variant_id

FEWEST_ROUNDS = 12
MOST_ROUNDS = 400
_WARM_NS = 30_000_000
_WARM_SWEEPS = 3
_LEAD_IN = 3

Tell = Callable[[float, float, str], None]
"""So much of so much is done, and what is under way."""


@dataclass(slots=True, kw_only=True)
class Timed:
    """One variant's rounds; `calls_ns` has `payloads` entries a round. `fault` says why it was not timed to the end."""

    variant: Variant
    payloads: int
    calls_ns: list[int] = field(default_factory=list)
    fault: str | None = None

    @property
    def rounds_ns(self) -> list[int]:
        """What each round took: all its payloads together."""
        size = self.payloads
        return [sum(self.calls_ns[start : start + size]) for start in range(0, len(self.calls_ns), size)]


@dataclass(slots=True, kw_only=True)
class _Member:
    """A step, and the variants that its calls time: one, or one a lap."""

    step: RungCall
    timed: list[Timed] = field(default_factory=list)
    fault: str | None = None


@dataclass(slots=True, kw_only=True)
class _Group:
    name: str
    members: dict[int, _Member] = field(default_factory=dict)
    round_ns: float = 0.0

    def rounds(self, seconds: float) -> int:
        """How many rounds fill so many seconds, within bounds; none where there is no time to fill."""
        if not seconds:
            return 0
        return min(MOST_ROUNDS, max(FEWEST_ROUNDS, round(seconds * 1e9 / max(self.round_ns, 1.0))))


def climb(
    variants: Sequence[Variant], steps: Sequence[RungCall], *, seconds: float, seed: int, tell: Tell
) -> dict[str, Timed]:
    """The timings of every variant by its id; about `seconds` for each group.

    Each variant's answers are checked before it is timed; one that is wrong, or that breaks off, has a fault.
    """
    groups: dict[str, _Group] = {}
    for variant, step in zip(variants, steps, strict=True):
        name = group_of(variant)
        group = groups.setdefault(name, _Group(name=name))
        member = group.members.setdefault(id(step), _Member(step=step))
        member.timed.append(Timed(variant=variant, payloads=step.payloads))
    rng = random.Random(seed)  # noqa: S311 - an order, not a secret
    with _quiet_collector():
        for done, group in enumerate(groups.values()):
            tell(0.0, 1.0, f"warming up {group.name} ({done + 1} of {len(groups)})")
            group.round_ns = sum(_warm(member) for member in group.members.values())
        rounds = [group for group in groups.values() for _ in range(group.rounds(seconds))]
        rng.shuffle(rounds)
        total_ns = sum(group.round_ns for group in rounds)
        done_ns = 0.0
        for group in rounds:
            tell(done_ns, total_ns, group.name)
            _round(list(group.members.values()), rng)
            gc.collect()
            done_ns += group.round_ns
        tell(total_ns, total_ns, "")
    return {
        variant_id(timed.variant): timed
        for group in groups.values()
        for member in group.members.values()
        for timed in member.timed
    }


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """No collection inside; what is alive now is not walked by those that are asked for."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def _warm(member: _Member) -> float:
    """Check every answer, warm up, and tell what a round takes with all that belongs to it, in nanoseconds."""
    step, taken_ns = member.step, 0
    try:
        for at in range(step.payloads):
            if not step.agrees(at, _call(step, at)[1]):
                _fail(member, f"payload {at} is answered wrongly")
                return 0.0
        started = time.perf_counter_ns()
        sweeps = 0
        while sweeps < _WARM_SWEEPS or time.perf_counter_ns() - started < _WARM_NS:
            before = time.perf_counter_ns()
            for at in range(step.payloads):
                _call(step, at)
            taken_ns = time.perf_counter_ns() - before
            sweeps += 1
    except OSError as error:
        _fail(member, f"{type(error).__name__}: {error}")
    return taken_ns * (1 + _LEAD_IN / step.payloads if step.outside else 2)


def _round(members: Sequence[_Member], rng: random.Random) -> None:
    inside = [member for member in members if not member.step.outside]
    units = [[member] for member in members if member.step.outside] + ([inside] if inside else [])
    for unit in rng.sample(units, k=len(units)):
        _visit([member for member in unit if member.fault is None], rng)


def _visit(members: Sequence[_Member], rng: random.Random) -> None:
    """One variant in a process of its own, or all that run in this one, through every payload."""
    taken: dict[int, list[tuple[int, Any]]] = {id(member): [] for member in members}
    for at in range(max((member.step.payloads for member in members), default=0)):
        for member in rng.sample(members, k=len(members)):
            lead_in = 1 if not member.step.outside else 0 if at else _LEAD_IN
            try:
                for _ in range(lead_in):
                    _call(member.step, at)
                taken[id(member)].append(_call(member.step, at))
            except OSError as error:
                _fail(member, f"{type(error).__name__}: {error}")
                return
    for member in members:
        _keep(member, taken[id(member)])


def _keep(member: _Member, taken: list[tuple[int, Any]]) -> None:
    for timed in member.timed:
        if member.step.laps:
            lap = member.step.laps.index(timed.variant["rung"])
            timed.calls_ns += [result[0][lap] for _, result in taken]
        else:
            timed.calls_ns += [call_ns for call_ns, _ in taken]


def _call(step: RungCall, at: int) -> tuple[int, Any]:
    """One call: the nanoseconds that it took, and what it gave."""
    ready = step.prepare(at)
    call, clock = step.call, time.perf_counter_ns
    started = clock()
    result = call(ready)
    return clock() - started, result


def _fail(member: _Member, why: str) -> None:
    member.fault = why
    for timed in member.timed:
        timed.fault = why


class ReplayedClock:
    """A timer for pytest-benchmark that is read in pairs: a round's start is 0, its end what the round took.

    pytest-benchmark times one test after the other, so the machine's drift would fall on whichever test it meets. The
    rounds timed here are told again to it, in the order in which they were taken: the test gives the fixture this clock
    and a target that does nothing. Statistics, table, JSON and `compare` are pytest-benchmark's own.
    """

    def __init__(self) -> None:
        self._rounds: Iterator[int] = iter(())
        self._inside = False

    @property
    def __name__(self) -> str:
        """What the JSON calls the timer."""
        return "time.perf_counter_ns, interleaved beforehand"

    def load(self, rounds_ns: Sequence[int]) -> None:
        """The rounds to tell, in nanoseconds."""
        self._rounds = iter(rounds_ns)

    def __call__(self) -> float:
        """Seconds."""
        self._inside = not self._inside
        return 0.0 if self._inside else next(self._rounds) / 1e9
