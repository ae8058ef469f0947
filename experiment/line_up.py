"""Who is measured, and who is compared with whom: pairs that differ in one part and in nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Final

from experiment.errors import ExpectedError, usage
from experiment.interpreters import Interpreter
from loadtests.scenarios import Scenario
from servers.target import Target, TargetError

TWIN: Final = "#2"
AT: Final = "@"
"""Before an interpreter's name: `flask+gunicorn+function+cpu@flask23`."""

_FRAMEWORKS: Final = ("flask", "bottle", "wsgi")
_NATIVE: Final = ("flask-native", "bottle-native")


def _cross(servers: Sequence[str], modes: Sequence[str], frameworks: Sequence[str] = _FRAMEWORKS) -> tuple[str, ...]:
    return tuple(f"{fw}+{server}+{mode}" for server in servers for mode in modes for fw in frameworks)


_EVERYTHING: Final = (
    *_cross(("gunicorn", "waitress", "granian"), ("function", "eager")),
    *_cross(("gunicorn",), ("frozen", "xla", "lite"), ("flask", "bottle")),
    *(f"{native}+{server}" for server in ("gunicorn", "dev") for native in _NATIVE),
)

PLAN_TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "smoke": _cross(("gunicorn",), ("function",), ("flask", "bottle")),
    "quick": (
        *_cross(("gunicorn",), ("function",)),
        "flask+gunicorn+eager",
    ),
    "standard": _EVERYTHING,
    "full": _EVERYTHING,
}
"""What each plan measures when no targets are named. Whatever is first runs twice."""

Lacks = Callable[[Target], str | None]
"""Why a target cannot serve something; None where it can."""

_OPTIONAL: Final = {"lite": ("ai_edge_litert", "ai-edge-litert is not installed; the extra `lite` installs it")}
"""Modes that need a package which may be missing: a plan goes on without them, and says so."""

_GPU_SIGNS: Final = tuple(map(Path, ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")))
"""What a driver for CUDA leaves behind where it is loaded: on Linux, in a container, under WSL."""

NO_GPU: Final = "no GPU"

# On each axis, which part differs and what the baseline is: named beforehand, never the winner.
_AXES: Final = (
    ("framework", "framework", "flask", ("bottle",)),
    ("native", "framework", "flask-native", ("bottle-native",)),
    ("floor", "framework", "wsgi", ("flask", "bottle")),
    ("mode", "mode", "eager", None),
    ("server", "server", "gunicorn", None),
    ("device", "device", "cpu", ("gpu",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One measured thing under the name it has in the run: a target of ours, its twin, or a foreign server.

    `interpreter` is what its server runs under, where that tells it from another contender.
    """

    id: str
    target: Target | None = None
    base_url: str | None = None
    twin_of: str | None = None
    interpreter: Interpreter | None = None

    @property
    def judged(self) -> bool:
        """Whether the contract is held against it. Native targets are only observed."""
        return self.target is None or self.target.kind.contract


def takes(one: Contender, scenario: Scenario, *, skip_check: bool) -> bool:
    """Whether a contender is measured in a scenario's encoding.

    Every encoding is taken by who is held to the contract. The article's code, and a foreign server that nobody checks,
    are asked only in the usual ones.
    """
    checked = one.judged and not (one.target is None and skip_check)
    return checked or scenario.variant is None


def contenders(
    plan: str,
    targets: str | None,
    urls: Sequence[str],
    lacks: Lacks = lambda _target: None,
    under: Sequence[Interpreter] = (),
) -> tuple[Contender, ...]:
    """Everything that one run measures, the first target twice, and every target under each interpreter of `under`.

    `targets` and each of `urls` come from the command line: comma-separated ids, and NAME=BASE_URL. `lacks` says why a
    target cannot serve what is to be measured. Such targets are left out, and so are those that need a GPU where there
    is none. Raises ExpectedError for a name that is none, and where nothing remains.
    """
    foreign = [_foreign(text) for text in urls]
    wanted = named_targets(plan, targets, urls)
    own = [target for target in wanted if _in_the_way(target, lacks) is None]
    if wanted and not own and not foreign:
        lost, reason = wanted[0].id, _in_the_way(wanted[0], lacks)
        raise ExpectedError(f"not run: {lost}: {reason}", hint="no target is left to run; name others with --targets")
    found = {one.id: one for target in own for one in _under(target, under)}
    found |= {contender.id: contender for contender in foreign}
    first = next(iter(found.values()))
    found[first.id + TWIN] = replace(first, id=first.id + TWIN, twin_of=first.id)
    return tuple(found.values())


def _under(target: Target, under: Sequence[Interpreter]) -> list[Contender]:
    if not under:
        return [Contender(id=target.id, target=target)]
    return [Contender(id=f"{target.id}{AT}{one.name}", target=target, interpreter=one) for one in under]


def named_targets(plan: str, targets: str | None, urls: Sequence[str] = ()) -> list[Target]:
    """The targets that a command line names, or else those of the plan that can run here. Raises ExpectedError."""
    names = [name for name in (targets or "").split(",") if name.strip()]
    if not names and not urls:
        names = [name for name in PLAN_TARGETS[plan] if _lacks(name) is None]
    try:
        return list({target.id: target for target in map(Target.parse, names)}.values())
    except TargetError as error:
        raise usage(str(error), hint="see `python bench.py list targets`") from error


def left_out(
    plan: str, targets: str | None, urls: Sequence[str], lacks: Lacks = lambda _target: None
) -> list[dict[str, str]]:
    """What cannot run, with the reason: of the plan's own targets, where none are named, and of all by `lacks`."""
    asked = [
        {"what": target.id, "reason": reason}
        for target in named_targets(plan, targets, urls)
        if (reason := _in_the_way(target, lacks)) is not None
    ]
    if targets or urls:
        return asked
    missing = [{"what": name, "reason": reason} for name in PLAN_TARGETS[plan] if (reason := _lacks(name)) is not None]
    return [*missing, *asked]


def _in_the_way(target: Target, lacks: Lacks) -> str | None:
    return NO_GPU if target.device == "gpu" and not has_gpu() else lacks(target)


def has_gpu() -> bool:
    """Whether this machine seems to have a GPU for TensorFlow.

    Cheap and not the last word, for the harness loads no TensorFlow: a target refuses to start on a GPU that TensorFlow
    cannot use, whatever this says.
    """
    return any(sign.exists() for sign in _GPU_SIGNS)


def _lacks(name: str) -> str | None:
    """Why a target of a plan cannot run here; None where it can."""
    try:
        target = Target.parse(name)
    except TargetError as error:
        return str(error)
    package, reason = _OPTIONAL.get(target.mode, ("", ""))
    if target.device == "gpu" and not has_gpu():
        return NO_GPU
    return reason if package and find_spec(package) is None else None


def comparisons(present: Sequence[Contender]) -> list[dict[str, str]]:
    """Every pair that differs in exactly one part, by axis; foreign servers with each other; and the A/A pair."""
    twins = [
        {"baseline": one.twin_of, "candidate": one.id, "axis": "noise"} for one in present if one.twin_of is not None
    ]
    ours = [one for one in present if one.target is not None and one.twin_of is None]
    foreign = [one for one in present if one.target is None and one.twin_of is None]
    return [
        *twins,
        *(pair for axis in _AXES for pair in _pairs(ours, *axis)),
        *_between_interpreters(ours),
        *({"baseline": a.id, "candidate": b.id, "axis": "url"} for a, b in combinations(foreign, 2)),
    ]


def _pairs(
    ours: Sequence[Contender], axis: str, part: str, baseline: str, candidates: tuple[str, ...] | None
) -> list[dict[str, str]]:
    found = []
    for a in ours:
        for b in ours:
            assert a.target is not None  # noqa: S101 - `ours` holds only targets
            assert b.target is not None  # noqa: S101
            left, right = a.target.parts, b.target.parts
            differing = [name for name in left if left[name] != right[name]]
            wanted = candidates is None or right[part] in candidates
            if a.interpreter == b.interpreter and differing == [part] and left[part] == baseline and wanted:
                found.append({"baseline": a.id, "candidate": b.id, "axis": axis})
    return found


def _between_interpreters(ours: Sequence[Contender]) -> list[dict[str, str]]:
    """The same target under two interpreters; the one that was named first is the baseline."""
    return [
        {"baseline": a.id, "candidate": b.id, "axis": "interpreter"}
        for a, b in combinations(ours, 2)
        if a.target == b.target and a.interpreter != b.interpreter
    ]


def _foreign(text: str) -> Contender:
    name, separator, url = text.partition("=")
    if not separator or not name or not url.startswith("http://"):
        raise usage(f"--url {text!r} is not NAME=BASE_URL", hint="for example --url mine=http://127.0.0.1:8000")
    return Contender(id=name, base_url=url.rstrip("/"))
