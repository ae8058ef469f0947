"""The ladder's part of a summary: what one request costs on each rung, in us, and where its time goes."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from reports.summary.measures import Interval


class Estimate(Struct, frozen=True, kw_only=True):
    """A figure and its 95 % interval."""

    value: float
    ci95: Interval


class RungRow(Struct, frozen=True, kw_only=True):
    """One variant on one rung; `twin` is not empty where it is measured a second time."""

    mode: str
    endpoint: str
    encoding: str
    rung: str
    framework: str
    twin: str
    us: Estimate


class LadderNoise(Struct, frozen=True, kw_only=True):
    """The same application against its twin: the ratio, and how many calls were paired."""

    ratio: float
    ci95: Interval
    pairs: int


class WaterfallRow(Struct, frozen=True, kw_only=True):
    """Where a request's time goes in one framework; `remainder_us` is what the segments do not add up to."""

    mode: str
    endpoint: str
    encoding: str
    framework: str
    total_us: Estimate
    segments: dict[str, Estimate]
    remainder_us: float
    remainder_share: float
    constant_us: Estimate | None


class ModelThreshold(Struct, frozen=True, kw_only=True):
    """From which model time on a request changes by less than `share`."""

    share: float
    model_us: Estimate


class ModelBreakEven(Struct, frozen=True, kw_only=True):
    """What the candidate instead of the baseline changes of a request, beside its model's time.

    `rest_us` is the baseline's request without its model.
    """

    mode: str
    endpoint: str
    encoding: str
    baseline: str
    candidate: str
    difference_us: Estimate
    model_us: Estimate
    rest_us: Estimate
    request_us: Estimate
    change: Estimate
    thresholds: list[ModelThreshold]


class CountedFunction(Struct, frozen=True, kw_only=True):
    """A Python function: its own bytecodes of one request, and how often it was called."""

    module: str
    function: str
    bytecodes: int
    calls: int


class CountedRow(Struct, frozen=True, kw_only=True):
    """One endpoint of one framework: instructions of one request, and the functions that executed most."""

    framework: str
    endpoint: str
    instructions: int
    bytecodes: int
    python_calls: int
    functions: list[CountedFunction]


class ExactCounts(Struct, frozen=True, kw_only=True):
    """What was counted exactly, or why nothing was."""

    rows: list[CountedRow] | UnsetType = UNSET
    skipped: str | UnsetType = UNSET


class LadderSummary(Struct, frozen=True, kw_only=True):
    """One climb of the ladder."""

    rungs: list[RungRow]
    inconsistent: list[str]
    noise: LadderNoise | None
    waterfalls: list[WaterfallRow]
    break_evens: list[ModelBreakEven]
    instructions: ExactCounts | None
