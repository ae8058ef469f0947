"""Capacities in the report: medians over blocks, and no figure where a block has none."""

from __future__ import annotations

import json
from pathlib import Path

from drawn_run import searched
from synthetic_run import Truth, write_run

from experiment.journal import Journal
from experiment.run_record import EndRecord
from reports.render import render

TARGETS = ("flask+gunicorn+function+cpu", "bottle+gunicorn+function+cpu")


def test_a_capacity_is_a_median_over_blocks(tmp_path: Path) -> None:
    """The figure, its interval and the saturated throughput stand in summary, page and Markdown."""
    folder = write_run(tmp_path / "run", Truth(scenarios=("predict@16",), modes=("function",), native=False))
    with Journal.reopen(folder) as journal:
        for block, rate in enumerate((700.0, 720.0, 740.0)):
            journal.append(searched(block, TARGETS[0], rate))
            # Of the second target one block found none: its median would be that of the better blocks.
            none = block == 2
            reason = "not even at 16 requests/s" if none else None
            journal.append(searched(block, TARGETS[1], None if none else rate, reason))
        journal.append(EndRecord(complete=True))
    report = render(folder)
    summary = json.loads((folder / "summary.json").read_text())
    first, second = summary["capacity"]
    assert first["rate_rps"]["median"] == 720
    assert first["rate_rps"]["ci95"][0] < 720 < first["rate_rps"]["ci95"][1]
    assert first["saturated_rps"]["median"] == 1001
    assert (first["blocks"], first["unstable"], first["reason"]) == (3, 1, None)
    assert second["rate_rps"] is None
    assert second["reason"] == "block 2: not even at 16 requests/s"
    page, markdown = report.read_text(), report.with_name("summary.md").read_text()
    for text in (page, markdown):
        assert "p99=50ms" in text
        assert "not even at 16 requests/s" in text
        assert "720" in text


def test_a_run_without_a_promise_has_no_such_section(tmp_path: Path) -> None:
    """Nothing was asked, so nothing is shown."""
    report = render(write_run(tmp_path / "run", Truth(scenarios=("predict@16",), modes=("function",), native=False)))
    assert 'id="capacity"' not in report.read_text()
    assert "## Capacity" not in report.with_name("summary.md").read_text()
