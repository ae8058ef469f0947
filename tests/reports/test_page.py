"""The drawn report: one file that asks for nothing, tells the truth about partial runs and trusts no text in it."""

from __future__ import annotations

import csv
import itertools
import json
import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from run_views import filled
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import Truth, write_run

import bench
from experiment.journal import FILE_NAME
from reports import drawing, plots
from reports.render import render
from reports.summary import TargetSummary

SMALL = Truth(
    samples=150,
    scenarios=("predict@1", "predict@16", "classify@16", "predict~poisson200rps"),
    modes=("function", "eager"),
)
HOSTILE = "<script>alert(1)</script>|x"


class Page(HTMLParser):
    """What a test asks of a page: its elements, ids, headings and every place that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.headings: list[int] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self.bare_headers = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record one element."""
        found = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        if "id" in found:
            self.ids[found["id"]] += 1
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "th" and "scope" not in found:
            self.bare_headers += 1
        for name in ("src", "href", "xlink:href", "data", "poster", "action"):
            if name in found:
                (self.links if tag == "a" else self.loads).append(found[name])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rendered complete run."""
    path = write_ladder(write_run(tmp_path_factory.mktemp("page") / "run", SMALL), LadderTruth())
    render(path)
    return path


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    """Its page."""
    return (folder / "report.html").read_text()


def test_rendering_writes_every_file_of_the_run_folder(folder: Path) -> None:
    """Summary, Markdown, page and all plots are there, and no half-written file is left."""
    assert {path.name for path in folder.iterdir()} == {
        ".begun-here",
        "journal.jsonl",
        "ladder.json",
        "samples",
        "summary.json",
        "summary.md",
        "report.html",
        "plots",
    }
    assert sorted(path.stem for path in (folder / "plots").iterdir()) == plots.names()


def test_the_page_asks_the_network_for_nothing(text: str) -> None:
    """No element loads anything but an empty data: icon and its own fragments; no address stands in the file."""
    page = Page(text)
    assert all(one.startswith(("#", "data:,")) for one in page.loads)
    assert all(one.startswith("#") for one in page.links)
    assert not re.search(r"https?://|@import|url\((?!#)", text)


def test_the_page_has_one_headline_and_headings_in_order(text: str) -> None:
    """One h1, no level skipped, every table header with a scope, every id once and every link's target there."""
    page = Page(text)
    assert page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(page.headings))
    assert page.bare_headers == 0
    assert max(page.ids.values()) == 1
    assert {link.removeprefix("#") for link in page.links} <= page.ids.keys()


def test_every_plot_is_named_described_and_in_the_pages_ink(folder: Path, text: str) -> None:
    """Each SVG has a title and a description, no text in fixed black, and is well-formed as a file of its own."""
    assert text.count('role="img"') == len(plots.names())
    for path in (folder / "plots").iterdir():
        root = ET.parse(path).getroot()  # noqa: S314 - written by the code under test
        spaces = {"s": "http://www.w3.org/2000/svg"}
        assert root.findtext("s:title", namespaces=spaces)
        assert root.findtext("s:desc", namespaces=spaces)
        # A style is an element's own or that of its class, in the plot's own style sheet.
        rules = dict(re.findall(r"\.(s\d+){([^}]*)}", path.read_text()))
        texts = list(root.iter("{http://www.w3.org/2000/svg}text"))
        inks = [one.get("style") or rules[one.attrib["class"]] for one in texts]
        assert inks
        assert all("fill:" in ink.replace(" ", "") for ink in inks)


def test_a_complete_run_has_no_banner(text: str) -> None:
    """The partial banner is for partial runs."""
    assert "This run is partial" not in text


def test_a_partial_run_says_so_on_the_page_and_in_markdown(tmp_path: Path) -> None:
    """Page and Markdown carry the banner with the reason."""
    report = render(write_run(tmp_path / "run", replace(SMALL, written_blocks=2, complete=False)))
    for path in (report, report.with_name("summary.md")):
        assert "This run is partial" in path.read_text()
        assert "interrupted by the user" in path.read_text()


def test_an_empty_run_is_drawn_too(tmp_path: Path) -> None:
    """A run killed before its first trial gives a page that says so, and no plot."""
    report = render(write_run(tmp_path / "run", replace(SMALL, written_blocks=0, complete=None)))
    assert "Nothing was measured" in report.read_text()
    assert list(report.with_name("plots").iterdir()) == []


def test_a_plot_of_an_earlier_drawing_does_not_stay(tmp_path: Path) -> None:
    """Drawn again without data for it, a plot's file is gone."""
    folder = write_run(tmp_path / "run", replace(SMALL, written_blocks=0, complete=None))
    (folder / "plots").mkdir()
    (folder / "plots" / "throughput.svg").write_text("old")
    render(folder)
    assert not (folder / "plots" / "throughput.svg").exists()


def test_text_from_a_server_is_shown_and_never_run(tmp_path: Path) -> None:
    """Markup in a reason or an answer is escaped on the page, and breaks no Markdown table."""
    folder = write_run(tmp_path / "run", replace(SMALL, invalid={"bottle+gunicorn+function+cpu": HOSTILE}))
    path = folder / FILE_NAME
    path.write_text(path.read_text().replace("500, HTML", HOSTILE))
    report = render(folder)
    assert "<script>alert" not in report.read_text()
    assert "&lt;script&gt;alert" in report.read_text()
    markdown = report.with_name("summary.md").read_text()
    assert "<script>" not in markdown
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in table}
    assert columns == {4, 10}


def test_what_was_not_run_and_the_command_stand_on_the_page(text: str) -> None:
    """The reader sees what is missing and why, the noise floor, and how to repeat the run."""
    assert "flask+gunicorn+function+gpu: no GPU." in text
    assert "Noise floor (A/A)" in text
    assert "python3 bench.py run --plan quick --seed 7" in text


def test_labels_are_moved_apart_and_keep_their_order() -> None:
    """Positions that are too near end the gap apart around where they were; far ones stay."""
    moved = drawing.spread([10.0, 10.0, 10.5, 50.0], 2.0)
    ordered = sorted(moved)
    assert all(after - before >= 2.0 - 1e-9 for before, after in itertools.pairwise(ordered))
    assert moved[3] == 50.0
    assert sum(moved[:3]) == pytest.approx(30.5)


def test_one_target_has_one_colour_everywhere() -> None:
    """A framework's colour does not depend on what else was measured; a foreign server gets a spare one."""
    flask, foreign = filled(TargetSummary, id="a", framework="flask"), filled(TargetSummary, id="mine")
    assert drawing.colour(flask, [flask]) == drawing.colour(flask, [foreign, flask])
    assert drawing.colour(foreign, [foreign, flask]) in drawing.SPARE


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
    assert "unknown format 'xlsx'; choose from csv" in capsys.readouterr().err
    assert not (folder / "report.html").exists()
