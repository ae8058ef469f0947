"""Two runs with known truth, held against each other by the command line; and two of one tree, really measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import compare, edit_header, refused_line
from synthetic_run import Truth, write_run

from servers.repository import REPOSITORY

FLASK, BOTTLE = "flask+gunicorn+function+cpu", "bottle+gunicorn+function+cpu"
BASE = Truth(
    samples=40, scenarios=("predict@16", "classify@16"), modes=("function",), native=False, drift_sd=0.004, seed=1
)
NEW = replace(BASE, seed=2)
SLOW_BOTTLE = {BOTTLE: 0.75}


def test_two_runs_of_the_same_code_are_fine(tmp_path: Path) -> None:
    """Nothing changed: every cell is equivalent, and the exit code is 0."""
    done = compare(write_run(tmp_path / "a", BASE), write_run(tmp_path / "b", NEW))
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("fine: no cell of 6 slower (6 equivalent)")


def test_a_slower_target_is_a_regression(tmp_path: Path) -> None:
    """One target became a quarter slower in one endpoint: exit code 1, and the cell stands first."""
    folders = write_run(tmp_path / "a", BASE), write_run(tmp_path / "b", replace(NEW, ratios=SLOW_BOTTLE))
    done = compare(*folders)
    assert done.returncode == 1
    first = next(line for line in done.stdout.splitlines() if line.startswith(("flask+", "bottle+", "wsgi+")))
    assert first.startswith(BOTTLE)
    assert "slower" in first
    faster = compare(*reversed(folders))
    assert faster.returncode == 0
    assert "faster" in faster.stdout


def test_json_and_markdown_say_the_same(tmp_path: Path) -> None:
    """Both pipe cleanly: JSON parses, every Markdown table row has as many cells as its head, nothing is on stderr."""
    folders = write_run(tmp_path / "a", BASE), write_run(tmp_path / "b", replace(NEW, ratios=SLOW_BOTTLE))
    told = compare(*folders, "--json")
    shown = compare(*folders, "--markdown")
    result = json.loads(told.stdout)
    assert (told.returncode, shown.returncode) == (1, 1)
    assert told.stderr + shown.stderr == ""
    assert result["verdict"] == "regression"
    assert shown.stdout.startswith("### Regression\n")
    rows = [line for line in shown.stdout.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {7}
    for row in result["cells"]:
        assert any(f"`{row['target']}` | {row['scenario']} |" in line and row["verdict"] in line for line in rows)


@pytest.mark.parametrize(
    ("change", "option", "says"),
    [
        (lambda head: head["environment"]["cpu"].update(model="Other CPU"), "--across-machines", "cpu.model Example"),
        (lambda head: head["environment"]["cpu"].update(cores_logical=8), "--across-machines", "cpu.cores_logical 4"),
        (lambda head: head["environment"].update(memory_mib=32_000), "--across-machines", "memory_mib 16000"),
        (lambda head: head["environment"]["cpu"].update(model=None), "--across-machines", "processor is not known"),
        (lambda head: head.update(plan="standard"), "--across-plans", "plan quick in BASE, standard in NEW"),
        (lambda head: head.update(slice_s=0.2), "--across-plans", "slice_s 0.1"),
        (lambda head: head["scenarios"][0].update(payloads=1), "--across-plans", "scenario predict@16 has payloads 16"),
    ],
)
def test_what_is_not_alike_is_refused_unless_told(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], option: str, says: str
) -> None:
    """Another machine or plan ends with exit code 2, one line and a hint; its option lets it through and notes it."""
    base, new = write_run(tmp_path / "a", BASE), edit_header(write_run(tmp_path / "b", NEW), change)
    done = compare(base, new)
    assert says in refused_line(done)
    assert option in done.stderr
    allowed = compare(base, new, option)
    assert allowed.returncode == 0, allowed.stdout
    assert says in allowed.stdout


def test_other_software_is_named_and_not_refused(tmp_path: Path) -> None:
    """A commit, a package and a setting that changed are what two runs are compared for: each is told."""

    def change(head: dict[str, Any]) -> None:
        head["environment"]["git"]["commit"] = "f" * 40
        head["environment"]["packages"]["flask"] = "4.0.0"
        head["targets"][0]["settings"]["threads"] = 8

    done = compare(write_run(tmp_path / "a", BASE), edit_header(write_run(tmp_path / "b", NEW), change))
    assert done.returncode == 0
    assert "changed: git.commit: 0123456789abcdef to ffffffffffff\n" in done.stdout
    assert "changed: flask: 3.1.2 to 4.0.0\n" in done.stdout
    assert "changed: threads: 4 to 8 (1 of 4 targets)\n" in done.stdout


def test_a_partial_run_is_named_and_could_not_tell(tmp_path: Path) -> None:
    """A run that was stopped is compared by what it has, named, and ends with 3; a regression in it is still one."""
    base = write_run(tmp_path / "a", BASE)
    partial = replace(NEW, blocks=8, written_blocks=5, complete=False)
    done = compare(base, write_run(tmp_path / "b", partial), "--across-plans")
    assert done.returncode == 3
    assert "NEW is partial" in done.stdout
    assert "interrupted by the user" in done.stdout
    slower = write_run(tmp_path / "c", replace(partial, ratios=SLOW_BOTTLE))
    assert compare(base, slower, "--across-plans").returncode == 1


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (replace(NEW, written_blocks=1, complete=False), "one block only"),
        (replace(NEW, invalid={BOTTLE: "the generator was the limit"}), "the generator was the limit"),
        (replace(NEW, noise_sd=0.0, drift_sd=0.0), "do not vary at all"),
    ],
)
def test_no_verdict_comes_of_figures_that_cannot_carry_one(tmp_path: Path, new: Truth, says: str) -> None:
    """One block, no valid trial, blocks without variation: the cell is invalid with the reason, and the exit code 3."""
    done = compare(write_run(tmp_path / "a", BASE), write_run(tmp_path / "b", new), "--json")
    result = json.loads(done.stdout)
    assert done.returncode == 3
    broken = [row for row in result["cells"] if row["target"] == BOTTLE]
    assert {row["verdict"] for row in broken} == {"invalid"}
    assert all(says in row["reason"] for row in broken)


def test_without_an_a_a_pair_nothing_is_slower(tmp_path: Path) -> None:
    """A run without a noise floor can show no regression: exit code 3 with the reason."""
    base = write_run(tmp_path / "a", BASE)
    new = write_run(tmp_path / "b", replace(NEW, twin=False, ratios=SLOW_BOTTLE))
    done = compare(base, new)
    assert done.returncode == 3
    assert "noise floor is not known" in done.stdout


def test_a_target_refused_since_is_a_finding(tmp_path: Path) -> None:
    """A target that broke its contract since BASE is a regression, though nothing of it was measured."""
    new = write_run(tmp_path / "b", replace(NEW, refused={BOTTLE: "one MUST case is wrong"}))
    done = compare(write_run(tmp_path / "a", BASE), new)
    assert done.returncode == 1
    assert f"{BOTTLE} is refused now: one MUST case is wrong" in done.stdout


def test_cells_of_one_run_only_are_named(tmp_path: Path) -> None:
    """A cell that NEW lacks is named, and the whole is then not fine; one that only NEW has does no harm."""
    wide, narrow = write_run(tmp_path / "a", BASE), write_run(tmp_path / "b", replace(NEW, scenarios=("predict@16",)))
    lost = compare(wide, narrow)
    assert lost.returncode == 3
    assert f"only in BASE: {FLASK} classify@16" in lost.stdout
    assert compare(narrow, wide).returncode == 0


def test_a_shift_of_everything_is_told_as_one(tmp_path: Path) -> None:
    """Where all cells moved alike, the reader is told that this is seldom the code of one target."""
    slower = {f"{name}+gunicorn+function+cpu": 0.7 for name in ("flask", "bottle", "wsgi")}
    new = write_run(tmp_path / "b", replace(NEW, scenarios=("predict@16",), ratios=slower))
    base = write_run(tmp_path / "a", replace(BASE, scenarios=("predict@16",)))
    assert "all 3 cells moved the same way" in compare(base, new).stdout


ALL = ("flask", "bottle", "wsgi")
OTHER_DAY = {f"{name}+gunicorn+function+cpu": ratio for name, ratio in zip(ALL, (0.26, 0.28, 0.33), strict=True)}


def test_a_machine_that_changed_is_no_regression_and_no_progress(tmp_path: Path) -> None:
    """All targets a third as fast, or three times: could not tell, first of all, with how to tell; exit 3 both ways."""
    folders = write_run(tmp_path / "a", BASE), write_run(tmp_path / "b", replace(NEW, ratios=OTHER_DAY))
    for pair in (folders, folders[::-1]):
        done = compare(*pair)
        assert done.returncode == 3
        first = done.stdout.splitlines()[0]
        assert first.startswith("could not tell: the machine changed: all 6 cells moved the same way")
        assert "python3 bench.py run --url base=" in done.stdout
        shown = compare(*pair, "--markdown").stdout
        assert shown.startswith("### Could not tell\n\n**the machine changed: ")
        # What everything did is no finding of a cell: all of them are folded.
        assert shown.index("<details>") < shown.index("| target |")
        assert compare(*pair, "--targets", "flask").returncode == 3


def test_one_target_alone_has_the_generator_for_a_witness(tmp_path: Path) -> None:
    """With no other target it is a regression, unless the load generator's reach moved as well."""
    alone = replace(BASE, frameworks=("flask",))
    base = write_run(tmp_path / "a", alone)
    new = write_run(tmp_path / "b", replace(alone, seed=2, ratios={FLASK: 0.3}))
    assert compare(base, new).returncode == 1
    path = new / "journal.jsonl"
    path.write_text(path.read_text().replace('"ceiling_rps":31400.0', '"ceiling_rps":11000.0'))
    done = compare(base, new)
    assert done.returncode == 3
    assert "the machine changed" in done.stdout.splitlines()[0]


@pytest.mark.parametrize("frameworks", [ALL, ("flask", "bottle")])
def test_a_shim_in_one_target_is_named_first(tmp_path: Path, frameworks: tuple[str, ...]) -> None:
    """One target a fifth slower in two otherwise equal runs: exit 1, its name and the number in the first line."""
    truth = replace(BASE, frameworks=frameworks)
    slower = {BOTTLE: 0.8 * 0.86}
    base = write_run(tmp_path / "a", replace(truth, scenarios=("predict@16",), ratios={BOTTLE: 0.86}))
    new = write_run(tmp_path / "b", replace(truth, seed=2, scenarios=("predict@16",), ratios=slower))
    done = compare(base, new)
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert first.startswith(f"regression: 1 of {len(frameworks)} cells slower: {BOTTLE} predict@16 ")
    assert re.search(r"\u2212(19|20|21) %", first)
    shown = compare(base, new, "--markdown").stdout
    table = shown[: shown.index("<details>")]
    assert table.count(BOTTLE) == 2
    assert f"`{FLASK}` |" not in table
    assert FLASK in shown


def test_the_question_can_be_narrowed(tmp_path: Path) -> None:
    """`--targets` and `--scenarios` leave the family so large as what is asked; a name of neither run is usage."""
    folders = write_run(tmp_path / "a", BASE), write_run(tmp_path / "b", NEW)
    done = compare(*folders, "--targets", "flask,bottle", "--scenarios", "predict@16", "--json")
    result = json.loads(done.stdout)
    assert result["family_size"] == 2
    assert [row["target"] for row in result["cells"]] == [FLASK, BOTTLE]
    assert "'predict@99'" in refused_line(compare(*folders, "--scenarios", "predict@99"))
    assert "'waitress'" in refused_line(compare(*folders, "--targets", "waitress"))


@pytest.mark.parametrize("folders", [(), ("a",), ("a", "a"), ("a", "missing")])
def test_a_wrong_command_line_is_one_line_and_a_hint(tmp_path: Path, folders: tuple[str, ...]) -> None:
    """Too few folders, one folder twice, one that is no run: exit code 2."""
    write_run(tmp_path / "a", BASE)
    assert refused_line(compare(*(tmp_path / one for one in folders)))


def test_an_open_loop_is_compared_by_its_response_time(tmp_path: Path) -> None:
    """On a schedule throughput is the schedule's; the cell is judged by the median response time."""
    truth = replace(BASE, scenarios=("predict~poisson200rps",), samples=400, noise_sd=0.004)
    slower = replace(truth, seed=2, ratios=SLOW_BOTTLE)
    done = compare(write_run(tmp_path / "a", truth), write_run(tmp_path / "b", slower), "--json")
    (row,) = (row for row in json.loads(done.stdout)["cells"] if row["target"] == BOTTLE)
    assert (row["metric"], row["verdict"]) == ("response_p50", "slower")
    assert row["new"] > row["base"]


def test_a_copy_of_a_run_is_no_error(tmp_path: Path) -> None:
    """Ratios of exactly 1 that are too noisy for `equivalent` are open, and name blocks for equivalence."""
    noisy = replace(BASE, noise_sd=0.08)
    done = compare(write_run(tmp_path / "a", noisy), write_run(tmp_path / "b", noisy), "--json")
    result = json.loads(done.stdout)
    assert done.returncode == 3
    assert {row["ratio"] for row in result["cells"]} == {1.0}
    open_cells = [row for row in result["cells"] if row["verdict"] == "inconclusive"]
    assert open_cells
    assert all(row["blocks_needed"] for row in open_cells)


_CODES = {"fine": 0, "regression": 1}


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPOSITORY / "bench.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.main_job
def test_two_runs_of_the_same_tree_are_compared(tmp_path: Path) -> None:
    """Each cell of two short runs gets a verdict or a reason, and the exit code is the one of the whole verdict.

    A noisy machine may call the same tree slower: which verdict it is says nothing here.
    """
    for name in ("base", "new"):
        done = _bench(
            *("run", "--plan", "smoke", "--blocks", "2", "--targets", "flask", "--endpoints", "predict"),
            *("--out", str(tmp_path / name)),
        )
        assert (tmp_path / name / "summary.json").exists(), done.stderr
    done = _bench("compare", str(tmp_path / "base"), str(tmp_path / "new"), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == _CODES.get(found["verdict"], 3), done.stderr
    assert found["cells"]
    assert all(cell["verdict"] for cell in found["cells"])
