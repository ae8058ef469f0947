"""What comes of holding runs against each other, two of them cell by cell or a series of them; printed as JSON too."""

from __future__ import annotations

from msgspec import Struct

from reports.summary.measures import Interval

SCHEMA_VERSION = 1


class RunSide(Struct, frozen=True, kw_only=True):
    """One of the two runs."""

    run_id: str
    folder: str
    plan: str
    started_utc: str
    commit: str | None
    complete: bool
    partial_reason: str | None


class CellRow(Struct, frozen=True, kw_only=True):
    """One cell in both runs: `base` and `new` are medians over blocks, a ratio above 1 means that NEW is faster.

    `figure` is what they and the ratio are of: throughput in core time where both runs kept the books of the cores,
    the throughput that users saw where one did not. Without a fair ratio the verdict is `invalid`, with the reason.
    `blocks` are those of BASE and of NEW.
    """

    target: str
    scenario: str
    endpoint: str
    load: str
    metric: str
    figure: str
    base: float | None = None
    new: float | None = None
    ratio: float | None = None
    ci95: Interval | None = None
    p_value: float | None = None
    p_adjusted: float | None = None
    blocks: tuple[int, int] | None = None
    margin: float | None = None
    noise_ci95: Interval | None = None
    blocks_needed: int | None = None
    verdict: str
    reason: str | None


class RefusedSince(Struct, frozen=True, kw_only=True):
    """A target that NEW refused to measure and BASE did not."""

    target: str
    reason: str


class TargetMove(Struct, frozen=True, kw_only=True):
    """By which ratio a target moved from BASE to NEW, over all its cells; above 1 where it became faster."""

    name: str
    ratio: float
    ci95: Interval


class CommonMove(Struct, frozen=True, kw_only=True):
    """Everything moved the same way by about as much: the median ratio, and that of each witness."""

    ratio: float
    moves: list[TargetMove]


class RunsCompared(Struct, frozen=True, kw_only=True):
    """Two runs against each other, with one verdict for the whole. Places are a target and a scenario.

    `machine_changed` is what all moved by, where that is why the runs differ; `measure_both` are then the commands that
    measure both in one run.
    """

    schema_version: int = SCHEMA_VERSION
    base: RunSide
    new: RunSide
    machine_differences: list[str]
    plan_differences: list[str]
    changes: list[str]
    family_size: int
    cells: list[CellRow]
    only_in_base: list[tuple[str, str]]
    only_in_new: list[tuple[str, str]]
    counts: dict[str, int]
    median_ratio: float | None
    machine_changed: CommonMove | None = None
    measure_both: list[str] = []
    refused_since: list[RefusedSince]
    verdict: str
    reason: str

    @property
    def sides(self) -> dict[str, tuple[RunSide, list[tuple[str, str]]]]:
        """BASE and NEW by name, each with the places that it alone has."""
        return {"BASE": (self.base, self.only_in_base), "NEW": (self.new, self.only_in_new)}


class SeriesPoint(Struct, frozen=True, kw_only=True):
    """One run's figure of a cell: the geometric mean over blocks, with the standard error of its logarithm."""

    run: int
    figure: float
    ci95: Interval
    log_error: float


class SeriesStep(Struct, frozen=True, kw_only=True):
    """A change of level: the first run of the new one, and its ratio to the old, above 1 where it became faster."""

    run: int
    ratio: float
    p_value: float


class Series(Struct, frozen=True, kw_only=True):
    """One cell over the runs; `judged` where they are enough to tell a step."""

    target: str
    scenario: str
    metric: str
    points: list[SeriesPoint]
    steps: list[SeriesStep]
    judged: bool


class SeriesRun(Struct, frozen=True, kw_only=True):
    """One run of a series."""

    run_id: str
    started_utc: str
    commit: str | None
    partial_reason: str | None


class SeriesTarget(Struct, frozen=True, kw_only=True):
    """A target of the series, with its short name."""

    id: str
    framework: str | None
    server: str | None
    mode: str | None
    device: str | None
    twin_of: str | None
    label: str = ""

    @property
    def interpreter(self) -> None:
        """Not told: a series is of one interpreter."""


class LeftOutRun(Struct, frozen=True, kw_only=True):
    """A run that may not stand in the series, and why."""

    run_id: str
    reason: str


class History(Struct, frozen=True, kw_only=True):
    """The series of every cell over the runs, oldest first."""

    schema_version: int = SCHEMA_VERSION
    runs: list[SeriesRun]
    targets: list[SeriesTarget]
    least_runs: int
    series: list[Series]
    left_out: list[LeftOutRun]
