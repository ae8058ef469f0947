"""Who is compared with whom: pairs that differ in one part and in nothing else, the baseline named beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from experiment.contender import Contender
from experiment.journal_records import ComparisonRecord
from servers.registry import BASELINES, Role

_ANY: Final[frozenset[Role]] = frozenset({"contract", "floor", "native", "null"})
_CONTRACT: Final[frozenset[Role]] = frozenset({"contract"})
_NATIVE: Final[frozenset[Role]] = frozenset({"native"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """A question: the part that differs, and the roles of the frameworks that may be baseline and candidate."""

    name: str
    part: str
    baselines: frozenset[Role] = _ANY
    candidates: frozenset[Role] = _ANY


_AXES: Final = (
    _Axis(name="framework", part="framework", baselines=_CONTRACT, candidates=_CONTRACT),
    _Axis(name="native", part="framework", baselines=_NATIVE, candidates=_NATIVE),
    _Axis(name="floor", part="framework", baselines=frozenset({"floor"}), candidates=_CONTRACT),
    _Axis(name="mode", part="mode"),
    _Axis(name="server", part="server"),
    _Axis(name="device", part="device"),
)

NOISE: Final = "noise"
"""The axis of the A/A pair, which is no question."""

STACK: Final = "stack"
"""A framework as people run it against others as they run those: server and mode may differ too."""

_USUAL: Final = ("flask", "gunicorn", "function")
"""The choice that others are held against as a whole: what most people begin with."""

_STACK_PARTS: Final = frozenset({"framework", "server", "mode"})


def comparisons(present: Sequence[Contender], *, named: bool) -> tuple[ComparisonRecord, ...]:
    """Every pair that differs in exactly one part, by axis; stacks; foreign servers, with each other too; the A/A pair.

    `named` says that a user has named the targets: then every one of them is compared with a stack of another kind,
    where otherwise only those on their usual server and mode are.
    """
    ours = [one for one in present if one.target is not None and one.twin_of is None]
    foreign = [one for one in present if one.target is None and one.twin_of is None]
    varied = list(dict.fromkeys(name for one in ours for name in one.varied))
    axes = (*_AXES, _Axis(name="interpreter", part="interpreter"), *(_Axis(name=name, part=name) for name in varied))
    return (
        *(_pair(one.twin_of, one.id, NOISE) for one in present if one.twin_of is not None),
        *(pair for axis in axes for pair in _pairs(ours, axis)),
        *_stacks(ours, named=named),
        *(_whole(ours) if named else ()),
        *(_pair(a.id, b.id, "url") for a, b in combinations(foreign, 2)),
        *_beside(ours, foreign, named=named),
    )


def _pair(baseline: str, candidate: str, axis: str) -> ComparisonRecord:
    return ComparisonRecord(baseline=baseline, candidate=candidate, axis=axis)


def _pairs(ours: Sequence[Contender], axis: _Axis) -> list[ComparisonRecord]:
    found = []
    for a in ours:
        alike = [one for one in ours if _differing(a, one) <= {axis.part}]
        if a is _baseline([one for one in alike if _role(one) in axis.baselines], axis.part):
            found += [_pair(a.id, b.id, axis.name) for b in alike if b is not a and _role(b) in axis.candidates]
    return found


def _baseline(alike: Sequence[Contender], part: str) -> Contender | None:
    """The declared one, if it is there, else the one that was named first."""
    by_value = {one.parts[part]: one for one in reversed(alike)}
    declared = [by_value[value] for value in BASELINES.get(part, ()) if value in by_value]
    return next(iter([*declared, *alike]), None)


def _stacks(ours: Sequence[Contender], *, named: bool) -> list[ComparisonRecord]:
    """Native targets on servers that take no WSGI application, and what they are held against."""
    found = []
    for a in ours:
        for b in ours:
            assert a.target is not None  # noqa: S101 - `ours` holds only targets
            assert b.target is not None  # noqa: S101
            apart = a.target.kind.native and a.target.kind.interface != "wsgi" == b.target.kind.interface
            asked = _role(b) in _CONTRACT | _NATIVE and (named or b.target.usual)
            if apart and asked and _differing(a, b) <= _STACK_PARTS:
                found.append(_pair(a.id, b.id, STACK))
    return found


def _whole(ours: Sequence[Contender]) -> list[ComparisonRecord]:
    """Every choice as a whole against one: two targets that differ in several parts are compared by no axis."""
    choices = [one for one in ours if _role(one) in _CONTRACT]
    choices.sort(key=lambda one: tuple(one.parts[part] for part in ("framework", "server", "mode")) != _USUAL)
    found = []
    met: set[str] = set()
    for a in choices:
        alike = {b.id: parts for b in choices if b.id not in met and (parts := _differing(a, b)) <= _STACK_PARTS}
        if a.id not in met:
            found += [_pair(a.id, name, STACK) for name, parts in alike.items() if len(parts) > 1]
            met |= set(alike)
    return found


def _beside(ours: Sequence[Contender], foreign: Sequence[Contender], *, named: bool) -> list[ComparisonRecord]:
    """Servers that are up already and have the user's model, each against ours: those on the usual server, or named."""
    usual = [one for one in ours if named or (one.target is not None and one.target.usual)]
    return [_pair(a.id, b.id, "server") for b in foreign if b.route is not None for a in usual or ours]


def _differing(a: Contender, b: Contender) -> set[str]:
    return {name for name, value in a.parts.items() if value != b.parts[name]}


def _role(one: Contender) -> Role:
    assert one.target is not None  # noqa: S101 - foreign servers have no axes
    return one.target.kind.role
