"""A broken statistic prints no verdict: it raises where it is worked out, and a run folder of it says `invalid`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_views import journal_lines, write_lines
from synthetic_run import Truth, write_run, write_samples

from experiment.journal import FILE_NAME
from experiment.run_folder import read_run
from reports import latencies, statistics, verdicts
from reports.render import render
from reports.statistics import PairedRatio
from reports.summarising import summarise
from reports.verdicts import NoiseFloor

TRUTH = Truth(samples=100, blocks=3, scenarios=("predict@1",), modes=("function",), native=False)
BOTTLE = "bottle+gunicorn+function+cpu"
SETTLED = {"faster", "slower", "equivalent"}
SOUND = PairedRatio(ratio=1.2, low=1.19, high=1.21, p_value=1e-6, blocks=5, log_sd=0.01)
FLOOR = NoiseFloor(low=0.99, high=1.01)

Record = dict[str, Any]


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("figure", ["ratio", "low", "high", "p_value", "log_sd"])
def test_a_ratio_with_one_broken_figure_is_not_judged(figure: str, broken: float) -> None:
    """Whichever figure of a ratio is not a number, neither judge gives a word for it; the sound one is judged."""
    assert verdicts.judge(SOUND, adjusted_p=1e-6, noise=FLOOR).verdict in SETTLED
    measured = replace(SOUND, **{figure: broken})
    with pytest.raises(ValueError, match="not finite"):
        verdicts.judge(measured, adjusted_p=1e-6, noise=FLOOR)
    with pytest.raises(ValueError, match="not finite"):
        verdicts.judge_noise(measured)


@pytest.mark.parametrize("floor", [NoiseFloor(low=math.nan, high=1.01), NoiseFloor(low=0.99, high=math.nan)])
def test_a_broken_noise_floor_judges_nothing(floor: NoiseFloor) -> None:
    """A noise floor that is not a number is an error, and not a floor of nothing."""
    with pytest.raises(ValueError, match="not finite"):
        verdicts.judge(SOUND, adjusted_p=1e-6, noise=floor)


@pytest.mark.parametrize("worked_out", [statistics.mean_interval, statistics.median_interval])
@pytest.mark.parametrize("values", [[], [1.0], [1.0, math.nan], [1.0, math.inf]])
def test_an_interval_of_nothing_or_of_nan_raises(worked_out: Callable[..., object], values: list[float]) -> None:
    """No value, one value, NaN and infinity have no interval."""
    with pytest.raises(ValueError, match=r"value|finite"):
        worked_out(values)


@pytest.mark.parametrize("raw", [[], [math.nan], [1.5], [-0.1]])
def test_p_values_that_are_none_are_not_corrected(raw: list[float]) -> None:
    """An empty family, NaN and what lies outside 0 to 1 raise."""
    with pytest.raises(ValueError, match=r"value|finite"):
        statistics.holm(raw)


def test_a_percentile_of_nothing_raises() -> None:
    """Without a sample there is no percentile, however many blocks there are."""
    with pytest.raises(ValueError, match="no sample"):
        latencies.pooled_percentile([np.empty(0, dtype=np.int64)] * 3, 0.5)


def _same(record: Record) -> Record:
    return record | {"throughput_rps": 1000.0, "cpu_ms_per_request": 1.0}


FAULTS: dict[str, Callable[[Record], Record | None]] = {
    "no trial at all": lambda _: None,
    "one block": lambda one: one if one["block"] == 0 else None,
    "throughput of zero": lambda one: one | {"throughput_rps": 0.0},
    "no throughput": lambda one: {name: value for name, value in one.items() if name != "throughput_rps"},
    "figures that do not vary": _same,
    "no request": lambda one: one | {"requests": 0, "errors": 3},
    "every trial invalid": lambda one: one | {"valid": False, "reason": "the generator was at 99 % CPU"},
    "not said whether valid": lambda one: {name: value for name, value in one.items() if name != "valid"},
    "one side in other blocks": lambda one: one | {"block": one["block"] + 10} if one["target"] == BOTTLE else one,
}


def _rewritten(folder: Path, change: Callable[[Record], Record | None]) -> Path:
    lines = [change(one) if one["kind"] == "trial" else one for one in journal_lines(folder)]
    write_lines(folder, [one for one in lines if one is not None])
    return folder


def test_the_sound_run_has_verdicts(tmp_path: Path) -> None:
    """Unbroken, the same folder is judged: the tests below take away what would be there."""
    rows = summarise(read_run(write_run(tmp_path / "run", TRUTH))).comparisons
    assert SETTLED & {row.verdict for row in rows}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_with_broken_figures_has_no_verdict(name: str, tmp_path: Path) -> None:
    """Neither summary, page nor Markdown holds a verdict; each comparison with Bottle is invalid and says why."""
    folder = _rewritten(write_run(tmp_path / "run", TRUTH), FAULTS[name])
    report = render(folder)
    summary = json.loads((folder / "summary.json").read_text())
    rows = [
        row
        for row in summary["comparisons"]
        if BOTTLE in (row["baseline"], row["candidate"]) and row["metric"] == "throughput"
    ]
    assert all(row["verdict"] == "invalid" and row["reason"] and row["ratio"] is None for row in rows)
    assert bool(rows) is (name != "no trial at all")
    for text in (report.read_text(), report.with_name("summary.md").read_text()):
        assert "nan" not in text.replace("nan-refused", "").lower().split()
    assert "Bottle serves" not in summary["headline"]


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "-Infinity"])
def test_a_journal_with_a_figure_that_is_no_number_is_not_drawn(figure: str, tmp_path: Path) -> None:
    """NaN written by another hand is an error with its line, and no report."""
    folder = write_run(tmp_path / "run", TRUTH)
    path = folder / FILE_NAME
    path.write_text(path.read_text().replace('"retraces":0', f'"retraces":{figure}', 1))
    with pytest.raises(ValueError, match="line"):
        render(folder)
    assert not (folder / "report.html").exists()


def test_a_journal_with_a_throughput_below_zero_is_not_drawn(tmp_path: Path) -> None:
    """No clock and no counter gives one: an error with its line, and no report."""
    folder = _rewritten(write_run(tmp_path / "run", TRUTH), lambda one: one | {"throughput_rps": -5.0})
    with pytest.raises(ValueError, match=r"line .*>= 0"):
        render(folder)
    assert not (folder / "report.html").exists()


def test_samples_without_a_steady_one_give_no_latency(tmp_path: Path) -> None:
    """A samples file with nothing to count has no percentile and no latency verdict; the throughput stays."""
    folder = write_run(tmp_path / "run", TRUTH)
    for path in (folder / "samples").glob("*bottle*"):
        write_samples(path, np.array([5_000_000], dtype=np.int64), users=1)
        with np.load(path) as arrays:
            emptied = {name: values[:0] for name, values in arrays.items()}
        np.savez(path, **emptied)  # type: ignore[arg-type]
    summary = summarise(read_run(folder))
    cell = next(row for row in summary.results if row.target == BOTTLE)
    assert cell.throughput_rps
    assert not cell.latency_ms.told
    rows = [row for row in summary.comparisons if BOTTLE in (row.baseline, row.candidate)]
    assert {row.verdict for row in rows if row.metric == "latency_p50"} == {"invalid"}
