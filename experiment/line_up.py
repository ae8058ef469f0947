"""Who is measured: the targets of a plan or of a command line, in every way of running them that is asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from addresses.address import Address, AddressError, without_password
from experiment.contender import Contender
from experiment.errors import ExpectedError, usage
from experiment.interpreters import Interpreter
from experiment.journal_records import AT, TWIN, VARIED, NotRunRecord
from experiment.variants import variations
from servers.target import Target, TargetError
from servers.varied_settings import Value

_LONGEST_NAME: Final = 80
_NO_NAME: Final = f"{AT} {VARIED} {TWIN[0]} or comma, nothing that does not print, and {_LONGEST_NAME} signs at most"

_FRAMEWORKS: Final = ("flask", "bottle", "wsgi")
_NATIVE: Final = ("flask-native", "bottle-native")


def _cross(servers: Sequence[str], modes: Sequence[str], frameworks: Sequence[str] = _FRAMEWORKS) -> tuple[str, ...]:
    return tuple(f"{fw}+{server}+{mode}" for server in servers for mode in modes for fw in frameworks)


_EVERYTHING: Final = (
    *_cross(("gunicorn", "waitress", "granian"), ("function", "eager")),
    *_cross(("gunicorn",), ("frozen", "xla", "lite"), ("flask", "bottle")),
    *(f"{native}+{server}" for server in ("gunicorn", "dev") for native in _NATIVE),
    "fastapi-native+uvicorn",
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

MODEL_TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "smoke": ("flask", "bottle", *_cross(("gunicorn",), ("frozen", "xla", "lite"), ("flask",))),
    "quick": (
        *("flask", "bottle", "wsgi", "bottle+granian"),
        *_cross(("gunicorn",), ("frozen", "xla", "lite"), ("flask",)),
        "bottle+granian+lite",
    ),
    **dict.fromkeys(
        ("standard", "full"),
        (
            *_cross(("gunicorn", "waitress", "granian"), ("function",)),
            *_cross(("gunicorn",), ("frozen", "xla", "lite"), ("flask", "bottle")),
            *_cross(("granian",), ("frozen", "xla", "lite"), ("bottle",)),
        ),
    ),
}
"""What a plan measures of a user's own model: every mode that a SavedModel may run in, and no code of the article's."""

Lacks = Callable[[Target], str | None]
"""Why a target cannot serve something; None where it can."""

_GPU_SIGNS: Final = tuple(map(Path, ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")))
"""What a driver for CUDA leaves behind where it is loaded: on Linux, in a container, under WSL."""

NO_GPU: Final = "no GPU"


def contenders(
    plan: str,
    targets: str | None,
    urls: Sequence[str],
    *,
    lacks: Lacks = lambda _target: None,
    under: Sequence[Interpreter] = (),
    vary: Mapping[str, Sequence[Value]] | None = None,
    alone: bool = True,
) -> tuple[Contender, ...]:
    """Everything that one run measures, the first target twice.

    Every target is there under each interpreter of `under` and each combination of the values in `vary`.

    `targets` and each of `urls` come from the command line: comma-separated ids, and NAME=BASE_URL. `lacks` says why a
    target cannot serve what is to be measured. Where `urls` do not stand `alone`, the plan's targets are beside them.
    Such targets are left out, and so are those that need a GPU where there
    is none. Raises ExpectedError for a name that is none, and where nothing remains.
    """
    foreign = [_foreign(text) for text in urls]
    for name, times in Counter(one.id for one in foreign).items():
        if times > 1:
            raise usage(f"--url {name} is given twice", hint="each server has a name of its own")
    wanted = named_targets(plan, targets, urls if alone else ())
    own = [target for target in wanted if _in_the_way(target, lacks) is None]
    if wanted and not own and not foreign:
        lost, reason = wanted[0].id, _in_the_way(wanted[0], lacks)
        raise ExpectedError(f"not run: {lost}: {reason}", hint="no target is left to run; name others with --targets")
    ways = [(one, variation) for one in under or (None,) for variation in variations(vary or {})]
    found = {one.id: one for target in own for one in (_contender(target, *way) for way in ways)}
    found |= {contender.id: contender for contender in foreign}
    first = next(iter(found.values()))
    found[first.id + TWIN] = replace(first, id=first.id + TWIN, twin_of=first.id)
    return tuple(found.values())


def _contender(target: Target, interpreter: Interpreter | None, variation: Mapping[str, Value]) -> Contender:
    settings = "".join(f"{VARIED}{name}={value}" for name, value in variation.items())
    python = f"{AT}{interpreter.name}" if interpreter else ""
    return Contender(id=target.id + settings + python, target=target, interpreter=interpreter, varied=variation)


def named_targets(plan: str, targets: str | None, urls: Sequence[str] = ()) -> list[Target]:
    """The targets that a command line names, or else those of the plan that can run here. Raises ExpectedError."""
    names = [name for name in (targets or "").split(",") if name.strip()]
    if not names and not urls:
        names = [name for name in PLAN_TARGETS[plan] if _lacks(name) is None]
    try:
        return list({target.id: target for target in map(Target.parse, names)}.values())
    except TargetError as error:
        raise usage(str(error), hint="see `python3 bench.py list targets`") from error


def left_out(
    plan: str, targets: str | None, urls: Sequence[str], lacks: Lacks = lambda _target: None
) -> list[NotRunRecord]:
    """What cannot run, with the reason: of the plan's own targets, where none are named, and of all by `lacks`."""
    asked = [
        NotRunRecord(what=target.id, reason=reason)
        for target in named_targets(plan, targets, urls)
        if (reason := _in_the_way(target, lacks)) is not None
    ]
    if targets or urls:
        return asked
    reasons = {name: _lacks(name) for name in PLAN_TARGETS[plan]}
    return [*(NotRunRecord(what=name, reason=reason) for name, reason in reasons.items() if reason), *asked]


def _in_the_way(target: Target, lacks: Lacks) -> str | None:
    return NO_GPU if target.device == "gpu" and not has_gpu() else target.kind.lacks or lacks(target)


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
    return NO_GPU if target.device == "gpu" and not has_gpu() else target.lacks


def _foreign(text: str) -> Contender:
    name, separator, url = text.partition("=")
    hint = "for example --url mine=http://127.0.0.1:8000"
    if not separator or "//" in name:
        raise usage(f"--url {without_password(text)!r} is not NAME=BASE_URL", hint=hint)
    if not _is_name(name):
        raise usage(f"--url: {name[:_LONGEST_NAME]!r} is no name for a server", hint=f"no {_NO_NAME}; {hint}")
    try:
        return Contender(id=name, base_url=str(Address.of(url)))
    except AddressError as error:
        raise usage(f"--url {name}: {error}", hint=hint) from error


def _is_name(text: str) -> bool:
    """Whether a report can call a server so: what tells apart variants, twins and lists stands in no name."""
    printable = text.isprintable() and text.strip() == text and 0 < len(text) <= _LONGEST_NAME
    return printable and not set(text) & {AT, VARIED, TWIN[0], ","}
