"""What a million predictions cost: worked out from CPU time, in the reader's currency, and never made up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from synthetic_run import Truth, true_rate, write_run

import bench
from experiment.journal import FILE_NAME
from experiment.run_folder import read_run
from reports import costs
from reports.render import render
from reports.summarising import summarise
from reports.summary import Summary, read_summary
from reports.summary.load_rows import CostRow

TRUTH = Truth(samples=60, blocks=3, scenarios=("predict@1", "predict@16"), modes=("function",), native=False)
FLASK = "flask+gunicorn+function+cpu"
CPU_MS_TIMES_RATE = 960.0
"""In the synthetic run a request costs 960 ms over its rate."""


def _cost(summary: Summary, target: str) -> CostRow:
    (row,) = (one for one in summary.costs if one.target == target)
    return row


def test_the_cost_is_cpu_time_at_the_price(tmp_path: Path) -> None:
    """A million requests of so many CPU milliseconds are core hours, and at a price an hour their cost, within 2 %."""
    run = read_run(write_run(tmp_path / "run", replace(TRUTH, drift_sd=0.001, noise_sd=0.001)))
    summary = summarise(run, 0.05)
    target = next(one for one in summary.targets if one.id == FLASK)
    cpu_ms = CPU_MS_TIMES_RATE / true_rate(structs.asdict(target), "predict@16", TRUTH)
    row = _cost(summary, FLASK)
    assert row.scenario == "predict@16"
    assert row.core_hours_per_million.median == pytest.approx(cpu_ms / 3.6, rel=0.02)
    cost = row.cost_per_million
    assert cost
    assert cost.median == pytest.approx(0.05 * cpu_ms / 3.6, rel=0.02)
    assert cost.ci95
    assert cost.ci95[0] < cost.median < cost.ci95[1]


def test_without_a_price_there_is_no_money(tmp_path: Path) -> None:
    """The page tells core hours, names the option, and no cost."""
    folder = write_run(tmp_path / "run", TRUTH)
    text = render(folder).read_text()
    summary = json.loads((folder / "summary.json").read_text())
    assert {row["cost_per_million"] for row in summary["costs"]} == {None}
    assert "core hours, million" in text
    assert "--price-per-core-hour" in text
    assert "cost, million" not in text


def test_the_price_of_the_run_is_kept_and_may_be_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A price in the journal is used by every drawing; one given to `report` stands for it, on page and Markdown."""
    folder = write_run(tmp_path / "run", TRUTH)
    path = folder / FILE_NAME
    path.write_text(path.read_text().replace('"price_per_core_hour":null', '"price_per_core_hour":0.03', 1))
    first = _cost(summarise(read_run(folder)), FLASK).cost_per_million
    assert bench.main(["report", str(folder), "--price-per-core-hour", "0.06"]) == 0
    capsys.readouterr()
    second = _cost(read_summary(folder), FLASK).cost_per_million
    assert first
    assert second
    assert second.median == pytest.approx(2 * first.median)
    for name in ("report.html", "summary.md"):
        text = (folder / name).read_text()
        assert "0.06" in text
        assert costs.LEFT_OUT in text


def test_a_target_without_cpu_time_has_no_cost(tmp_path: Path) -> None:
    """Of a server whose processes cannot be read the cost is not known, and the page says so."""
    folder = write_run(tmp_path / "run", TRUTH)
    path = folder / FILE_NAME
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["kind"] == "trial" and line["target"] == FLASK:
            line["cpu_ms_per_request"] = None
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = render(folder, 0.05).read_text()
    assert FLASK not in {row["target"] for row in json.loads((folder / "summary.json").read_text())["costs"]}
    assert "not known" in text


@pytest.mark.parametrize("text", ["", "free", "0", "-1", "nan", "inf"])
def test_what_is_no_price_is_usage(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing, words, zero, less, NaN and infinity end with exit code 2 and a hint, before anything is drawn."""
    with pytest.raises(ValueError, match="is not a"):
        costs.read_price(text)
    folder = write_run(tmp_path / "run", TRUTH)
    assert bench.main(["report", str(folder), f"--price-per-core-hour={text}"]) == 2
    assert "--price-per-core-hour" in capsys.readouterr().err
    assert not (folder / "report.html").exists()
