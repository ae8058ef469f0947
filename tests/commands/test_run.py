"""The main job as a user runs it: measured, gated, drawn, interrupted and resumed. Takes minutes."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from broken_apps import FAULTS, Fault
from contract_app import REFERENCE, serving
from loadtests_servers import KnownServer, ok
from user_models import user_saved_models

from conformance.case import Figure
from conformance.cases import CASES
from experiment.line_up import PLAN_TARGETS, TWIN
from loadtests.plans import PLANS
from servers.launch import launch
from servers.repository import REPOSITORY
from servers.settings import Settings
from servers.target import Target

pytestmark = pytest.mark.main_job

_BENCH = (sys.executable, str(REPOSITORY / "bench.py"))
_SMOKE = PLANS["smoke"]
_TOLD = (0, 3)
"""A noisy machine may leave the first question open, which is an honest end of a run."""


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_BENCH, *arguments], capture_output=True, text=True, timeout=600, check=False)


def _descendants_of_session(marker: Path) -> list[psutil.Process]:
    """Processes that were started for the run in `marker`: servers by their log, whatever their parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(marker in Path(opened.path).parents for opened in process.open_files()):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


def _summary(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "summary.json").read_text())
    return found


def test_a_smoke_run_measures_and_draws(tmp_path: Path) -> None:
    """The smoke plan ends with a verdict sentence, a whole run folder and every target measured without an error."""
    folder = tmp_path / "run"
    done = _bench("run", "--plan", "smoke", "--seed", "7", "--out", str(folder))

    assert done.returncode in _TOLD, done.stderr
    assert f"report: {(folder / 'report.html').as_uri()}" in done.stdout
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["complete"] is True
    measured = {(row["target"], row["scenario"]) for row in summary["results"] if row["requests"] > 0}
    assert len(measured) == len(PLAN_TARGETS["smoke"] + (TWIN,)) * len(_SMOKE.scenarios)
    assert all(row["errors"] == 0 for row in summary["results"])
    assert not _descendants_of_session(folder)
    assert (folder / "conformance.xml").exists()

    first = (folder / "report.html").read_bytes()
    assert _bench("report", str(folder)).returncode == 0
    assert (folder / "report.html").read_bytes() == first


def test_an_interrupted_run_leaves_nothing_behind_and_resumes(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends every process, the report says that it is partial, and --resume measures the rest."""
    folder = tmp_path / "run"
    command = [*_BENCH, "run", "--plan", "smoke", "--blocks", "2", "--targets", "flask", "--out", str(folder)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    journal = folder / "journal.jsonl"
    deadline = time.monotonic() + 240
    while not (journal.exists() and '"kind":"trial"' in journal.read_text()):
        assert run.poll() is None, "it ended before the first trial"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert _descendants_of_session(folder)

    os.kill(run.pid, signal.SIGINT)

    assert run.wait(timeout=60) == 130
    assert not _descendants_of_session(folder)
    assert _bench("report", str(folder)).returncode == 0
    assert _summary(folder)["complete"] is False
    assert "partial" in (folder / "report.html").read_text().lower()

    trials_before = journal.read_text().count('"kind":"trial"')
    resumed = _bench("run", "--resume", str(folder))
    assert resumed.returncode in _TOLD, resumed.stderr
    assert _summary(folder)["complete"] is True
    # Two blocks of the target and its twin; what was measured before is not measured again.
    assert journal.read_text().count('"kind":"trial"') == 2 * len(_SMOKE.scenarios) * 2
    assert trials_before >= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A run of nothing but wrong servers: how it ended, and what it wrote down."""

    done: subprocess.CompletedProcess[str]
    journal: list[dict[str, Any]]


@pytest.fixture(name="refused", scope="module")
def _refused(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Refused]:
    """The run of the servers of every second fault, from the first or the second on; each is made once."""
    return cache(lambda half: _run_of(half, tmp_path_factory.mktemp("refused")))


def _run_of(half: int, folder: Path) -> Refused:
    """All servers of that half up together."""
    figures = folder / "figures.json"
    figures.write_text(json.dumps({name: [*map(_written, rows)] for name, rows in REFERENCE.items()}))
    with ExitStack() as servers:
        urls = {_name(fault): servers.enter_context(serving(fault.app())) for fault in FAULTS[half::2]}
        where = [word for name, url in urls.items() for word in ("--url", f"{name}={url}")]
        out = folder / "run"
        done = _bench("run", "--plan", "smoke", *where, "--figures", str(figures), "--out", str(out))
    return Refused(done=done, journal=[json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()])


def _written(figure: Figure) -> dict[str, Any]:
    """A figure as a file has it."""
    return {**msgspec.to_builtins(figure), "body": {"base64": base64.b64encode(figure.body).decode()}}


def _name(fault: Fault) -> str:
    return fault.app.__name__


@pytest.mark.parametrize(
    ("half", "fault"),
    [pytest.param(half, fault, id=_name(fault)) for half in range(2) for fault in FAULTS[half::2]],
)
def test_a_wrong_target_is_refused(refused: Callable[[int], Refused], half: int, fault: Fault) -> None:
    """A server that breaks the contract in any one way is not measured: the cases are named and the run exits 1."""
    must_fail = {case.id for case in CASES if fault.red(case)}
    run = refused(half)
    assert run.done.returncode == 1, run.done.stderr
    (record,) = (one for one in run.journal if one["kind"] == "refused" and one["target"] == _name(fault))
    assert set(record["cases"]) & must_fail
    assert not [one for one in run.journal if one["kind"] == "trial"]
    assert "no target passed the gate" in run.done.stderr
    assert f"refused: {_name(fault)}: {record['reason']}" in run.done.stderr


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ok(status=b"302 Found", extra=b"Location: http://elsewhere/\r\n"), "302 to 'http://elsewhere/'"),
        (ok(status=b"429 Too Many Requests"), "429"),
        (b"\x00\xff" * 100, "malformed answer"),
    ],
    ids=["redirect", "busy", "rubbish"],
)
def test_where_nobody_answers_the_harness_could_not_tell(tmp_path: Path, answer: bytes, reason: str) -> None:
    """No target answers, so there is no verdict and no finding: 3, and why, on the screen and in the report."""
    with KnownServer(lambda _n, _b: [answer]) as server:
        named = (
            "--endpoints",
            "predict",
            "--url",
            f"a={server.base_url}",
            "--skip-check",
            "--out",
            str(tmp_path / "run"),
        )
        done = _bench("run", "--plan", "smoke", *named)
    assert done.returncode == 3, done.stderr
    printed = " ".join(done.stdout.split())
    assert "Nothing was measured, so there is no answer: for 2 of 2" in printed
    assert reason in printed
    assert _summary(tmp_path / "run")["nothing_valid"]["share"] == 1.0  # type: ignore[index]


def test_a_varied_setting_gets_its_verdict_and_is_resumed(tmp_path: Path) -> None:
    """One target under two values of a setting: an axis of that name, the first value its baseline."""
    folder = tmp_path / "run"
    named = ("--targets", "flask", "--vary", "threads=2,8", "--endpoints", "predict", "--out", str(folder))
    done = _bench("run", "--plan", "smoke", "--blocks", "2", *named)
    assert done.returncode in _TOLD, done.stderr
    summary = json.loads((folder / "summary.json").read_text())
    (row,) = [one for one in summary["comparisons"] if one["axis"] == "threads"]
    assert [row["baseline"], row["candidate"]] == [f"flask+gunicorn+function+cpu!threads={n}" for n in (2, 8)]
    assert row["verdict"] != "invalid"
    threads = next(one for one in summary["parity_table"] if one["setting"] == "threads")
    assert set(threads["values"].values()) == {2, 8}

    # As if it had been killed in its last block.
    journal = folder / "journal.jsonl"
    records = [line for line in journal.read_text().splitlines() if '"kind":"end"' not in line]
    trials = [line for line in records if '"kind":"trial"' in line]
    journal.write_text("".join(f"{line}\n" for line in records if line not in trials[-3:]))
    assert _bench("run", "--resume", str(folder)).returncode in _TOLD
    assert journal.read_text().count('"kind":"trial"') == len(trials)


@pytest.mark.skipif(find_spec("fastapi") is None, reason="the extra `fastapi` is not installed")
def test_a_stack_of_another_kind_gets_its_verdict(tmp_path: Path) -> None:
    """FastAPI on uvicorn is observed by the gate, measured, and compared with a stack of ours; the page says how."""
    folder = tmp_path / "run"
    named = ("--targets", "bottle+granian,fastapi-native+uvicorn", "--out", str(folder))
    done = _bench("run", "--plan", "smoke", "--blocks", "2", *named)
    assert done.returncode in _TOLD, done.stderr
    summary = json.loads((folder / "summary.json").read_text())
    rows = [one for one in summary["comparisons"] if one["axis"] == "stack"]
    assert {one["endpoint"] for one in rows} == {"predict", "classify"}
    assert "invalid" not in {one["verdict"] for one in rows}
    gates = [line for line in (folder / "journal.jsonl").read_text().splitlines() if '"kind":"gate"' in line]
    assert len(gates) == 2
    assert "server and mode differ too" in (folder / "report.html").read_text()


def test_a_foreign_server_is_measured(tmp_path: Path) -> None:
    """Two addresses of one server that obeys the contract pass the gate and are compared with each other."""
    from servers.models.catalog import saved_models_dir  # noqa: PLC0415 - built by the runs above

    settings = Settings(models_dir=saved_models_dir())
    with launch(Target.parse("wsgi+waitress"), settings, tmp_path / "log") as server:
        server.wait_ready(120)
        done = _bench(
            *("run", "--plan", "smoke", "--endpoints", "predict", "--out", str(tmp_path / "run")),
            *("--url", f"a={server.base_url}", "--url", f"b={server.base_url}"),
        )
    assert done.returncode in _TOLD, done.stderr
    compared = json.loads((tmp_path / "run" / "summary.json").read_text())["comparisons"]
    assert {row["axis"] for row in compared} == {"noise", "url"}


def test_a_users_own_model_is_measured_and_resumed(tmp_path: Path) -> None:
    """A SavedModel of strings is measured with its payload; a mode that cannot run it is told; a resume keeps it."""
    folder, payload = tmp_path / "run", tmp_path / "words.json"
    payload.write_text('{"instances": ["cat", "horse"]}')
    done = _bench(
        *("run", "--plan", "smoke", "--targets", "flask,bottle,flask+gunicorn+xla", "--out", str(folder)),
        *("--model", f"words={user_saved_models() / 'strings'}", "--payload", str(payload)),
    )
    assert done.returncode in _TOLD, done.stderr
    assert "not run: flask+gunicorn+xla+cpu: mode xla cannot run it" in done.stdout
    summary = _summary(folder)
    assert summary["model"]["name"] == "words"  # type: ignore[index]
    assert {row["scenario"] for row in summary["results"]} == {"words@8"}  # type: ignore[attr-defined]
    assert all(row["errors"] == 0 < row["requests"] for row in summary["results"])  # type: ignore[attr-defined]

    # As if it had been killed in its last block.
    journal = folder / "journal.jsonl"
    records = [line for line in journal.read_text().splitlines() if '"kind":"end"' not in line]
    trials = [line for line in records if '"kind":"trial"' in line]
    journal.write_text("".join(f"{line}\n" for line in records if line not in trials[-3:]))
    resumed = _bench("run", "--resume", str(folder))
    assert resumed.returncode in _TOLD, resumed.stderr
    assert journal.read_text().count('"kind":"trial"') == len(trials)

    payload.write_text('{"instances": ["dog"]}')
    changed = _bench("run", "--resume", str(folder))
    assert changed.returncode == 2
    assert "has changed since the run began" in changed.stderr
