"""A ladder.json with known truth, in pytest-benchmark's shape: what the report must find in it is chosen here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

PIECES_US: Mapping[str, float] = {"validation": 3.0, "decode": 5.0, "encode": 4.0}
TAX_US: Mapping[str, float] = {"wsgi": 20.0, "bottle": 60.0, "flask": 150.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Microseconds of each piece. `unaccounted_us` is spent in the codec and in none of its laps."""

    model_us: float = 100.0
    server_us: float = 200.0
    tax_us: Mapping[str, float] = field(default_factory=lambda: TAX_US)
    unaccounted_us: float = 0.0
    noise: float = 0.05
    drift: float = 0.3
    rounds: int = 120
    payloads: int = 4
    endpoint: str = "predict"
    seed: int = 3


def write_ladder(folder: Path, *truths: Truth) -> Path:
    """Write `ladder.json` with one group a truth."""
    benchmarks = [entry for truth in truths for entry in _group(truth)]
    (folder / "ladder.json").write_text(json.dumps({"benchmarks": benchmarks}))
    return folder


def variants_of(truth: Truth) -> dict[tuple[str, str, str], float]:
    """The true microseconds of every variant, by rung, framework and twin."""
    codec = truth.model_us + sum(PIECES_US.values()) + truth.unaccounted_us
    found = {("core", "", ""): truth.model_us, ("codec", "", ""): codec, ("inference", "", ""): truth.model_us}
    found |= {(name, "", ""): value for name, value in PIECES_US.items()}
    found |= {("wsgi", "null", ""): 1.0, ("http", "null", ""): 1.0 + truth.server_us}
    for framework, tax in truth.tax_us.items():
        found["wsgi", framework, ""] = codec + tax
        found["http", framework, ""] = codec + tax + truth.server_us
    found["wsgi", "flask", "again"] = found["wsgi", "flask", ""]
    return found


def _group(truth: Truth) -> list[dict[str, Any]]:
    rng = np.random.default_rng(truth.seed)
    size = (truth.rounds, truth.payloads)
    # The machine's drift moves all variants of a round together; payloads differ, each the same way for all.
    drift = np.exp(np.cumsum(rng.normal(0, truth.drift / np.sqrt(truth.rounds), truth.rounds)))[:, None]
    drift /= np.median(drift)
    return [
        {
            "name": f"test_rung[{rung}-{framework}]",
            "stats": {"iterations": truth.payloads},
            "extra_info": {
                "rung": rung,
                "framework": framework,
                "twin": twin,
                "server": "gunicorn" if rung == "http" else "",
                "mode": "function",
                "endpoint": truth.endpoint,
                "encoding": "json",
                "calls_ns": [
                    int(value * 1e3)
                    for value in (true_us * drift * np.exp(rng.normal(0, truth.noise, size))).ravel().tolist()
                ],
            },
        }
        for (rung, framework, twin), true_us in variants_of(truth).items()
    ]
