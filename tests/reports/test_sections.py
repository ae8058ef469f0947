"""What the page shows and where: the first screen's order, caveats beside their figures, new plots, and commands."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PIL import Image
from run_views import searched
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import Truth, write_run

import bench
from experiment.journal import FILE_NAME, Journal
from experiment.journal_records import EndRecord
from experiment.run_folder import read_run
from loadtests.trial_record import Visits
from reports import drawing, repeating, wording
from reports.plots import grid, timeline
from reports.render import render
from reports.summary import read_summary

TRUTH = Truth(
    samples=700,
    blocks=3,
    scenarios=("predict@1", "predict@16", "predict~poisson200rps", "predict~poisson400rps"),
    modes=("function", "eager"),
)
BOTTLE = "bottle+gunicorn+function+cpu"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn run: of Bottle one block was invalid, and in another some requests failed."""
    path = write_ladder(write_run(tmp_path_factory.mktemp("sections") / "run", TRUTH), LadderTruth())
    journal = path / FILE_NAME
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        if (line["kind"], line.get("target"), line.get("scenario")) == ("trial", BOTTLE, "predict@16"):
            if line["block"] == 0:
                line |= {"valid": False, "reason": "the generator was at 91 % CPU"}
            if line["block"] == 1:
                line |= {"errors": 3, "steady": False, "retraces": 2}
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    render(path, price_per_core_hour=0.04)
    return path


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    """Its page."""
    return (folder / "report.html").read_text()


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, Any]:
    """Its summary."""
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def test_the_first_screen_answers_in_the_order_of_the_questions(text: str) -> None:
    """Contents, question, answer, a bullet a question, the picture, verdicts, trust, costs; then the rest."""
    marks = ("<nav", "<h1>", 'class="answer"', 'class="bullets"', 'id="figure-ratios"', 'class="verdicts"')
    after = ('class="trust"', 'class="choices', "Not in the cost:", 'id="throughput"', 'id="treatment"')
    places = [text.index(mark) for mark in (*marks, *after)]
    assert places == sorted(places)
    order = re.findall(r'<h2 id="(\w+)"', text)
    wanted = [
        "verdicts",
        "trust",
        "costs",
        "throughput",
        "offered",
        "latency",
        "ladder",
        "grid",
        "conformance",
        "resources",
        "timeline",
        "treatment",
        "machine",
    ]
    assert [one for one in order if one in wanted] == wanted
    assert order[-1] == "repeat"


def test_every_section_is_in_the_contents(text: str) -> None:
    """The contents lead to each heading, and to nothing else."""
    contents = text[text.index("<nav") : text.index("</nav>")]
    assert re.findall(r'href="#([\w-]+)"', contents) == ["answer", *re.findall(r'<h2 id="([\w-]+)"', text)]


def test_caveats_stand_in_the_cell_that_they_are_about(text: str) -> None:
    """Lost blocks, failed requests, retraces and a warm-up that did not settle are told beside the figure."""
    said = re.findall(r'<small class="caveat">([^<]+)</small>', text)
    assert said
    for part in ("91 % CPU", "2 of 3 blocks", "3 requests failed", "2 retraces", "not steady after its warm-up"):
        assert all(part in one for one in said), part
    choices = text[text.index('class="choices') : text.index('aria-labelledby="matters"')]
    assert choices.count('class="caveat"') == 1


@pytest.mark.parametrize("name", ["percentile_curves", "offered_load", "grid", "start_up"])
def test_a_plot_says_in_words_what_it_shows(folder: Path, summary: dict[str, Any], name: str) -> None:
    """The text alternative has a figure of the summary in it, and names targets."""
    drawn = (folder / "plots" / f"{name}.svg").read_text()
    alt = re.search(r"<desc[^>]*>(.*?)</desc>", drawn, re.DOTALL)
    assert alt
    assert re.search(r"(flask|wsgi)\+gunicorn\+(function|eager)\+cpu", alt[1])
    assert re.search(r"\d", alt[1])


def test_intervals_are_drawn_where_they_are_known(summary: dict[str, Any], folder: Path) -> None:
    """The matrix writes the interval of every cell beside its median."""
    drawn = (folder / "plots" / "grid.svg").read_text()
    row = next(one for one in summary["results"] if one["scenario"] == "predict@16")
    low, high = row["throughput_rps"]["ci95"]
    assert f"({wording.number(low)} to {wording.number(high)})" in drawn


def test_each_nine_is_as_wide_as_the_next() -> None:
    """On the axis of HDR histograms 90, 99 and 99.9 % are equally far apart."""
    places = [drawing.quantile_place(one) for one in (0.9, 0.99, 0.999)]
    assert [after / before for before, after in itertools.pairwise(places)] == pytest.approx([10, 10])


def test_letters_are_told_from_what_they_are_painted_on() -> None:
    """Light paint gets dark letters and dark paint white ones."""
    assert grid._ink_on(1.0, 0.9, 0.2) == "#111111"
    assert grid._ink_on(0.0, 0.13, 0.3) == "#ffffff"


def test_the_commands_repeat_the_run(text: str, folder: Path) -> None:
    """From the code to the report each step is a command; the run's own is given its seed and another folder."""
    summary = read_summary(folder)
    commands = [step.command for step in repeating.steps(summary)]
    assert commands[0] == "git checkout 0123456789abcdef"
    assert "uv sync" in commands
    again = repeating.repeated(replace(summary, command=["python3", "bench.py", "run", "--out", "a b", "--seed", "3"]))
    assert shlex.split(again) == ["python3", "bench.py", "run", "--seed", "7", "--out", repeating.FOLDER]
    assert all(command.replace("'", "&#39;") in text for command in commands)


def test_the_line_that_is_shown_as_an_example_is_a_trial(folder: Path) -> None:
    """The last step's `sed` prints a trial of the first row of figures."""
    summary = read_summary(folder)
    command = repeating.steps(summary)[-1].command
    number = int(command.split()[2].removesuffix("p"))
    record = json.loads((folder / FILE_NAME).read_text().splitlines()[number - 1])
    assert (record["kind"], record["target"]) == ("trial", summary.results[0].target)


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


def test_every_group_that_answers_alike_is_told(text: str, summary: dict[str, Any]) -> None:
    """Conformance names the groups, the cases and how often they were held together, and what tutorial code came to."""
    groups = {tuple(sorted(row["targets"])) for row in summary["answers_alike"]}
    part = text[text.index('id="conformance"') : text.index('id="resources"')]
    told = re.findall(r"<li>70 cases: (.*?) \((\d) blocks\)</li>", part)
    assert {tuple(sorted(re.findall(r"<code>([^<]+)</code>", names))) for names, _ in told} == groups
    assert {int(count) for _, count in told} == {len({row["block"] for row in summary["answers_alike"]})}
    said = "requests to the tutorial code, 0 end in a 500 or no answer, 0 in a wrong 2xx and 1 in a wrong answer"
    assert said in part


def test_a_card_to_share_has_the_size_of_one(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`report --share` leaves a PNG of 1200 x 630 that is neither empty nor all one colour."""
    assert bench.main(["report", str(folder), "--out", str(tmp_path), "--share"]) == 0
    assert str(tmp_path / "share.png") in capsys.readouterr().out
    with Image.open(tmp_path / "share.png") as picture:
        assert picture.size == (1200, 630)
        assert len(picture.convert("L").getcolors() or ()) > 16


def test_the_run_in_time_marks_where_others_took_the_cores(folder: Path) -> None:
    """Each slice is a point over the cell's own median; what others took a tenth of is marked."""
    run = read_run(folder)
    whole = Visits(answered=(50, 50, 50), served_us=(25_000,) * 3, others_us=(0, 2_500, 0), stolen_us=(0, 0, 0))
    trials = tuple(replace(trial, visits=whole) for trial in run.trials)
    drawn = timeline.draw(read_summary(folder), replace(run, trials=trials))
    assert drawn is not None
    marks = [line for line in drawn.axes[0].get_lines() if line.get_marker() == "v"]
    slices = len({(trial.block, trial.scenario) for trial in trials if trial.offered_rps is None and trial.valid}) * 3
    assert len(drawn.axes[0].collections) == 1
    assert len(marks) == slices / 3
