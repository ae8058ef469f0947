"""Two interpreters in one run: who is measured, what is compared, and what the parity table says of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from synthetic_run import Truth, write_run

from experiment.compared_pairs import comparisons
from experiment.cores import Cores
from experiment.errors import USAGE, ExpectedError
from experiment.interpreters import Interpreter, distinct, interpreters, packages_apart
from experiment.journal import FILE_NAME
from experiment.line_up import contenders
from experiment.planning import described
from experiment.run_folder import read_run
from reports.summarising import summarise
from reports.summary import Summary
from servers.settings import Settings

OLD = Interpreter(
    name="flask23", python=Path("/old/bin/python"), version="3.11.7", packages={"flask": "2.3.3", "numpy": "2.4.6"}
)
NEW = Interpreter(
    name="flask31", python=Path("/new/bin/python"), version="3.11.7", packages={"flask": "3.1.3", "numpy": "2.4.6"}
)
OLD_AND_NEW = ("flask23", "flask31")
FLASK = "flask+gunicorn+function+cpu"


def test_each_target_runs_under_each_interpreter() -> None:
    """Two targets and two interpreters are four contenders, and the first of them runs a second time."""
    found = contenders("smoke", "flask,bottle", [], under=[OLD, NEW])
    names = [f"{framework}+gunicorn+function+cpu@{one}" for framework in ("flask", "bottle") for one in OLD_AND_NEW]
    assert [one.id for one in found] == [*names, f"{FLASK}@flask23#2"]


def test_a_pair_differs_in_the_interpreter_or_in_the_target_never_in_both() -> None:
    """The same target under two interpreters is one comparison, Flask against Bottle another within each."""
    found = comparisons(contenders("smoke", "flask,bottle", [], under=[OLD, NEW]), named=True)
    across = [row for row in found if row.axis == "interpreter"]
    assert [(row.baseline, row.candidate) for row in across] == [
        (f"{name}+gunicorn+function+cpu@flask23", f"{name}+gunicorn+function+cpu@flask31")
        for name in ("flask", "bottle")
    ]
    within = [row for row in found if row.axis == "framework"]
    assert len(within) == 2
    assert all(row.baseline.rpartition("@")[2] == row.candidate.rpartition("@")[2] for row in within)


def test_a_lone_interpreter_without_a_name_changes_no_id() -> None:
    """`--server-python PATH` is what it always was: one interpreter for all, and nothing to tell apart by it."""
    assert not distinct([sys.executable])
    assert distinct([f"here={sys.executable}"])
    assert distinct([sys.executable, "/usr/bin/python3"])
    assert [one.id for one in contenders("smoke", "flask", [])] == [FLASK, f"{FLASK}#2"]


def test_an_interpreter_tells_its_version_and_packages() -> None:
    """The one that runs this test says what it is; without a name it has its environment's."""
    (named, plain) = interpreters([f"mine={sys.executable}", sys.executable])
    assert named.name == "mine"
    assert plain.name == Path(sys.executable).parent.parent.name
    assert named.version == ".".join(map(str, sys.version_info[:3]))
    assert "pytest" in named.packages


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["/nowhere/bin/python"], "does not exist"),
        (["/"], "is no file"),
        ([str(Path(__file__))], "no Python interpreter"),
        ([f"a={sys.executable}", f"a={sys.executable}"], "two interpreters are called 'a'"),
    ],
)
def test_what_is_no_interpreter_is_refused(texts: list[str], said: str) -> None:
    """A path that is none, a folder, a file that does not run, a name that is taken: usage, in one line."""
    with pytest.raises(ExpectedError, match=said) as refused:
        interpreters(texts)
    assert refused.value.code == USAGE


def test_only_what_differs_is_set_apart() -> None:
    """The record of an interpreter has the packages that the other has not alike, a missing one by that word."""
    more = Interpreter(name="more", python=NEW.python, version="3.11.7", packages=NEW.packages | {"ujson": "6.1.0"})
    assert packages_apart([OLD, NEW]) == {"flask23": {"flask": "2.3.3"}, "flask31": {"flask": "3.1.3"}}
    assert packages_apart([NEW, more])["flask31"] == {"ujson": "not installed"}


def _run_under(folder: Path, threads_of_the_new: int = 8) -> Summary:
    """The summary of a synthetic run whose Flask ran under OLD and whose Bottle is renamed to Flask under NEW."""
    write_run(folder, Truth(blocks=5, samples=64, scenarios=("predict@4",), modes=("function",), native=False))
    lines = [json.loads(line) for line in (folder / FILE_NAME).read_text().splitlines()]
    present = [
        replace(one, settings=Settings(python=str(one.interpreter.python) if one.interpreter else "x"))
        for one in contenders("smoke", "flask", [], under=[OLD, NEW])
    ]
    ids = {
        FLASK: f"{FLASK}@flask23",
        f"{FLASK}#2": f"{FLASK}@flask23#2",
        "bottle+gunicorn+function+cpu": f"{FLASK}@flask31",
    }
    apart = packages_apart([OLD, NEW])
    targets = [described(one, Cores(servers=(0,), generator=()), apart) for one in present]
    lines[0]["targets"] = msgspec.to_builtins(targets)
    for target in lines[0]["targets"]:
        if target["id"].endswith("@flask31"):
            target["settings"]["threads"] = threads_of_the_new
    lines[0]["comparisons"] = msgspec.to_builtins(comparisons(present, named=True))
    kept = [lines[0]]
    for line in lines[1:]:
        if line.get("target") in ids:
            kept.append(line | {"target": ids[line["target"]]})
        elif "target" not in line and line["kind"] != "parity":
            kept.append(line)
    for line in kept:
        if line["kind"] == "launch" and line["metadata"]:
            line["metadata"]["versions"]["flask"] = "2.3.3" if "flask23" in line["target"] else "3.1.3"
    (folder / FILE_NAME).write_text("".join(json.dumps(line) + "\n" for line in kept))
    return summarise(read_run(folder))


def test_versions_are_what_is_compared(tmp_path: Path) -> None:
    """Across interpreters there is a verdict although versions differ, and the parity table names them."""
    summary = _run_under(tmp_path / "run")
    rows = [row for row in summary.comparisons if row.axis == "interpreter"]
    assert rows
    assert {row.verdict for row in rows} <= {"faster", "slower", "equivalent", "inconclusive"}
    unequal = {row.setting: row.values for row in summary.parity_table if not row.equal}
    assert unequal["packages.flask"] == {f"{FLASK}@flask23": "2.3.3", f"{FLASK}@flask31": "3.1.3"}
    assert set(unequal) >= {"interpreter", "python", "packages.flask"}


def test_any_other_difference_is_unfair(tmp_path: Path) -> None:
    """Where another setting differs between the interpreters' servers, there is no verdict, and it is named."""
    summary = _run_under(tmp_path / "run", threads_of_the_new=4)
    rows = [row for row in summary.comparisons if row.axis == "interpreter"]
    assert {row.verdict for row in rows} == {"invalid"}
    assert all("threads is 8 against 4" in row.reason for row in rows)
