"""A run that was stopped at any instant: what counts, what is left, and what is said of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from run_views import journal_lines
from synthetic_run import TWIN, Truth, write_run

from commands.terminal import StandardError
from experiment.errors import ExpectedError
from experiment.journal import FILE_NAME, Journal, JournalError, read_records
from experiment.journal_records import BegunRecord, EndRecord
from experiment.planning import plan_experiment
from experiment.remainder import remainder
from experiment.remnants import VARIABLE, remnants, wait_until_gone
from experiment.resuming import resume_experiment, resumption
from experiment.rounds import Place
from experiment.run_folder import read_run
from experiment.run_request import RunRequest
from experiment.variants import BatchBounds
from loadtests.scenarios import scenario_from_id
from loadtests.search import Slo
from loadtests.trial_record import CapacityRecord, SloRecord, TrialRecord
from reports.render import render
from servers.repository import REPOSITORY

SMALL = Truth(blocks=2, samples=8, scenarios=("predict@1", "predict@4"), modes=("function",), native=False)
TARGETS = {"flask+gunicorn+function+cpu", TWIN + "#2", "bottle+gunicorn+function+cpu", "wsgi+gunicorn+function+cpu"}
EXPECTED = dict.fromkeys(SMALL.scenarios, TARGETS)
PLACES = [(block, scenario) for block in range(SMALL.blocks) for scenario in SMALL.scenarios]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANEW = 0.5
"""A throughput that no first attempt has."""


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small complete run."""
    return write_run(tmp_path_factory.mktemp("whole") / "run", SMALL)


def _cut(folder: Path, into: Path, length: int) -> Path:
    """The run as a kill would leave it when so many bytes of its journal were written; later samples are there."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    (into / "samples").mkdir()
    for path in (folder / "samples").iterdir():
        os.link(path, into / "samples" / path.name)
    (into / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes()[:length])
    return into


def _lengths(content: bytes) -> Iterator[int]:
    """Every line's end, and within every line after the first its first byte, its middle, and all but its newline."""
    end = 0
    for number, line in enumerate(content.splitlines(keepends=True)):
        begin, end = end, end + len(line)
        if number:
            yield from (begin + 1, begin + len(line) // 2, end - 1)
        yield end


def _go_on(folder: Path) -> tuple[Journal, list[Place]]:
    """Reopen, plan and take down the resumption, as `--resume` does; the places that are left."""
    journal = Journal.reopen(folder)
    run = read_run(folder)
    rest = remainder(run, EXPECTED)
    assert not set(rest.left) & rest.done
    journal.append(resumption(run, rest, torn_bytes=journal.torn_bytes, environment=run.environment, at=NOW))
    return journal, list(rest.left)


def _measure(journal: Journal, folder: Path, place: Place, figure: float) -> None:
    """The records of one whole trial, with that figure as every target's throughput."""
    block, scenario = place
    journal.append(BegunRecord(block=block, scenario=scenario, targets=tuple(sorted(TARGETS))))
    for record in _first_attempt(folder, place):
        journal.append(replace(record, throughput_rps=figure))


def _first_attempt(folder: Path, place: Place) -> list[TrialRecord]:
    trials = [one for one in read_records(folder) if isinstance(one, TrialRecord)]
    return [one for one in trials if (one.block, one.scenario) == place]


def test_a_journal_cut_anywhere_is_continued_without_loss_or_repetition(folder: Path, tmp_path: Path) -> None:
    """At every boundary and within every line: what is left is what has no whole trial, and in the end each has one."""
    content = (folder / FILE_NAME).read_bytes()
    cuts = 0
    for length in _lengths(content):
        cut = _cut(folder, tmp_path / "cut", length)
        written = [json.loads(line) for line in content[:length].split(b"\n")[:-1]]
        count = Counter((one["block"], one["scenario"]) for one in written if one["kind"] == "trial")
        begun = [(one["block"], one["scenario"]) for one in written if one["kind"] == "begun"]

        rest = remainder(read_run(cut), EXPECTED)
        assert rest.done == {place for place in PLACES if count[place] == len(TARGETS)}, length
        assert list(rest.left) == [place for place in PLACES if count[place] < len(TARGETS)]
        assert list(rest.void) == [place for place in PLACES if 0 < count[place] < len(TARGETS)]
        flying = [place for place in begun if place not in rest.done]
        told = [(rest.in_flight.block, rest.in_flight.scenario)] if rest.in_flight else []
        assert told == flying
        assert len(flying) <= 1

        Journal.reopen(cut).close()
        assert (cut / FILE_NAME).read_bytes() == content[: content.rfind(b"\n", 0, length) + 1]
        (cut / FILE_NAME).write_bytes(content[:length])
        journal, left = _go_on(cut)
        with journal:
            assert journal.torn_bytes == len(content[:length].rpartition(b"\n")[2])
            for place in left:
                _measure(journal, folder, place, ANEW)
            journal.append(EndRecord(complete=True, wall_s=1.0, measuring_s=1.0))
        run = read_run(cut)
        assert run.complete
        assert len(run.trials) == len(PLACES) * len(TARGETS)
        for trial in run.trials:
            assert (trial.throughput_rps == ANEW) is ((trial.block, trial.scenario) in left)
        cuts += 1
    assert cuts > 100


def test_two_attempts_at_one_trial_are_never_mixed(folder: Path, tmp_path: Path) -> None:
    """Killed with one target recorded, and again with the other three: that is no whole trial, and nothing counts."""
    content = (folder / FILE_NAME).read_bytes()
    lines = content.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"kind":"trial"' in line)
    cut = _cut(folder, tmp_path / "cut", sum(map(len, lines[: at + 1])))
    place = PLACES[0]
    records = _first_attempt(folder, place)

    journal, _ = _go_on(cut)
    with journal:
        for record in records[1:]:
            journal.append(replace(record, throughput_rps=ANEW))
    assert {trial.target for trial in read_run(cut).trials} == {record.target for record in records[1:]}
    assert remainder(read_run(cut), EXPECTED).done == frozenset()

    journal, left = _go_on(cut)
    journal.close()
    assert left[0] == place
    assert read_run(cut).trials == ()
    # Between the two stops nothing was begun, so nothing was in flight the second time.
    first, second = read_run(cut).resumptions
    assert first.in_flight is not None
    assert (first.in_flight.block, first.in_flight.scenario) == place
    assert second.in_flight is None
    assert len(read_run(cut).resumptions) == 2


def test_a_search_in_flight_begins_anew_and_one_that_is_recorded_does_not(folder: Path, tmp_path: Path) -> None:
    """A capacity that was found stays; one that was begun and not found is what was in flight."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    begun = BegunRecord(block=0, target=TWIN, endpoint="predict")
    with Journal.reopen(copy) as journal:
        journal.append(begun)
    flying = remainder(read_run(copy), EXPECTED)
    assert flying.in_flight == begun
    assert flying.searched == frozenset()
    with Journal.reopen(copy) as journal:
        slo = SloRecord(name="p99=50ms", quantile=0.99, limit_ms=50.0)
        journal.append(CapacityRecord(block=0, target=TWIN, endpoint="predict", slo=slo, valid=True))
    found = remainder(read_run(copy), EXPECTED)
    assert found.in_flight is None
    assert found.searched == {(0, TWIN, "predict")}


def test_a_trial_without_its_whole_samples_is_not_finished(folder: Path, tmp_path: Path) -> None:
    """A samples file that is missing or torn takes its trial with it, and files that no trial counts are strays."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    torn, missing = (str(_first_attempt(copy, place)[0].samples) for place in PLACES[:2])
    (copy / torn).write_bytes((copy / torn).read_bytes()[:100])
    (copy / missing).unlink()
    (copy / "samples" / "b9-x.npz.partial").write_bytes(b"half")

    rest = remainder(read_run(copy), EXPECTED)
    assert rest.done == set(PLACES[2:])
    assert rest.void == tuple(PLACES[:2])
    theirs = {copy / str(record.samples) for place in PLACES[:2] for record in _first_attempt(copy, place)}
    assert set(rest.strays) == theirs - {copy / missing} | {copy / "samples" / "b9-x.npz.partial"}


def test_resuming_cleans_up_and_says_so(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Strays are gone, samples that count stay, the journal names what was in flight, and the report tells of it."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    content = (copy / FILE_NAME).read_bytes()
    (copy / FILE_NAME).write_bytes(content[: content.rindex(b'{"kind":"trial"') + 40])
    (copy / "samples" / "b1-torn.npz.partial").write_bytes(b"half")
    kept = {one.samples for place in PLACES[:3] for one in _first_attempt(folder, place)}

    experiment = resume_experiment(copy, StandardError(), skip_check=False, figures=None)
    with pytest.raises(JournalError, match="still going on"):
        Journal.reopen(copy)
    experiment.journal.close()

    assert [(block, one.id) for block, one in experiment.waiting()] == PLACES[3:]
    assert {f"samples/{path.name}" for path in (copy / "samples").iterdir()} == kept
    said = journal_lines(copy)[-1]
    assert (said["kind"], said["torn_bytes"], said["finished"], said["left"]) == ("resumed", 40, 3, 1)
    assert (said["in_flight"]["block"], said["in_flight"]["scenario"]) == PLACES[3]
    assert said["void"] == [{"block": PLACES[3][0], "scenario": PLACES[3][1]}]
    assert "3 trials finished, 1 to come; predict@4 of block 2 begins anew" in capfd.readouterr().err
    render(copy)
    assert "stopped and resumed 1 time" in (copy / "report.html").read_text()


def test_the_twin_of_a_refused_target_is_not_waited_for(tmp_path: Path) -> None:
    """Refusal is recorded of the target alone; the trials without it and its twin are finished all the same."""
    truth = Truth(
        **{name: getattr(SMALL, name) for name in SMALL.__slots__} | {"refused": {TWIN: "wrong", f"{TWIN}#2": "wrong"}}
    )  # type: ignore[attr-defined]
    folder = write_run(tmp_path / "run", truth)
    lines = (folder / FILE_NAME).read_bytes().splitlines(keepends=True)
    twin = f'"target":"{TWIN}#2"'.encode()
    (folder / FILE_NAME).write_bytes(
        b"".join(line for line in lines[:-1] if not (b'"kind":"refused"' in line and twin in line))
    )

    experiment = resume_experiment(folder, StandardError(), skip_check=False, figures=None)
    experiment.journal.close()
    assert experiment.waiting() == []
    assert experiment.refused == {TWIN, f"{TWIN}#2"}


def test_a_complete_run_is_left_as_it_is(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Resuming it measures nothing and writes nothing."""
    before = (folder / FILE_NAME).read_bytes()
    experiment = resume_experiment(folder, StandardError(), skip_check=False, figures=None)
    experiment.run()
    assert (folder / FILE_NAME).read_bytes() == before
    assert "nothing is left to measure" in capfd.readouterr().err


def test_what_a_killed_run_has_started_ends_and_is_waited_for(tmp_path: Path) -> None:
    """A server under the guard outlives kill -9 of the harness by moments only, and resuming waits for it."""
    server = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(1), sys.exit()))\n"
        "print(1, flush=True)\n"
        "time.sleep(60)\n"
    )
    program = (
        "import subprocess, sys, time\n"
        "from pathlib import Path\n"
        "from experiment.remnants import mark\n"
        f"mark(Path({str(tmp_path)!r}))\n"
        f"guarded = [sys.executable, '-m', 'servers.guard', sys.executable, '-c', {server!r}]\n"
        "guard = subprocess.Popen(guarded, stdin=subprocess.PIPE)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    harness = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    assert harness.stdout is not None
    assert harness.stdout.readline() == b"1\n"
    assert VARIABLE not in os.environ
    # The guard and what it guards; the harness itself was not started by a run.
    assert len(remnants(tmp_path)) == 2

    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    assert remnants(tmp_path)
    wait_until_gone(tmp_path, StandardError())
    assert remnants(tmp_path) == []


def test_a_resumed_run_is_designed_as_the_run_was(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Contenders with their settings, scenarios, promise and seed come back from the header."""
    folder = tmp_path / "run"
    request = RunRequest(
        plan="quick",
        targets="flask,bottle+granian",
        urls=["mine=http://127.0.0.1:9"],
        scenarios=tuple(map(scenario_from_id, ("predict@16", "classify~poisson20rps/raw"))),
        vary={"threads": (40, 50), "inter_threads": (1, 2)},
        bounds=BatchBounds(batch=4, queue=12),
        slo=Slo.parse("p99=50ms"),
        seed=7,
        out=folder,
    )
    begun = plan_experiment(request, StandardError())
    begun.journal.close()
    resumed = resume_experiment(folder, StandardError(), skip_check=False, figures=None)
    resumed.journal.close()
    assert resumed.design == begun.design
    assert len(resumed.design.contenders) == 2 * 4 + 1 + 1
    assert {one.settings.threads for one in resumed.design.contenders if one.target} == {40, 50}
    assert resumed.waiting() == begun.waiting()


def test_a_resumed_run_goes_on_under_what_was_recorded(tmp_path: Path) -> None:
    """The header's settings count, whatever the defaults are by now; one that was changed since is trusted by name."""
    folder = tmp_path / "run"
    begun = plan_experiment(
        RunRequest(plan="smoke", targets="flask,bottle,flask-native", bounds=BatchBounds(batch=4), out=folder),
        StandardError(),
    )
    begun.journal.close()
    assert [one.settings.batch for one in begun.design.contenders] == [4, 4, 0, 4]
    path = folder / FILE_NAME
    path.write_text(path.read_text().replace('"keep_alive_s":300', '"keep_alive_s":299'))
    with pytest.raises(ExpectedError, match=f"was not begun here by you.*it names {sys.executable}"):
        resume_experiment(folder, StandardError(), skip_check=False, figures=None)
    resumed = resume_experiment(folder, StandardError(), skip_check=False, figures=None, trust=True)
    resumed.journal.close()
    assert {one.settings.keep_alive_s for one in resumed.design.contenders} == {299}
    assert [one.settings.batch for one in resumed.design.contenders] == [4, 4, 0, 4]
