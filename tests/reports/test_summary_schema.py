"""The published schema of summary.json is that of its types, and what a report writes keeps it."""

from __future__ import annotations

import json

import jsonschema
import msgspec
import pytest
from synthetic_run import Truth, write_run

from experiment.run_folder import read_run
from reports import summary_schema
from reports.summarising import summarise
from reports.summary import Summary, to_json

SMALL = Truth(samples=100, blocks=2, scenarios=("predict@1", "predict@16/protobuf"), modes=("function",), native=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A summary's text."""
    return to_json(summarise(read_run(write_run(tmp_path_factory.mktemp("schema") / "run", SMALL))))


def test_the_published_schema_is_that_of_the_types() -> None:
    """After a change of a type `python -m reports.summary_schema` writes it anew."""
    assert summary_schema.PATH.read_text(encoding="utf-8") == summary_schema.schema_text()


def test_a_written_summary_keeps_the_schema(written: str) -> None:
    """A figure that is a word breaks it."""
    schema = json.loads(summary_schema.schema_text())
    document = json.loads(written)
    jsonschema.validate(document, schema)
    document["results"][0]["requests"] = "many"
    with pytest.raises(jsonschema.ValidationError, match="many"):
        jsonschema.validate(document, schema)


def test_what_is_written_is_read_back_to_the_byte(written: str) -> None:
    """Reading through the types and writing again changes nothing."""
    assert to_json(msgspec.json.decode(written, type=Summary)) == written


def test_every_object_of_the_schema_is_described() -> None:
    """Each description is its type's docstring."""
    definitions = json.loads(summary_schema.schema_text())["$defs"]
    assert len(definitions) > 25
    assert all(one["description"] for one in definitions.values())
