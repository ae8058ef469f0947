"""kill -9 of the harness at random instants of the main job, and what `--resume` makes of each. Takes minutes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from run_views import journal_lines

from commands.terminal import StandardError
from experiment.built_models import built_models
from experiment.journal import FILE_NAME
from experiment.remnants import remnants
from experiment.run_folder import read_run
from servers.launch import launch
from servers.repository import REPOSITORY
from servers.settings import Settings
from servers.target import Target

pytestmark = pytest.mark.kills

KILLS = int(os.environ.get("KILLS", "20"))
SEED = int(os.environ.get("KILLS_SEED", "1"))
_TOLD = (0, 3)
"""A noisy machine may leave the question open, which is an honest end of a run."""
_PATIENCE_S = 240
_BENCH = (sys.executable, str(REPOSITORY / "bench.py"))
_RUN = ("run", "--plan", "smoke", "--endpoints", "predict", "--seed", "3")
_LAUNCHED_EVERY = 4
"""So many kills to one of a run with servers of its own and the gate; the others measure a server that stays up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A run that nobody disturbed: its options, the time from its journal's first line to its last, and its places."""

    options: tuple[str, ...]
    took_s: float
    places: Counter[tuple[int, str, str]]


def _started(folder: Path, options: tuple[str, ...]) -> subprocess.Popen[bytes]:
    """The run, as soon as it has a journal."""
    process = subprocess.Popen(
        [*_BENCH, *_RUN, *options, "--out", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until_s = time.monotonic() + _PATIENCE_S
    while not (folder / FILE_NAME).exists():
        assert process.poll() is None
        assert time.monotonic() < until_s
        time.sleep(0.01)
    return process


def _places(folder: Path) -> Counter[tuple[int, str, str]]:
    return Counter((one.block, one.target, one.scenario) for one in read_run(folder).trials)


def _attempts(folder: Path) -> list[tuple[int, str]]:
    """The trials that were begun, in order: one that was begun anew is there twice."""
    return [(one["block"], one["scenario"]) for one in journal_lines(folder) if one["kind"] == "begun"]


def _undisturbed(folder: Path, *options: str) -> Whole:
    process = _started(folder, options)
    began_s = time.monotonic()
    # What follows the last line is the drawing of the report, which would take a third of the kills.
    while journal_lines(folder)[-1]["kind"] != "end":
        assert time.monotonic() < began_s + _PATIENCE_S
        time.sleep(0.05)
    took_s = time.monotonic() - began_s
    assert process.wait(_PATIENCE_S) in _TOLD
    return Whole(options=options, took_s=took_s, places=_places(folder))


@pytest.fixture(name="launched", scope="module")
def _launched(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A run whose servers are its own."""
    return _undisturbed(tmp_path_factory.mktemp("launched") / "run", "--targets", "flask")


@pytest.fixture(name="foreign", scope="module")
def _foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """A run on a server that is none of its own, beside which it starts its generator and the null server."""
    folder = tmp_path_factory.mktemp("foreign")
    settings = Settings(models_dir=built_models(StandardError()))
    with launch(Target.parse("wsgi+waitress"), settings, folder / "log") as server:
        server.wait_ready(_PATIENCE_S)
        yield _undisturbed(folder / "run", "--skip-check", "--url", f"a={server.base_url}")


@pytest.mark.parametrize("number", range(KILLS))
def test_a_killed_run_is_completed(number: int, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What was finished stays as it was, at most the trial in flight is begun twice, and nothing is left running."""
    whole: Whole = request.getfixturevalue("foreign" if number % _LAUNCHED_EVERY else "launched")
    folder = tmp_path / "run"
    process = _started(folder, whole.options)
    # An n-th of the run for each of n kills, and the instant within it by chance: no part of a run is left out.
    share = (number + random.Random(f"{SEED}/{number}").random()) / KILLS  # noqa: S311 - an instant, not a secret
    time.sleep(share * whole.took_s)
    process.send_signal(signal.SIGKILL)
    process.wait()

    before = journal_lines(folder)
    finished = _lines(before)
    print(f"kill {number}: at {share:.0%}, {len(finished)} lines of trials, last {before[-1]['kind']}", flush=True)
    command = [*_BENCH, "run", *(("--skip-check",) if "--skip-check" in whole.options else ()), "--resume", str(folder)]
    resumed = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)

    assert resumed.returncode in _TOLD, resumed.stderr
    assert json.loads((folder / "summary.json").read_text())["complete"] is True
    assert remnants(folder) == []
    assert _places(folder) == whole.places
    after = journal_lines(folder)
    assert after[: len(before)] == before
    told = [one for one in after if one["kind"] == "resumed"]
    assert len(told) == (0 if before[-1]["kind"] == "end" else 1)
    anew = [place for place, times in Counter(_attempts(folder)).items() if times > 1]
    assert anew == [(one["in_flight"]["block"], one["in_flight"]["scenario"]) for one in told if one["in_flight"]]
    void = {(place["block"], place["scenario"]) for one in told for place in one["void"]}
    assert void <= set(anew)
    # A line a trial and target, and one more only where it was void.
    lines = _lines(after)
    assert len(lines) == whole.places.total() + sum((one["block"], one["scenario"]) in void for one in finished)
    samples = {one.samples for one in read_run(folder).trials}
    assert {f"samples/{path.name}" for path in (folder / "samples").iterdir()} == samples


def _lines(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in records if one["kind"] == "trial"]
