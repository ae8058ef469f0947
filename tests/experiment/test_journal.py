"""The journal: what is written is read, a torn end is left out, and nothing is lost or overwritten in silence."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from msgspec.structs import replace
from synthetic_run import Truth, write_run

from experiment.journal import FILE_NAME, Journal, JournalError, read_records
from experiment.journal_records import EndRecord, RunRecord
from experiment.run_folder import read_run
from loadtests.trial_record import CeilingRecord, TrialRecord

SMALL = Truth(blocks=2, samples=20, scenarios=("predict@1",), modes=("function",), native=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small complete run."""
    return write_run(tmp_path / "run", SMALL)


def test_a_run_is_read_as_it_was_written(folder: Path) -> None:
    """Targets, scenarios, trials and the end come back with their figures."""
    run = read_run(folder)
    assert run.complete
    assert run.partial_reason is None
    assert [target.id for target in run.targets if target.twin_of] == ["flask+gunicorn+function+cpu#2"]
    assert len(run.trials) == 2 * 4
    assert all(trial.unusable() is None for trial in run.trials)


def test_a_torn_last_line_is_left_out_and_the_run_is_partial(folder: Path) -> None:
    """Cut inside its last record, the journal gives every record before it, and the run is partial."""
    path = folder / FILE_NAME
    whole = read_records(folder)
    path.write_bytes(path.read_bytes()[:-20])
    assert read_records(folder) == whole[:-1]
    run = read_run(folder)
    assert not run.complete
    assert "killed" in (run.partial_reason or "")


def test_reopening_cuts_the_torn_line_and_appends_after_it(folder: Path) -> None:
    """A resumed journal is whole again: the torn record is gone and the new one is the last."""
    path = folder / FILE_NAME
    path.write_bytes(path.read_bytes()[:-20])
    before = read_records(folder)
    with Journal.reopen(folder) as journal:
        journal.append(EndRecord(complete=True, wall_s=1.0, measuring_s=0.5))
    assert read_records(folder)[:-1] == before
    assert read_run(folder).complete


def test_records_after_an_end_make_the_run_partial_again(folder: Path) -> None:
    """A run that was resumed and killed is not complete, although an end was once written."""
    trial = next(record for record in read_records(folder) if isinstance(record, TrialRecord))
    with Journal.reopen(folder) as journal:
        journal.append(replace(trial, throughput_rps=1.5))
    run = read_run(folder)
    assert not run.complete
    assert [one.throughput_rps for one in run.trials if one.block == 0 and one.target == trial.target] == [1.5]


def test_every_append_is_in_the_file_when_it_returns(folder: Path) -> None:
    """Another reader sees the record although the writer has not closed the file."""
    count = len(read_records(folder))
    with Journal.reopen(folder) as journal:
        journal.append(EndRecord(complete=False, reason="killed", wall_s=1.0, measuring_s=1.0))
        assert len(read_records(folder)) == count + 1


def test_a_journal_is_never_overwritten(folder: Path) -> None:
    """Creating one where one is raises, and leaves it as it was and nothing beside it."""
    files = sorted(folder.iterdir())
    content = (folder / FILE_NAME).read_bytes()
    header = read_records(folder)[0]
    assert isinstance(header, RunRecord)
    with pytest.raises(JournalError, match="exists already"):
        Journal.create(folder, header)
    assert (folder / FILE_NAME).read_bytes() == content
    assert sorted(folder.iterdir()) == files


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_figure_that_is_not_a_number_is_not_written(folder: Path, broken: float) -> None:
    """NaN and infinity raise before a byte of their record is written."""
    content = (folder / FILE_NAME).read_bytes()
    with Journal.reopen(folder) as journal, pytest.raises(JournalError, match="cannot be written"):
        journal.append(CeilingRecord(ceiling_rps=broken, overhead_us=1.0, users=1, cpu_share=0.5))
    assert (folder / FILE_NAME).read_bytes() == content


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{broken", "line 3: JSON is malformed"),
        (b'{"kind":"trial","throughput_rps":NaN}', "line 3: JSON is malformed"),
        (b'{"kind":"riddle"}', r"line 3: Invalid value 'riddle' - at `\$.kind`"),
        (b"[]", "line 3: Expected `object`, got `array`"),
        (b'{"kind":"launch"}', "line 3: Object missing required field `block`"),
        (b'{"kind":"launch","block":"0","target":"a"}', r"line 3: Expected `int`, got `str` - at `\$.block`"),
        (b'{"kind":"end","complete":"yes"}', r"line 3: Expected `bool`, got `str` - at `\$.complete`"),
    ],
)
def test_a_broken_record_is_named_by_its_line(folder: Path, line: bytes, message: str) -> None:
    """A line that is not a record inside the journal is an error that says where and what, never skipped."""
    path = folder / FILE_NAME
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(JournalError, match=message):
        read_run(folder)


def test_another_schema_is_refused(folder: Path) -> None:
    """A journal of a later schema is not guessed at."""
    path = folder / FILE_NAME
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(json.dumps(json.loads(first) | {"schema_version": 2}).encode() + b"\n" + rest)
    with pytest.raises(JournalError, match="schema_version 2"):
        read_run(folder)


def test_a_folder_without_a_journal_is_said_to_be_none(tmp_path: Path) -> None:
    """The error names the file that is missing."""
    with pytest.raises(JournalError, match="not a run folder"):
        read_run(tmp_path)
