"""What of a journal counts, where a run was stopped and resumed.

Before a trial the journal has a `begun` record, of its place (`block`, `scenario`) and its `targets`; a search for a
capacity likewise (`block`, `target`, `endpoint`). A run that goes on writes a `resumed` record first:

    {"kind": "resumed", "at_utc", "torn_bytes": of the last line that was cut off, "in_flight": the `begun` record of
     what was under way or null, "void": [{"block", "scenario"}] the places that are measured anew,
     "finished": trials that stay, "left": trials to come, "changed": [names of what is not as it was at the start]}

The targets of one trial are measured in turn, slice by slice, and are compared within it. So what was written of some
of them before the end came does not count beside what another attempt gave for the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Record = dict[str, Any]


def without_void(records: Iterable[Mapping[str, Any]]) -> list[Record]:
    """The trial records that count, in the order written. Raises KeyError for a record without its place."""
    counting: list[Record] = []
    for record in records:
        if record["kind"] == "trial":
            counting.append(dict(record))
        elif record["kind"] == "resumed":
            void = {(place["block"], place["scenario"]) for place in record["void"]}
            counting = [one for one in counting if (one.get("block"), one.get("scenario")) not in void]
    return counting


def last_begun(records: Iterable[Mapping[str, Any]]) -> Record | None:
    """What was begun last since the run was started or resumed: under way, unless its results follow."""
    found: Record | None = None
    for record in records:
        if record["kind"] == "begun":
            found = dict(record)
        elif record["kind"] == "resumed":
            found = None
    return found
