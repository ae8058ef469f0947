"""Cases that generated requests have found, as data: one JSON object a line in `found_by_fuzzing.jsonl`.

`python3 bench.py fuzz` writes such lines; a person gives the case its name, its claim and what exactly it expects.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from conformance.documents import case_of

_FILE: Final = Path(__file__).with_suffix(".jsonl")

CASES: Final = tuple(case_of(json.loads(line)) for line in _FILE.read_text("utf-8").splitlines())
