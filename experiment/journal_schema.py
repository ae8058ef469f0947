"""The JSON Schema of a run's journal, from the types that write it: `python -m experiment.journal_schema` renews it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import msgspec

from experiment.journal_records import JournalRecord
from servers.repository import REPOSITORY

FOLDER: Final = REPOSITORY / "docs" / "schemas"
JOURNAL: Final = FOLDER / "journal.schema.json"
TITLE: Final = "One line of a run's journal.jsonl"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INDENTED: Final = re.compile(r"\\n +")


def schema_text(kind: Any, title: str) -> str:
    """The schema of a type as a file's content; docstrings are its descriptions."""
    document = {"$schema": _DIALECT, "title": title, **msgspec.json.schema(kind)}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    return _INDENTED.sub(r"\\n", text) + "\n"


def write_schema(kind: Any, title: str, path: Path) -> None:
    """Write the schema of a type."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text(kind, title), encoding="utf-8")


if __name__ == "__main__":
    write_schema(JournalRecord, TITLE, JOURNAL)
