"""A run folder that somebody else made gets nobody out of it, and a disk that is full leaves a run that can be read."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from synthetic_run import Truth, write_run

from commands.terminal import StandardError
from experiment.errors import USAGE, ExpectedError
from experiment.foreign_ground import MOST_JOURNAL_BYTES, read_file, write_file
from experiment.journal import FILE_NAME, RESERVE, Journal, JournalError
from experiment.journal_records import EndRecord
from experiment.resuming import resume_experiment
from experiment.run_folder import read_run
from reports.latencies import SamplesError, read
from reports.render import render
from servers.repository import REPOSITORY

SMALL = Truth(blocks=1, samples=8, scenarios=("predict@1",), modes=("function",), native=False)


@pytest.fixture(name="whole", scope="module")
def _whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("whole") / "run", SMALL)


@pytest.fixture(name="run")
def _run(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "run")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    "name", ["samples", "logs", "plots", "summary.json.partial", "ladder.json", "logs/block0/a.log"]
)
@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/dev/zero"), os.mkfifo, _socket])
def test_a_run_with_what_leads_out_of_it_is_not_touched(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Path], None]
) -> None:
    """A link, a pipe or a socket in place of any file: drawing, comparing and resuming name it, and write nothing."""
    monkeypatch.chdir(run.parent)
    shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink(missing_ok=True)
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    make(run / name)
    before = sorted(run.rglob("*"))
    for work in (render, read_run, Journal.reopen):
        with pytest.raises(ExpectedError, match=str(run / name)) as told:
            work(run)
        assert told.value.code == USAGE
    assert sorted(run.rglob("*")) == before


def test_nothing_outside_is_deleted_or_overwritten(run: Path, tmp_path: Path) -> None:
    """Where `samples` points elsewhere, and where a half-written file does: what they point to stays as it was."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "b0-thesis.npz").write_text("precious")
    shutil.rmtree(run / "samples")
    (run / "samples").symlink_to(home)
    with pytest.raises(ExpectedError, match="symbolic link"):
        resume_experiment(run, StandardError(), skip_check=True, figures=None)
    out = tmp_path / "out"
    out.mkdir()
    (out / "summary.json.partial").symlink_to(home / "b0-thesis.npz")
    write_file(out / "summary.json", "{}")
    assert (home / "b0-thesis.npz").read_text() == "precious"
    assert not (out / "summary.json").is_symlink()


def test_only_what_a_run_could_have_written_is_removed(run: Path) -> None:
    """A resume removes samples that no trial counts, by the names that trials give; whatever else lies there stays."""
    journal = (run / FILE_NAME).read_bytes().splitlines(keepends=True)
    (run / FILE_NAME).write_bytes(b"".join(line for line in journal if not line.startswith(b'{"kind":"end"')))
    ours, theirs = run / "samples" / "b7-predict@1-0-x.npz", run / "samples" / "thesis.npz"
    for path in (ours, theirs, run / f".{FILE_NAME}.notes"):
        path.write_text("x")
    resume_experiment(run, StandardError(), skip_check=True, figures=None).journal.close()
    assert not ours.exists()
    assert theirs.exists()
    assert (run / f".{FILE_NAME}.notes").exists()


@pytest.mark.parametrize("member", [{"python": "/opt/evil"}, {"models_dir": "/opt/evil"}])
def test_nothing_that_a_changed_header_names_is_run(run: Path, member: dict[str, str]) -> None:
    """An interpreter and a folder of models that the harness did not write down itself need the user's word."""
    header, _, rest = (run / FILE_NAME).read_bytes().partition(b"\n")
    changed = json.loads(header)
    for target in changed["targets"]:
        target["settings"] |= member
    (run / FILE_NAME).write_bytes(json.dumps(changed).encode() + b"\n" + rest)
    with pytest.raises(ExpectedError, match="was not begun here by you") as told:
        resume_experiment(run, StandardError(), skip_check=True, figures=None)
    assert "--trust-run" in told.value.hint
    assert told.value.code == USAGE


@pytest.mark.parametrize(
    "path", ["/dev/zero", "../other.npz", "samples/../../x.npz", "samples/x.npz/", "journal.jsonl"]
)
def test_samples_are_named_within_the_run(run: Path, path: str) -> None:
    """A trial whose samples would be elsewhere makes a journal that is refused, with the line."""
    lines = [json.loads(line) for line in (run / FILE_NAME).read_text().splitlines()]
    for one in lines:
        if one["kind"] == "trial":
            one["samples"] = path
    (run / FILE_NAME).write_text("".join(json.dumps(one) + "\n" for one in lines))
    with pytest.raises(JournalError, match=r"line \d+: .*samples"):
        read_run(run)


def test_sizes_are_bounded_before_anything_is_read(run: Path, tmp_path: Path) -> None:
    """A sparse terabyte, samples that unpack to a gigabyte, a header that claims one: refused in little memory."""
    with pytest.raises(ExpectedError, match="is the most"):
        read_file(_sparse(tmp_path / "large", 1 << 40))
    os.truncate(run / FILE_NAME, MOST_JOURNAL_BYTES + 1)
    with pytest.raises(ExpectedError, match="is the most"):
        read_run(run)
    bomb = tmp_path / "b0-bomb.npz"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("phase", "error", "due_ns", "sent_ns", "done_ns"):
            archive.writestr(f"{name}.npy", bytes(1 << 24))
    with pytest.raises(SamplesError, match="packed"):
        read(bomb)
    np.savez(
        tmp_path / "b0-claims.npz", **dict.fromkeys(("phase", "error", "due_ns", "sent_ns", "done_ns"), np.arange(1))
    )
    claims = (tmp_path / "b0-claims.npz").read_bytes().replace(b"(1,), }          ", b"(99999999999,), }")
    (tmp_path / "b0-claims.npz").write_bytes(claims)
    with pytest.raises(SamplesError):
        read(tmp_path / "b0-claims.npz")


def _sparse(path: Path, size: int) -> Path:
    path.touch()
    os.truncate(path, size)
    return path


def _limited(size: int) -> Callable[[], None]:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


def test_a_line_that_does_not_fit_leaves_nothing_and_the_last_one_has_room(run: Path) -> None:
    """Where a file may not grow, an append raises with the path and the journal is as it was, whatever of it fitted."""
    before = (run / FILE_NAME).read_bytes()
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from experiment.journal import Journal\n"
        "from experiment.journal_records import EndRecord\n"
        "journal = Journal.reopen(Path(sys.argv[1]))\n"
        "try:\n"
        "    journal.append(EndRecord(reason='x' * 90_000))\n"
        "except OSError as error:\n"
        "    print(error.filename)\n"
        "journal.end(EndRecord(reason='full'))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(run)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_limited(max(len(before) + 1000, 70_000)),
    )
    assert (ran.stdout.strip(), ran.stderr) == (str(run / FILE_NAME), "")
    assert (run / FILE_NAME).read_bytes().startswith(before)
    found = read_run(run)
    assert found.end == EndRecord(reason="full")
    assert not (run / RESERVE).exists()
