"""The first screen's choices: those that the questions name, and whatever had a higher throughput."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from msgspec.structs import replace
from run_views import filled

from reports import wording
from reports.choosing import choices
from reports.summary import ScenarioSummary, Summary, TargetSummary
from reports.summary.load_rows import ComparisonRow, ResultRow
from reports.summary.measures import Median

BASE = "flask+gunicorn+function+cpu"
RATES: Mapping[str, float] = {
    BASE: 100,
    "bottle+gunicorn+function+cpu": 120,
    "wsgi+gunicorn+function+cpu": 900,
    "flask+gunicorn+eager+cpu": 50,
    "flask+gunicorn+lite+cpu": 150,
    "flask+waitress+function+cpu": 110,
    "flask+granian+function+cpu": 200,
    "bottle+granian+function+cpu": 300,
    "flask-native+gunicorn+function+cpu": 800,
}


def summarised(rates: Mapping[str, float], users: int = 16, lacking: Mapping[str, str] | None = None) -> Summary:
    """What is read of a summary, with those throughputs on two endpoints; `lacking` names one that a target lacks."""
    lacks = lacking or {}

    def target(name: str) -> TargetSummary:
        framework, server, mode, device = name.split("+")
        parts = {"framework": framework, "server": server, "mode": mode, "device": device}
        return filled(TargetSummary, id=name, label=name, judged="native" not in name, **parts)

    def cell(name: str, endpoint: str, count: int, rate: float) -> ResultRow:
        place = {"target": name, "endpoint": endpoint, "users": count, "arrival": "closed"}
        return filled(ResultRow, **place, throughput_rps=Median(median=rate, ci95=None))

    def compared(axis: str, baseline: str, candidate: str) -> ComparisonRow:
        row = {"axis": axis, "baseline": baseline, "candidate": candidate, "metric": "throughput"}
        return filled(ComparisonRow, **row, arrival="closed", endpoint="predict", users=users)

    pairs = (
        ("framework", BASE, "bottle+gunicorn+function+cpu"),
        ("mode", "flask+gunicorn+eager+cpu", BASE),
        ("server", BASE, "flask+waitress+function+cpu"),
    )
    return filled(
        Summary,
        targets=[target(name) for name in rates],
        scenarios=[filled(ScenarioSummary, endpoint=name) for name in ("predict", "classify")],
        comparisons=[compared(*pair) for pair in pairs if set(pair[1:]) <= set(rates)],
        results=[
            cell(name, endpoint, count, rate * count / users)
            for name, rate in rates.items()
            for endpoint in ("predict", "classify")
            for count in (1, users)
            if lacks.get(name) != endpoint
        ],
    )


def notes(summary: Summary) -> dict[str, str]:
    """The rows' notes by label."""
    return {row.label: row.note for row in choices(summary)}


def test_what_is_highest_follows_those_that_were_asked_about() -> None:
    """The highest server, mode and target of all stand below the questions' own; a floor and other code do not."""
    assert notes(summarised(RATES)) == {
        BASE: "",
        "bottle+gunicorn+function+cpu": "",
        "flask+gunicorn+eager+cpu": "",
        "flask+waitress+function+cpu": "",
        "flask+granian+function+cpu": "highest of the servers",
        "flask+gunicorn+lite+cpu": "highest of the modes",
        "bottle+granian+function+cpu": "highest of all with a framework",
    }


def test_one_row_can_be_the_highest_twice() -> None:
    """Of its kind and of all; and what was asked about anyway is not told again."""
    fewer = {name: rate for name, rate in RATES.items() if name.startswith("flask+") and "lite" not in name}
    assert notes(summarised(fewer)) == {
        BASE: "highest of the modes",
        "flask+gunicorn+eager+cpu": "",
        "flask+waitress+function+cpu": "",
        "flask+granian+function+cpu": "highest of the servers and of all with a framework",
    }


def test_servers_are_compared_where_the_question_of_servers_is() -> None:
    """Without a question of frameworks the first one is of modes, and its baseline is eager; servers are not."""
    fewer = {name: rate for name, rate in RATES.items() if name.startswith("flask+") and "lite" not in name}
    found = notes(summarised(fewer | {"flask+granian+eager+cpu": 60, "flask+waitress+eager+cpu": 70}))
    assert "highest of the servers and of all with a framework" in found["flask+granian+function+cpu"]
    assert "flask+waitress+eager+cpu" not in found


def test_two_interpreters_are_not_one_choice() -> None:
    """A server under other versions differs in two things."""
    summary = summarised(RATES)
    apart = [replace(one, interpreter="new" if "granian" in one.id else "old") for one in summary.targets]
    found = notes(replace(summary, targets=apart))
    assert "flask+granian+function+cpu" not in found
    assert found["flask+waitress+function+cpu"] == "highest of the servers"


def test_cells_are_those_at_the_most_users() -> None:
    """Not those of one user, which the run has as well."""
    base = next(one for one in choices(summarised(RATES)) if one.label == BASE)
    assert [row.rate.median for row in base.rates.values() if row] == [100, 100]


def test_the_fastest_choice_stands_first() -> None:
    """By its throughputs, whichever question named it."""
    rates = [row.rate.median for one in choices(summarised(RATES)) for row in [one.rates["predict"]] if row]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("endpoint", ["predict", "classify"])
def test_who_lacks_an_endpoint_is_not_the_highest(endpoint: str) -> None:
    """A mean over fewer endpoints is no rate to compare."""
    found = notes(summarised(RATES, lacking={"bottle+granian+function+cpu": endpoint}))
    assert "bottle+granian+function+cpu" not in found


def test_who_was_not_measured_at_the_most_users_is_not_the_highest() -> None:
    """In a run that was stopped, a target's own most users may be fewer than another's."""
    summary = summarised(RATES)
    name = "bottle+granian+function+cpu"
    fast = Median(median=10_000, ci95=None)
    cells = [row for row in summary.results if (row.target, row.users) != (name, 16)]
    cells = [replace(row, throughput_rps=fast) if row.target == name else row for row in cells]
    assert name not in notes(replace(summary, results=cells))


def test_without_a_question_there_is_the_first_target() -> None:
    """A single target is its own choice, without a word of speed; one of somebody else's address too."""
    assert notes(summarised({BASE: 100})) == {BASE: ""}
    foreign = summarised({BASE: 100})
    unnamed = replace(foreign.targets[0], framework=None, server=None, mode=None, device=None)
    assert notes(replace(foreign, targets=[unnamed])) == {BASE: ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    id: str
    framework: str | None = "flask"
    server: str | None = "gunicorn"
    mode: str | None = "function"
    device: str | None = "cpu"
    twin_of: str | None = None
    interpreter: str | None = None


FEW, MANY = (_Named(id=f"flask+gunicorn+function+cpu!threads={count}!batch=8") for count in (2, 16))
FASTAPI = _Named(id="fastapi-native+uvicorn+function+cpu", framework="fastapi-native", server="uvicorn")
LITE = _Named(id="bottle+granian+lite+cpu", framework="bottle", server="granian", mode="lite")


def test_variants_are_told_apart_by_what_was_varied() -> None:
    """The compared setting names the two sides, and what else was varied is a condition, as the parts are."""
    assert wording.part_name("threads", MANY) == "threads 16"
    assert wording.conditions("threads", MANY) == "flask, gunicorn, function, cpu, batch 8"
    assert wording.fraction("threads", FEW, MANY, []) == "16 / 2, batch 8"
    assert wording.conditions("framework", MANY) == "gunicorn, function, cpu, threads 16, batch 8"
    assert len(set(wording.labels([FEW, MANY]).values())) == 2


def test_stacks_are_named_whole() -> None:
    """Server and mode belong to what is compared, so they stand in the names and not among the conditions."""
    assert wording.part_name("stack", FASTAPI) == "FastAPI tutorial code on uvicorn with the TensorFlow graph"
    assert wording.part_name("stack", LITE) == "Bottle on Granian with LiteRT"
    assert wording.conditions("stack", LITE) == "cpu"
    assert wording.fraction("stack", FASTAPI, LITE, ["server", "mode"]) == (
        "bottle granian lite / fastapi-native uvicorn function"
    )
    assert "server and mode differ too" in wording.axis_title("stack")
