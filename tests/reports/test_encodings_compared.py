"""Another encoding is a row of its own: compared within its target, and in no line, column or verdict else."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_run import VARIANT_RATIO, Truth, write_run

from experiment.run_folder import read_run
from reports.plots import percentile_curves, throughput
from reports.render import render
from reports.summarising import summarise
from reports.tables import verdict_table

TRUTH = Truth(
    samples=60,
    # The machine's drift is between two scenarios of a block, so it is kept small where a ratio is looked for.
    drift_sd=0.001,
    scenarios=(
        "predict@1",
        "predict@16/protobuf",
        "predict@16",
        "predict@16/instances",
        "classify@4",
        "classify@4/raw",
    ),
    modes=("function",),
    native=False,
)


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("encodings") / "run", TRUTH)


def test_each_encoding_is_told_against_the_usual_one_of_its_target(folder: Path) -> None:
    """Every planted ratio is found, once for every target, with the interval over blocks."""
    rows = summarise(read_run(folder)).encodings
    assert {(row.endpoint, row.users, row.encoding) for row in rows} == {
        ("predict", 16, "protobuf"),
        ("predict", 16, "instances"),
        ("classify", 4, "raw"),
    }
    assert len({row.target for row in rows}) * 3 == len(rows)
    for row in rows:
        assert row.ratio == pytest.approx(VARIANT_RATIO[row.encoding], rel=0.02)
        assert row.ci95[0] < row.ratio < row.ci95[1]
        assert row.blocks == TRUTH.blocks


def test_the_usual_lines_hold_no_other_encoding(folder: Path) -> None:
    """Verdicts, costs and plots at the most users are those of the usual encoding, though another one is faster."""
    run = read_run(folder)
    summary = summarise(run)
    assert all(cell.variant is None for row in verdict_table(summary) for cell in row.cells if cell)
    assert all("/" not in row.scenario for row in summary.framework_costs)
    fastest = max(row.throughput_rps.median for row in summary.results if row.scenario == "predict@16")
    figure = throughput.draw(summary, run)
    assert figure is not None
    drawn = [y for axes in figure.axes[:1] for line in axes.lines for y in line.get_ydata()]
    assert max(drawn) <= 1.05 * fastest
    assert percentile_curves.ALT(summary).count("wsgi+gunicorn+function+cpu") == 2


def test_a_page_is_drawn_of_encodings_alone(tmp_path: Path) -> None:
    """Page and Markdown name each encoding's scenario; a run of one odd encoding is drawn too, without a verdict."""
    folder = write_run(tmp_path / "both", TRUTH)
    render(folder)
    assert 'id="encodings"' in (folder / "report.html").read_text()
    assert "| predict@16/protobuf |" in (folder / "summary.md").read_text()
    odd = write_run(tmp_path / "odd", Truth(samples=60, scenarios=("predict@16/protobuf",), blocks=2))
    render(odd)
    assert 'id="encodings"' not in (odd / "report.html").read_text()
