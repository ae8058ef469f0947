"""The JSON Schema in docs/schemas is the one of the types, and journals hold to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from journal_lines import journal_lines
from jsonschema import Draft202012Validator
from synthetic_run import Truth, write_run

from experiment.archive import opened
from experiment.journal_schema import JOURNAL, TITLE, schema_text
from experiment.run_record import JournalRecord
from servers.repository import REPOSITORY

EXAMPLE = REPOSITORY / "docs" / "example" / "run.zip"
FIRST = Path(__file__).parent / "data" / "version-1"


@pytest.fixture(name="validator", scope="module")
def _validator() -> Draft202012Validator:
    document = json.loads(JOURNAL.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(document)
    return Draft202012Validator(document)


def test_the_published_schema_is_that_of_the_types() -> None:
    """After a change to a record: `python -m experiment.journal_schema`."""
    assert JOURNAL.read_text(encoding="utf-8") == schema_text(JournalRecord, TITLE)


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
