"""What of a journal counts, where a run was stopped and resumed.

The targets of one trial are measured in turn, slice by slice, and are compared within it. So what was written of some
of them before the end came does not count beside what another attempt gave for the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from experiment.run_record import BegunRecord, JournalRecord, ResumedRecord
from loadtests.trial_record import TrialRecord


def without_void(records: Iterable[JournalRecord]) -> list[TrialRecord]:
    """The trials that count, in the order written."""
    counting: list[TrialRecord] = []
    for record in records:
        if isinstance(record, TrialRecord):
            counting.append(record)
        elif isinstance(record, ResumedRecord):
            void = {(place.block, place.scenario) for place in record.void}
            counting = [one for one in counting if (one.block, one.scenario) not in void]
    return counting


def last_begun(records: Iterable[JournalRecord]) -> BegunRecord | None:
    """What was begun last since the run was started or resumed: under way, unless its results follow."""
    found: BegunRecord | None = None
    for record in records:
        if isinstance(record, BegunRecord):
            found = record
        elif isinstance(record, ResumedRecord):
            found = None
    return found
