"""Open loops in the report: both latencies of the same requests, and nothing of them in a figure of users."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from run_views import outcome
from synthetic_run import WAIT_NS, Truth, write_run

from experiment.run_folder import read_run
from reports import drawing
from reports.plots import offered_load
from reports.render import render
from reports.summarising import summarise
from reports.summary import read_summary

TRUTH = Truth(scenarios=("predict@16", "predict~poisson200rps"), modes=("function",), native=False, samples=1500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered run with a closed and an open loop, whose last twentieth of requests waited 3 ms to be sent."""
    path = write_run(tmp_path_factory.mktemp("open") / "run", TRUTH)
    render(path)
    return path


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, Any]:
    """Its summary."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def test_both_latencies_of_one_trial_differ_by_what_was_waited(summary: dict[str, Any]) -> None:
    """In the open loop the 99th percentile of response time holds the wait, that of service time does not."""
    (row,) = (
        row
        for row in summary["results"]
        if (row["target"], row["arrival"]) == ("bottle+gunicorn+function+cpu", "poisson")
    )
    service, response = row["latency_ms"]["p99"]["median"], row["response_ms"]["p99"]["median"]
    assert response - service > 0.5 * WAIT_NS / 1e6
    assert row["response_ms"]["p50"]["median"] - row["latency_ms"]["p50"]["median"] < 0.1 * WAIT_NS / 1e6
    assert (row["load"], row["law"], row["offered_rps"]) == ("200/s poisson", "~poisson200rps", 200.0)


def test_the_plot_shows_the_trial_both_ways(folder: Path, summary: dict[str, Any]) -> None:
    """The plot is drawn where there is an open loop, and says both figures in words."""
    drawn = (folder / "plots" / "both_ways.svg").read_text()
    assert "response" in drawn
    assert "/predict, 200/s poisson" in drawn
    assert "The same requests both ways" in (folder / "report.html").read_text()


def test_open_loops_are_compared_by_response_time_alone(summary: dict[str, Any]) -> None:
    """On a schedule all that keep up have one throughput, so none is compared; users are the closed loop's."""
    metrics = {(row["arrival"], row["metric"]) for row in summary["comparisons"]}
    assert metrics == {("closed", "throughput"), ("poisson", "response_p50")}
    assert "16 users" in summary["headline"]
    assert "400" not in summary["headline"]


def test_a_run_of_open_loops_alone_has_an_answer(tmp_path: Path) -> None:
    """Where nothing was measured in a closed loop, the first sentence tells a response time."""
    folder = write_run(tmp_path / "run", Truth(scenarios=("predict~poisson200rps",), modes=("function",), native=False))
    render(folder)
    found = read_summary(folder)
    assert "at 200/s poisson in" in found.headline
    printed = outcome(found, "RUN").splitlines()
    assert "Bottle instead of Flask (gunicorn, function, cpu)" in printed
    assert any(line.startswith("  200/s poisson  ") for line in printed)


def test_panels_of_a_single_endpoint_lie_side_by_side(tmp_path: Path) -> None:
    """Two modes on one endpoint share a line: half the height, and no panel is empty."""
    scenarios = ("predict~poisson200rps", "predict~poisson400rps")
    truth = Truth(scenarios=scenarios, modes=("function", "eager"), native=False, samples=300, blocks=2)
    run = read_run(write_run(tmp_path / "run", truth))
    with drawing.style():
        figure = offered_load.draw(summarise(run), run)
    assert figure is not None
    tops = {round(axes.get_subplotspec().get_position(figure).y1, 3) for axes in figure.axes}
    assert len(figure.axes) == 2
    assert len(tops) == 1
    assert all(axes.lines for axes in figure.axes)
