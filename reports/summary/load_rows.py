"""The rows of a summary that come from load: cells, their comparisons, and what follows from both.

`lines` are the journal's lines from which a row's figures come, from 1.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from reports.summary.measures import BlockFigures, Interval, JsonObject, Median, Percentiles

Lines: TypeAlias = list[int]


class ResultRow(Struct, frozen=True, kw_only=True):
    """One cell: a target under a scenario, over all its blocks.

    `law` is the law of arrival as the scenario's id has it, `load` the same for a reader; `variant` the encoding where
    it is not the endpoint's usual one. `trials` counts those that are used; `reason` tells of the others.
    """

    target: str
    endpoint: str
    scenario: str
    users: int
    variant: str | None
    arrival: str
    law: str
    load: str
    trials: int
    requests: int
    errors: int
    valid: bool
    reason: str | None
    offered_rps: float | None
    throughput_rps: Median | None
    latency_ms: Percentiles
    response_ms: Percentiles
    steady_samples: int
    unstable_trials: int
    missing_samples: dict[str, int]
    cpu_ms_per_request: float | None
    rss_mib: float | None
    pss_mib: float | None
    threads: float | None
    startup_s: float | None
    context_switches_per_request: float | None
    retraces: int | None
    blocks: list[BlockFigures]
    lines: Lines = []
    left_out_lines: Lines = []

    @property
    def rate(self) -> Median:
        """The throughput in requests a second. Raises ValueError where none was measured."""
        if self.throughput_rps is None:
            raise ValueError(f"{self.target} has no throughput in {self.scenario}")
        return self.throughput_rps

    def by_block(self, figure: str) -> dict[int, float]:
        """The figure of that name in every block that has one."""
        return {one.block: value for one in self.blocks if (value := one.figure(figure)) is not None}

    def latencies(self, kind: str) -> Percentiles:
        """The percentiles of that kind: `latency_ms`, from sent to answered, or `response_ms`, from due to answered."""
        return self.latency_ms if kind == "latency_ms" else self.response_ms


class ComparisonRow(Struct, frozen=True, kw_only=True):
    """The candidate against the baseline in one scenario and metric; a ratio above 1 means that it is faster.

    `figure` is the one of each block that the ratio is of; `throughput_ratio` is what users saw, whoever else was
    on the machine. Without a fair ratio the verdict is `invalid`, with the reason. `family_size` counts the p-values
    that were corrected together, `margin` is the share within which two count as equal. `look` counts the looks at the
    pair as its blocks came in, for all of which `p_adjusted` pays too; the interval has the confidence 1 - `level`.
    `why` tells what stands in the way of a verdict, and `minutes_needed` how long more blocks of it alone take.
    """

    baseline: str
    candidate: str
    axis: str
    endpoint: str
    scenario: str
    users: int
    variant: str | None
    arrival: str
    load: str
    metric: str
    figure: str | None = None
    ratio: float | None = None
    throughput_ratio: float | None = None
    ci95: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    family_size: int | None = None
    blocks: int = 0
    margin: float | None = None
    noise_ci95: Interval | None = None
    blocks_needed: int | None = None
    minutes_needed: int | None = None
    why: str | None = None
    look: int | None = None
    level: float | None = None
    verdict: str
    reason: str | None
    lines: Lines = []

    @property
    def effect(self) -> tuple[float, Interval]:
        """The ratio and its interval. Raises ValueError where there is none."""
        if self.ratio is None or self.ci95 is None:
            raise ValueError(f"{self.candidate} has no ratio to {self.baseline} in {self.scenario}")
        return self.ratio, self.ci95


class FastestRow(Struct, frozen=True, kw_only=True):
    """What is decidedly faster than the run's `baseline` on an endpoint at so many users, most first.

    `level` names those of them that are not decidedly slower than the first. `open` says that some choice is undecided,
    or has no verdict.
    """

    baseline: str
    endpoint: str
    users: int
    faster: list[ComparisonRow]
    level: list[str]
    open: bool


class ToDecide(Struct, frozen=True, kw_only=True):
    """What it takes to decide what is undecided, of so many `pairs`: blocks after those that there are, and minutes.

    Both are None where no number of blocks worth naming would do.
    """

    undecided: int
    pairs: int
    blocks: int | None
    minutes: int | None
    command: str


class NoiseRow(Struct, frozen=True, kw_only=True):
    """A target against itself in one scenario and metric."""

    scenario: str
    metric: str
    ratio: float | None
    ci95: Interval | None
    verdict: str
    reason: str | None


class NoiseSummary(Struct, frozen=True, kw_only=True):
    """What the same code did against itself: the widest interval of the throughput, and every ratio."""

    ratio_ci95: Interval | None
    reach: float | None
    pair: tuple[str, str] | None
    by_scenario: list[NoiseRow]
    lines: Lines = []


class CostRow(Struct, frozen=True, kw_only=True):
    """What a million predictions cost on one target and endpoint, in core hours and, with a price, in money."""

    target: str
    endpoint: str
    scenario: str
    users: int
    throughput_rps: Median | None
    p99_ms: Median | None
    core_hours_per_million: Median
    cost_per_million: Median | None
    lines: Lines = []


class FrameworkCost(Struct, frozen=True, kw_only=True):
    """What a framework adds to bare WSGI, in us a request; `measure` is `latency_us` or `cpu_us`."""

    target: str
    floor: str
    endpoint: str
    scenario: str
    measure: str
    mean: float
    ci95: Interval
    blocks: int
    lines: Lines = []


class BreakEven(Struct, frozen=True, kw_only=True):
    """From which request time on the choice between two frameworks is below a share."""

    slow: str
    fast: str
    endpoint: str
    difference_us: float
    share: float
    request_ms: float
    lines: Lines = []


class SearchRow(Struct, frozen=True, kw_only=True):
    """One search of one block; `probes` and `ladder` are the journal's."""

    block: int
    rate_rps: float | None
    failed_rps: float | None
    saturated_rps: float | None
    probes: list[JsonObject]
    ladder: list[JsonObject]


class CapacityRow(Struct, frozen=True, kw_only=True):
    """The highest rate at which a target keeps its promise `slo` on an endpoint, over `blocks` valid blocks."""

    target: str
    endpoint: str
    slo: str
    rate_rps: Median | None
    saturated_rps: Median | None
    saturated_users: int | None
    blocks: int
    unstable: int
    reason: str | None
    searches: list[SearchRow]
    lines: Lines = []


class EncodingRow(Struct, frozen=True, kw_only=True):
    """One endpoint in another encoding than its usual one, within a target; `ratio` is None for want of blocks."""

    target: str
    endpoint: str
    users: int
    load: str
    encoding: str
    usual_rps: float
    rps: float
    ratio: float | None
    ci95: Interval | None
    blocks: int
    lines: Lines = []


class ChoiceShare(Struct, frozen=True, kw_only=True):
    """The share of the variation between targets that one choice explains."""

    choice: str
    share: float
    ci95: Interval


class WhatMatters(Struct, frozen=True, kw_only=True):
    """The shares of every choice that varies, most first, of one metric, and what no choice explains by itself."""

    metric: str
    cells: int
    shares: list[ChoiceShare]
    unexplained: float
    blocks: int
