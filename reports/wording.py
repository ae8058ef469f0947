"""How targets, endpoints and figures are said: one place, so that text, tables and plots agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from experiment.journal_records import TargetRecord, varied_of
from reports.runs_compared import SeriesTarget
from reports.summary import TargetSummary

PARTS = ("framework", "server", "mode", "device", "interpreter")
FRAMEWORK_NAMES: Mapping[str, str] = {
    "flask": "Flask",
    "bottle": "Bottle",
    "wsgi": "bare WSGI",
    "flask-native": "Flask as it comes",
    "bottle-native": "Bottle as it comes",
    "fastapi-native": "FastAPI as it comes",
}
MODE_NAMES: Mapping[str, str] = {
    "eager": "eager execution",
    "function": "the compiled model",
    "frozen": "the frozen graph",
    "xla": "XLA",
    "lite": "LiteRT",
}
AXIS_TITLES: Mapping[str, str] = {
    "framework": "Framework",
    "floor": "Framework against bare WSGI",
    "mode": "Execution mode",
    "server": "WSGI server",
    "device": "Device",
    "native": "As the article writes it",
    "stack": "Framework as people run it: server and mode differ too",
    "threads": "Request threads",
    "workers": "Worker processes",
    "intra_threads": "TensorFlow's threads within an operation",
    "inter_threads": "TensorFlow's threads between operations",
    "executor": "TensorFlow's executor",
    "batch": "Requests a batch, with the queue and the threads that they need",
    "queue": "Requests that may wait for a batch, with the threads that they need",
    "deadline_ms": "Longest wait for a batch, in ms",
    "keep_alive_s": "Seconds that an idle connection is kept",
    "interpreter": "Interpreter, with what is installed in it",
    "noise": "A/A: the same code twice",
    "url": "Servers given by address",
}
# The parts that are compared on an axis that is not called as the one part that is.
COMPARED: Mapping[str, tuple[str, ...]] = {
    "floor": ("framework",),
    "native": ("framework",),
    "stack": ("framework", "server", "mode"),
}


NamedTarget: TypeAlias = TargetRecord | TargetSummary | SeriesTarget
"""A target as it is named: by its parts, or by its id alone where it has none."""

# A ratio this far from 1 reads better as a factor than as a percentage.
FACTOR_FROM = 1.5


def axis_title(axis: str) -> str:
    """The heading of an axis."""
    return AXIS_TITLES.get(axis, axis.capitalize())


def framework_name(framework: str) -> str:
    """What a framework is called."""
    return FRAMEWORK_NAMES.get(framework, framework)


def part_of(target: NamedTarget, part: str) -> str | None:
    """That part of a target; None where it has none of that name."""
    found: str | None = getattr(target, part, None)
    return found


def part_name(axis: str, target: NamedTarget, beside: NamedTarget | None = None) -> str:
    """What a target is called where `axis` is what differs; whole `beside` a foreign server, which has no parts."""
    if beside is not None and target.framework and not beside.framework:
        mode = "" if target.mode == "function" else f" with {part_name('mode', target)}"
        return f"{framework_name(target.framework)} on {target.server}{mode}"
    if axis == "stack" and target.framework:
        return f"{framework_name(target.framework)} on {target.server} with {part_name('mode', target)}"
    if axis in ("framework", "floor", "native") and target.framework:
        return framework_name(target.framework)
    if axis == "mode" and target.mode:
        return MODE_NAMES.get(target.mode, target.mode)
    return f"{axis} {varied}" if (varied := varied_of(target.id).get(axis)) else str(part_of(target, axis) or target.id)


def conditions(axis: str, target: NamedTarget) -> str:
    """The parts that a comparison keeps equal, e.g. `gunicorn, function, cpu`; empty for a foreign server."""
    compared = COMPARED.get(axis, (axis,))
    kept = [told for part in PARTS if part not in compared and (told := part_of(target, part))]
    return ", ".join([*kept, *_kept_settings(axis, target)])


def _kept_settings(axis: str, target: NamedTarget) -> list[str]:
    return [f"{name} {value}" for name, value in varied_of(target.id).items() if name != axis]


def varying(targets: Sequence[NamedTarget]) -> list[str]:
    """Those parts in which the run's targets differ."""
    return [part for part in PARTS if len({part_of(target, part) for target in targets}) > 1]


def fraction(axis: str, baseline: NamedTarget, candidate: NamedTarget, parts: Sequence[str]) -> str:
    """A comparison as `candidate / baseline` by the compared part, with the other `parts` of the candidate behind."""
    compared = COMPARED.get(axis, (axis,)) if baseline.framework and candidate.framework else PARTS[:3]
    names = [_short(compared, one) for one in (candidate, baseline)]
    kept = [told for part in parts if part not in compared and (told := part_of(candidate, part))]
    return ", ".join([" / ".join(names), *kept, *_kept_settings(axis, candidate)])


def _short(compared: Sequence[str], target: NamedTarget) -> str:
    varied = varied_of(target.id)
    told = (varied.get(part) or part_of(target, part) for part in compared)
    return " ".join(str(one) for one in told if one) or target.id


def labels(targets: Sequence[NamedTarget]) -> dict[str, str]:
    """A short name for every target: its framework, and those parts in which the run's targets differ."""
    kept = ["framework", *(part for part in varying(targets) if part != "framework")]
    found = {}
    for target in targets:
        if not target.framework:
            found[target.id] = target.id
            continue
        parts = [told for part in kept if (told := part_of(target, part))]
        parts += [f"{name}={value}" for name, value in varied_of(target.id).items()]
        found[target.id] = " ".join(parts) + (" (again)" if target.twin_of else "")
    return found


def load(arrival: str, users: int, rates_rps: Sequence[float]) -> str:
    """A scenario's load, for a table: the users of a closed loop, or the rates and law of an open one."""
    if arrival == "closed":
        return str(users)
    rates = "\u2013".join(f"{rate:g}" for rate in rates_rps)
    return f"{rates}/s {arrival}"


def number(value: float | None) -> str:
    """Three significant digits at least, thin spaces between thousands, and a dash where there is none."""
    if value is None:
        return "\u2013"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace("-", "\u2212")


def whole(value: float) -> str:
    """A value without decimals, with a true minus sign."""
    return (
        f"{value:,.0f}".replace(",", "\u202f")
        .replace("-", "\u2212")
        .removeprefix("\u2212" if -0.5 <= value < 0 else "")
    )


def percent(share: float) -> str:
    """A share without its sign: one decimal below 10 %, none above."""
    value = abs(share) * 100
    return f"{value:.1f}".removesuffix(".0") if value < 9.95 else f"{value:.0f}"


def factor(ratio: float) -> str:
    """A ratio as a factor, e.g. `2.1`."""
    return f"{ratio:.2f}" if ratio < 1 else f"{ratio:.1f}"


def _factors(low: float, high: float) -> tuple[str, str]:
    """The ends of an interval as factors, told apart where one decimal would not."""
    ends = (factor(low), factor(high))
    return ends if ends[0] != ends[1] else (f"{low:.2f}", f"{high:.2f}")


def effect(ratio: float, interval: Sequence[float], baseline: str = "") -> str:
    """A decided difference in words: `11 % faster than Flask (10 to 13 %)`, or a factor where it is large."""
    low, high = interval
    if _large(ratio):
        against = f" as {baseline}" if baseline else ""
        return f"{factor(ratio)}\u00d7 as fast{against} ({' to '.join(_factors(low, high))})"
    against = f" than {baseline}" if baseline else ""
    if ratio >= 1:
        return f"{percent(ratio - 1)} % faster{against} ({percent(low - 1)} to {percent(high - 1)} %)"
    return f"{percent(1 - ratio)} % slower{against} ({percent(1 - high)} to {percent(1 - low)} %)"


def signed_change(ratio: float) -> str:
    """A ratio as a signed change, e.g. `+11 %`; a true minus sign (U+2212), and none on a zero."""
    if percent(ratio - 1) == "0":
        return "0 %"
    sign = "+" if ratio >= 1 else "\u2212"
    return f"{sign}{percent(ratio - 1)} %"


def change(ratio: float) -> str:
    """The size of an effect: a factor where it is large, else a signed percentage."""
    return f"{factor(ratio)}\u00d7" if _large(ratio) else signed_change(ratio)


def interval(ratio: float, ends: Sequence[float]) -> str:
    """The interval of `change`, in the unit that the ratio has there."""
    low, high = ends
    if _large(ratio):
        return f"{' to '.join(_factors(low, high))}\u00d7"
    return f"{signed_change(low)} to {signed_change(high)}"


def _large(ratio: float) -> bool:
    return ratio >= FACTOR_FROM or ratio <= 1 / FACTOR_FROM


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def ranges(numbers: Sequence[int]) -> str:
    """Ascending whole numbers, neighbours joined: `3, 7\u20139`; a dash where there is none."""
    runs: list[list[int]] = []
    for number_ in numbers:
        if runs and number_ == runs[-1][-1] + 1:
            runs[-1].append(number_)
        else:
            runs.append([number_])
    if not runs:
        return "\u2013"
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}\u2013{run[-1]}" for run in runs)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table of those rows."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that does not end its cell either."""
    return one_line(text).replace("|", "\\|")


def one_line(text: str) -> str:
    """Text on one line that starts no markup: reasons come from outside."""
    return " ".join(str(text).split()).replace("<", "&lt;")
