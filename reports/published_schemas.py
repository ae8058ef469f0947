"""The JSON Schemas of a run's files, from the types that write them; `python -m reports.published_schemas` renews."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from experiment.journal_records import JournalRecord
from reports.summary import FILE_NAME, Summary

FOLDER: Final = Path(__file__).parent.parent / "docs" / "schemas"
JOURNAL: Final = FOLDER / "journal.schema.json"
SUMMARY: Final = FOLDER / "summary.schema.json"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INDENTED: Final = re.compile(r"\\n +")


def schema_texts() -> Mapping[Path, str]:
    """The content of each schema's file; the types' docstrings are its descriptions."""
    return {
        JOURNAL: _schema_text(JournalRecord, "One line of a run's journal.jsonl"),
        SUMMARY: _schema_text(Summary, f"A run's {FILE_NAME}"),
    }


def _schema_text(kind: Any, title: str) -> str:
    document = {"$schema": _DIALECT, "title": title, **msgspec.json.schema(kind)}
    return _INDENTED.sub(r"\\n", json.dumps(document, indent=1, ensure_ascii=False)) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in schema_texts().items():
        path.write_text(text, encoding="utf-8")
