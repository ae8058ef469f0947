"""The record's types: they write what they read, older journals open, and a newer writer's members are passed over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from run_views import journal_lines, write_lines
from synthetic_run import Truth, write_run

from experiment.archive import opened
from experiment.journal import encode, read_records
from experiment.journal_records import JournalRecord
from experiment.run_folder import read_run
from reports.published_schemas import JOURNAL, schema_texts
from reports.render import render
from servers.repository import REPOSITORY

FIRST = Path(__file__).parent / "data" / "version-1"
"""A run with no more members in any record than the first program wrote that had this schema."""
SMALL = Truth(blocks=2, samples=20, scenarios=("predict@1", "predict~poisson200rps"), modes=("function",))


def test_a_journal_of_the_first_program_still_opens(tmp_path: Path) -> None:
    """What it lacks has a default, its figures are read, and its report is drawn."""
    folder = shutil.copytree(FIRST, tmp_path / "run")
    run = read_run(folder)
    assert run.complete
    assert (run.price_per_core_hour, run.expect_workers, run.model, run.begun) == (None, None, None, None)
    assert [target.id for target in run.targets if target.twin_of is None] == [
        "flask+gunicorn+function+cpu",
        "bottle+gunicorn+function+cpu",
    ]
    written = {(one["block"], one["target"]): one for one in journal_lines(FIRST) if one["kind"] == "trial"}
    assert len(run.trials) == len(written) == 6
    for trial in run.trials:
        assert trial.throughput_rps == written[trial.block, trial.target]["throughput_rps"]
        assert (trial.unusable(), trial.steady, trial.workers, trial.pss_mib) == (None, None, None, None)
    render(folder)
    summary = json.loads((folder / "summary.json").read_text())
    assert [row["valid"] for row in summary["results"]] == [True, True, True]
    assert summary["kept_every"] == run.kept_every == 24


def test_what_is_read_is_written_again_alike(tmp_path: Path) -> None:
    """Every kind of line, decoded and encoded, is the same JSON in the same order."""
    folder = write_run(tmp_path / "run", SMALL)
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    assert [encode(record) for record in read_records(folder)] == lines
    assert len({type(record) for record in read_records(folder)}) >= 7


def test_a_member_of_a_newer_writer_is_passed_over(tmp_path: Path) -> None:
    """In any record, and inside of any object in it, an unknown member changes nothing that is read."""
    folder = write_run(tmp_path / "run", SMALL)
    before = read_records(folder)
    write_lines(folder, [_with_more(line) for line in journal_lines(folder)])
    assert read_records(folder) == before


def _with_more(value: object) -> dict[str, object]:
    """The object with one member more, and so in each object within it whose members have names of their own."""
    assert isinstance(value, dict)
    open_ones = ("settings", "packages", "flags", "metadata", "error_kinds", "counts", "topics")

    def inner(name: str, one: object) -> object:
        if name in open_ones:
            return one
        if isinstance(one, list):
            return [inner(name, each) for each in one]
        return _with_more(one) if isinstance(one, dict) else one

    return {name: inner(name, one) for name, one in value.items()} | {"of_the_future": [1]}


def test_a_setting_that_nobody_knows_is_kept(tmp_path: Path) -> None:
    """Two targets that differ in it must not pass for equal."""
    known = "bottle+gunicorn+function+cpu"
    folder = write_run(tmp_path / "run", Truth(blocks=2, samples=20, settings={known: {"turbo_boost": "on"}}))
    target = read_run(folder).target(known)
    assert target is not None
    assert target.settings["turbo_boost"] == "on"


@pytest.mark.parametrize("kind", msgspec.inspect.type_info(JournalRecord).types)  # type: ignore[attr-defined]
def test_every_kind_of_line_is_frozen_and_named(kind: msgspec.inspect.StructType) -> None:
    """A record is not changed after it was made, and each has a kind of its own."""
    assert kind.cls.__struct_config__.frozen
    assert kind.tag_field == "kind"


EXAMPLE = REPOSITORY / "docs" / "example" / "run.zip"


@pytest.fixture(name="validator", scope="module")
def _validator() -> Draft202012Validator:
    document = json.loads(JOURNAL.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def test_the_published_schema_is_that_of_the_types() -> None:
    """After a change to a record: `python -m reports.published_schemas`."""
    assert JOURNAL.read_text(encoding="utf-8") == schema_texts()[JOURNAL]


@pytest.mark.parametrize("run", [EXAMPLE, FIRST], ids=lambda run: run.name)
def test_a_published_journal_holds_to_the_schema(run: Path, validator: Draft202012Validator) -> None:
    """Every line of the example and of the oldest journal that is kept."""
    with opened(run) as folder:
        _hold(journal_lines(folder), validator)


def test_a_new_journal_holds_to_the_schema(tmp_path: Path, validator: Draft202012Validator) -> None:
    """Every line that the types write."""
    truth = Truth(blocks=2, samples=20, refused={"bottle+gunicorn+function+cpu": "wrong"})
    _hold(journal_lines(write_run(tmp_path / "run", truth)), validator)


@pytest.mark.parametrize(
    "line",
    [{"kind": "riddle"}, {"kind": "launch", "block": 0}, {"kind": "launch", "block": "0", "target": "a"}, {}],
)
def test_what_is_no_record_does_not(line: dict[str, Any], validator: Draft202012Validator) -> None:
    """An unknown kind, a missing member, a wrong type."""
    assert not validator.is_valid(line)


def _hold(lines: list[dict[str, Any]], validator: Draft202012Validator) -> None:
    found = [error.message[:200] for line in lines for error in validator.iter_errors(line)]
    assert lines
    assert found == []
