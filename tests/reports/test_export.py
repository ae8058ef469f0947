"""A report's exports: the same figures in other formats."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image
from synthetic_run import Truth, write_run

import bench

TRUTH = Truth(samples=100, blocks=3, scenarios=("predict@1", "predict@16"), modes=("function",), native=False)


def test_exports_hold_the_summarys_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every cell of summary.json is a line of cells.csv with its figures; every SVG has a PNG that can be opened."""
    folder = write_run(tmp_path / "run", TRUTH)
    assert bench.main(["report", str(folder), "--export", "csv,png,json,markdown"]) == 0
    said = capsys.readouterr().out
    results = json.loads((folder / "summary.json").read_text())["results"]
    with (folder / "cells.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(results)
    for row, result in zip(rows, results, strict=True):
        assert (row["target"], row["scenario"]) == (result["target"], result["scenario"])
        assert float(row["throughput_rps_median"]) == result["throughput_rps"]["median"]
        assert float(row["throughput_rps_low"]) == result["throughput_rps"]["ci95"][0]
        assert float(row["latency_ms_p90_high"]) == result["latency_ms"]["p90"]["ci95"][1]
        assert (row["latency_ms_p999_median"] == "") is (result["latency_ms"]["p999"] is None)
    drawn = {path.stem for path in (folder / "plots").glob("*.svg")}
    assert drawn
    for name in drawn:
        with Image.open(folder / "plots" / f"{name}.png") as picture:
            assert picture.convert("L").getextrema()[0] < 128 < picture.convert("L").getpixel((0, 0))  # type: ignore[operator]
    for name in ("cells.csv", "summary.json", "summary.md", "throughput.png"):
        assert name in said


def test_an_unknown_format_is_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A format that there is not ends with exit code 2 before anything is drawn."""
    folder = write_run(tmp_path / "run", TRUTH)
    assert bench.main(["report", str(folder), "--export", "csv,xlsx"]) == 2
    assert "'xlsx' is no format" in capsys.readouterr().err
    assert not (folder / "report.html").exists()
