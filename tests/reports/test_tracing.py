"""Traceability: from every figure of the page to the journal lines that it came from, and from those to the figure."""

from __future__ import annotations

import json
import re
import statistics
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from run_views import TRUTH, draw_whole, journal_lines
from synthetic_run import write_run

from experiment.journal import FILE_NAME, Journal, read_records
from loadtests.trial_record import TrialRecord
from reports import latencies
from reports.render import render


class Tables(HTMLParser):
    """Every row of every table, with its table's label: what names its source, the lines, and the figures in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.label = ""
        self.rows: list[dict[str, Any]] = []
        self.cell: dict[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a table, a row or a cell."""
        found = {name: value or "" for name, value in attrs}
        if found.get("role") == "region":
            self.label = found["aria-label"]
        if tag == "tr":
            self.rows.append({"label": self.label, "source": _source(found), "lines": [], "bare": [], "values": []})
        if tag in ("td", "th"):
            self.cell = found | {"tag": tag}
        if self.rows:
            self.rows[-1]["lines"] += [int(one) for one in found.get("data-lines", "").split()]

    def handle_endtag(self, tag: str) -> None:
        """Close a cell; a row closes its last one."""
        if tag in ("td", "th", "tr"):
            self.cell = None

    def handle_data(self, data: str) -> None:
        """A figure is a cell of numbers, `n` in the style sheet, that holds a digit."""
        cell = self.cell
        if cell and "data-from" in cell:
            self.rows[-1]["lines"] += _numbers(data)
            self.rows[-1]["source"] += data.strip("\u2013 \n")
        if cell and cell["tag"] == "td" and "n" in cell.get("class", "").split() and re.search(r"\d", data):
            row = self.rows[-1]
            row["values"].append(cell.get("data-value", data))
            if not _source(cell):
                row["bare"].append(data)


def _numbers(text: str) -> list[int]:
    """The lines of `3, 7\u20139`."""
    found: list[int] = []
    for part in (one for one in text.split(",") if re.search(r"\d", one)):
        first, _, last = part.partition("\u2013")
        found += range(int(first), int(last or first) + 1)
    return found


def _source(attributes: dict[str, str]) -> str:
    return attributes.get("data-lines", "") or attributes.get("data-source", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn run with every table: ladder, capacities, encodings, invalid trials."""
    return draw_whole(tmp_path_factory.mktemp("trace") / "run")


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, Any]:
    """Its summary."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def _untraced(text: str) -> list[str]:
    return [f"{row['label']}: {row['bare']}" for row in Tables(text).rows if row["bare"] and not row["source"]]


def test_no_figure_of_a_table_is_without_its_source(folder: Path) -> None:
    """Every cell of numbers on the page names journal lines, itself or by its row; the ladder's name its own file."""
    text = (folder / "report.html").read_text()
    assert _untraced(text) == []
    labels = {row["label"] for row in Tables(text).rows if row["values"]}
    expected = {
        "Throughput by cell",
        "Latency percentiles",
        "All comparisons",
        "Capacity by target",
        "Encodings compared",
        "Load generator",
    }
    assert expected | {"Resources under load", "Start-up", "Choices and what they cost"} <= labels


def test_a_figure_without_a_source_is_noticed(folder: Path) -> None:
    """With the sources of one table taken away, its figures are named."""
    text = (folder / "report.html").read_text()
    head, _, rest = text.partition('aria-label="Encodings compared"')
    table, end, tail = rest.partition("</table>")
    assert _untraced(head + 'aria-label="Encodings compared"' + table.replace("data-from", "data-none") + end + tail)


def test_every_line_that_is_named_is_of_the_kind_that_it_should_be(folder: Path) -> None:
    """A line in the page exists in the journal, and tells of a trial, gate, launch, search or calibration."""
    records = journal_lines(folder)
    numbers = {line for row in Tables((folder / "report.html").read_text()).rows for line in row["lines"]}
    assert numbers
    kinds = {records[number - 1]["kind"] for number in numbers}
    assert kinds == {"trial", "gate", "launch", "capacity", "generator"}


def test_a_throughput_is_the_median_of_its_lines(folder: Path, summary: dict[str, Any]) -> None:
    """Worked out from nothing but the lines that its row names, every throughput and CPU time comes out the same."""
    lines = (folder / FILE_NAME).read_text().splitlines()
    for row in summary["results"]:
        trials = [json.loads(lines[number - 1]) for number in row["lines"]]
        assert {(one["target"], one["scenario"]) for one in trials} <= {(row["target"], row["scenario"])}
        assert bool(trials) is row["valid"]
        if trials:
            assert statistics.median(one["throughput_rps"] for one in trials) == row["throughput_rps"]["median"]
        left_out = [json.loads(lines[number - 1]) for number in row["left_out_lines"]]
        assert not any(one["valid"] for one in left_out)
    for row in summary["costs"]:
        spent_ms = statistics.median(json.loads(lines[number - 1])["cpu_ms_per_request"] for number in row["lines"])
        assert row["core_hours_per_million"]["median"] == pytest.approx(spent_ms * 1e6 / 3.6e6)
        assert row["cost_per_million"]["median"] == pytest.approx(0.04 * spent_ms * 1e6 / 3.6e6)


def test_a_ratio_is_that_of_its_lines(folder: Path, summary: dict[str, Any]) -> None:
    """Every throughput ratio is the geometric mean of the block ratios between the lines that its row names."""
    lines = (folder / FILE_NAME).read_text().splitlines()
    held = 0
    for row in (one for one in summary["comparisons"] if one["metric"] == "throughput" and one["ratio"] is not None):
        trials = [json.loads(lines[number - 1]) for number in row["lines"]]
        rates = {(one["target"], one["block"]): one["throughput_rps"] for one in trials}
        blocks = sorted({one["block"] for one in trials})
        assert len(trials) == 2 * len(blocks)
        ratios = [rates[row["candidate"], block] / rates[row["baseline"], block] for block in blocks]
        assert statistics.geometric_mean(ratios) == pytest.approx(row["ratio"])
        held += 1
    assert held
    invalid = [row for row in summary["comparisons"] if row["ratio"] is None]
    assert invalid
    assert all(row["lines"] for row in invalid)


def test_a_resumed_run_names_the_lines_that_count(tmp_path: Path) -> None:
    """Of a trial that was measured again, the later line is named and the earlier one is not."""
    folder = write_run(tmp_path / "run", TRUTH)
    records = read_records(folder)
    place, first = next((n, one) for n, one in enumerate(records, start=1) if isinstance(one, TrialRecord))
    with Journal.reopen(folder) as journal:
        journal.append(replace(first, throughput_rps=1.5), records[-1])
    render(folder)
    row = next(
        row
        for row in json.loads((folder / "summary.json").read_text())["results"]
        if (row["target"], row["scenario"]) == (first.target, first.scenario)
    )
    assert len(records) + 1 in row["lines"]
    assert place not in row["lines"]


def test_columns_are_those_that_were_written(tmp_path: Path) -> None:
    """In the order asked for and with their types, empty ones too."""
    written = {"a": np.arange(5, dtype=np.int64), "b": np.array([1, -1], dtype=np.int8), "c": np.zeros(0, np.int16)}
    np.savez(tmp_path / "some.npz", **written)  # type: ignore[arg-type]  # columns by name
    found = latencies.columns(tmp_path / "some.npz", ("c", "a", "b"))
    assert list(found) == ["c", "a", "b"]
    for name, column in found.items():
        assert column.dtype == written[name].dtype
        np.testing.assert_array_equal(column, written[name])


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    """The checksum of a column is held against its bytes."""
    path = tmp_path / "some.npz"
    np.savez(path, a=np.arange(100, dtype=np.int64))
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile):
        latencies.columns(path, ("a",))


@pytest.mark.parametrize("column", [np.zeros((2, 2)), np.array([{}], dtype=object), np.float64(1.0)])
def test_only_rows_of_numbers_are_columns(
    tmp_path: Path, column: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> None:
    """A table, objects and a single number are refused."""
    np.savez(tmp_path / "some.npz", a=column)
    with pytest.raises(ValueError, match="not a row of numbers"):
        latencies.columns(tmp_path / "some.npz", ("a",))


def test_a_broken_file_of_samples_names_itself(tmp_path: Path) -> None:
    """No file, no archive, half of one, a column too few, packed ones: each is the file's own error."""
    whole, packed = tmp_path / "whole.npz", tmp_path / "packed.npz"
    np.savez(whole, **{name: np.arange(50) for name in ("phase", "error", "due_ns", "sent_ns")})
    np.savez_compressed(packed, **{name: np.zeros(1000) for name in ("phase", "error", "due_ns", "sent_ns", "done_ns")})
    broken = {
        "none.npz": None,
        "text.npz": b"no archive",
        "half.npz": whole.read_bytes()[:300],
        "few.npz": whole.read_bytes(),
        "packed.npz": packed.read_bytes(),
    }
    for name, content in broken.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(latencies.SamplesError, match=name):
            latencies.read(tmp_path / name)
