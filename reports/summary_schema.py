"""The JSON Schema of summary.json, from the types that write it: `python -m reports.summary_schema` writes it anew."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import msgspec

from reports.summary import FILE_NAME, Summary

PATH: Final = Path(__file__).parent.parent / "docs" / "schemas" / "summary.schema.json"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INDENTED: Final = re.compile(r"\\n +")


def schema_text() -> str:
    """The schema as a file's content; docstrings are its descriptions."""
    document = {"$schema": _DIALECT, "title": f"A run's {FILE_NAME}", **msgspec.json.schema(Summary)}
    return _INDENTED.sub(r"\\n", json.dumps(document, indent=1, ensure_ascii=False)) + "\n"


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(schema_text(), encoding="utf-8")
