"""A run folder with everything that a page can show, made and drawn: ladder, capacities, encodings, invalid trials.

Beside it rows of a summary by hand, and a journal as plain JSON: for tests that must not take a record's own types for
what stands in the file.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin

from msgspec import Struct, structs
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import Truth, write_run

from commands.run_outcome import print_outcome
from commands.terminal import StandardOutput
from experiment.journal import FILE_NAME, Journal
from experiment.journal_records import EndRecord
from loadtests.trial_record import CapacityProbe, CapacityRecord, RampStep, SloRecord
from reports.render import render
from reports.summary import Summary

TRUTH: Final = Truth(
    samples=150,
    blocks=3,
    scenarios=("predict@1", "predict@16", "predict@16/raw", "predict~poisson200rps"),
    modes=("function", "eager"),
    native=False,
    invalid={"wsgi+gunicorn+eager+cpu": "the generator was at 91 % CPU"},
)
_FLASK: Final = "flask+gunicorn+function+cpu"


def outcome(summary: Summary, folder: str, width: int = 80) -> str:
    """What a run says of itself in a pipe of that many columns."""
    file = io.StringIO()
    print_outcome(StandardOutput(file=file, width=width), summary, folder)
    return file.getvalue()


def searched(block: int, target: str, rate_rps: float | None, reason: str | None = None) -> CapacityRecord:
    """One search for a capacity as the journal has it."""
    return CapacityRecord(
        block=block,
        target=target,
        endpoint="predict",
        slo=SloRecord(name="p99=50ms", quantile=0.99, limit_ms=50.0),
        rate_rps=rate_rps,
        failed_rps=rate_rps and 1.04 * rate_rps,
        saturated_rps=1000.0 + block,
        saturated_users=8,
        unstable=block == 1,
        ramp=(RampStep(users=1, rps=600.0, steady=True),),
        probes=(CapacityProbe(rate_rps=500.0, requests=800, over=0, outcome="holds"),),
        valid=True,
        reason=reason,
    )


def draw_whole(folder: Path, *, native: bool = False) -> Path:
    """Make such a run in `folder` and draw it; with `native`, the article's own code is among the targets."""
    path = write_ladder(write_run(folder, replace(TRUTH, native=native)), LadderTruth())
    with Journal.reopen(path) as journal:
        journal.append(*(searched(block, _FLASK, 700.0 + block) for block in range(3)))
        journal.append(EndRecord(complete=True, wall_s=1.0, measuring_s=0.5))
    render(path, price_per_core_hour=0.04)
    return path


Row = TypeVar("Row", bound=Struct)

BLANKS: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: True}


def filled(kind: type[Row], **known: Any) -> Row:
    """A row of that type: None where that may be, else nothing of its type, in every member that is not named."""
    return kind(
        **{one.name: _blank(one.type) for one in structs.fields(kind) if one.required and one.name not in known},
        **known,
    )


def _blank(kind: Any) -> Any:
    if NoneType in get_args(kind):
        return None
    if isinstance(kind, type) and issubclass(kind, Struct):
        return filled(kind)
    return BLANKS[kind] if kind in BLANKS else (get_origin(kind) or kind)()


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    """Every line; a torn last one is left out."""
    whole, _, _torn = (folder / FILE_NAME).read_text(encoding="utf-8").rpartition("\n")
    return [json.loads(line) for line in whole.split("\n")]


def write_lines(folder: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write the journal anew."""
    (folder / FILE_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
