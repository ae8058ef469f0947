"""Samples of one trial: columns that grow, the phases of each slice, and the file they end in.

Phases are told by when an answer was complete. Phase 0 runs until every user has had its first answer; phase
1, the steady window, from there to the first answer at or after the deadline; phase 2 is the drain. The
window ends with the answer that crosses the deadline and not with the last one before it, because every user
is still busy until then, and stopping before a renewal that is under way would leave out the long ones: by
Wald's identity the ratio of the sums of answers and windows is free of that bias (Feller, An Introduction to
Probability Theory, volume 2, chapter XI).
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from loadtests.answers import Answer, ErrorKind

FIRST_ROUND, STEADY, DRAIN = 0, 1, 2
Column = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFigures:
    """What one slice gave: `completed` right answers inside a steady window of `window_ns`.

    `turn_ns` is the mean time from one answer to the next over the whole slice, `round_ns` what it took until
    every user had its first answer; both are 0 where nothing was answered.
    """

    requests: int
    errors: int
    unanswered: int
    completed: int
    steady: int
    late: int
    window_ns: int
    turn_ns: int
    round_ns: int


class Samples:
    """One trial's columns.

    The timed loop appends to the arrays itself; `close_slice` is called between slices.
    """

    NAMES = ("due_ns", "sent_ns", "first_ns", "done_ns", "status", "bytes_in", "user", "error")

    def __init__(self) -> None:
        self.columns = tuple(array("q") for _ in self.NAMES)
        self._slices: list[Column] = []
        self._phases: list[Column] = []

    def __len__(self) -> int:
        return len(self.columns[0])

    def add(self, *, due_ns: int, sent_ns: int, user: int, answer: Answer) -> None:
        """One exchange."""
        row = (
            due_ns,
            sent_ns,
            answer.first_ns,
            answer.done_ns,
            answer.status,
            answer.bytes_in,
            user,
            answer.error,
        )
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)

    def clear(self) -> None:
        """Forget everything, as after the warm-up. The arrays stay the same objects."""
        for column in self.columns:
            del column[:]
        self._slices.clear()
        self._phases.clear()

    def close_slice(self, *, number: int, opened_ns: int, deadline_ns: int, late_ns: int) -> SliceFigures:
        """Give the samples since the last call their slice and phases, and say what the slice came to.

        A send more than `late_ns` after its due time is late.
        """
        start = sum(map(len, self._slices))
        due, sent, _first, done, _status, _bytes_in, user, error = (self._tail(c, start) for c in self.columns)
        phase = phases(user, done, deadline_ns)
        self._slices.append(np.full(len(done), number, dtype=np.int64))
        self._phases.append(phase)
        steady = phase == STEADY
        right = error == ErrorKind.NONE
        window_ns = int(done[steady].max() - done[phase == FIRST_ROUND].max()) if steady.any() else 0
        answered = error < ErrorKind.TRANSPORT
        return SliceFigures(
            requests=len(done),
            errors=int((~right).sum()),
            unanswered=int((~answered).sum()),
            completed=int((steady & right).sum()),
            steady=int(steady.sum()),
            late=int((steady & (sent - due > late_ns)).sum()),
            window_ns=window_ns,
            turn_ns=int((done.max() - opened_ns) / len(done)) if answered.any() else 0,
            round_ns=int(done[phase == FIRST_ROUND].max() - opened_ns) if answered.any() else 0,
        )

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """The columns under their names in the samples file, and in its types."""
        data = {name: self._tail(column, 0) for name, column in zip(self.NAMES, self.columns, strict=True)}
        slices = np.concatenate([*self._slices, np.empty(0, dtype=np.int64)])
        phase = np.concatenate([*self._phases, np.empty(0, dtype=np.int64)])
        return {
            **{name: data[name] for name in ("due_ns", "sent_ns", "first_ns", "done_ns")},
            "status": data["status"].astype(np.int16),
            "bytes_in": data["bytes_in"].astype(np.int32),
            "phase": phase.astype(np.int8),
            "slice": slices.astype(np.int32),
            "user": data["user"].astype(np.int16),
            "error": data["error"].astype(np.int8),
        }

    def save(self, path: Path) -> None:
        """Write the samples file; it appears whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        with partial.open("wb") as file:
            np.savez(file, **self.arrays())  # type: ignore[arg-type]  # numpy's stub takes the names for options
        partial.replace(path)

    @staticmethod
    def _tail(column: array[int], start: int) -> Column:
        # A copy: an array that lends its memory cannot grow.
        return np.frombuffer(memoryview(column)[start:], dtype=np.int64).copy() if len(column) > start else _EMPTY


_EMPTY: Column = np.empty(0, dtype=np.int64)


def phases(user: Column, done_ns: Column, deadline_ns: int) -> Column:
    """The phase of each sample of one slice, given in order of completion."""
    if not len(done_ns):
        return _EMPTY
    _, first_of_user = np.unique(user, return_index=True)
    opened = done_ns[first_of_user].max()
    crossing = done_ns[done_ns >= deadline_ns]
    closed = crossing.min() if len(crossing) else done_ns.max()
    phase = np.full(len(done_ns), STEADY, dtype=np.int64)
    phase[done_ns > closed] = DRAIN
    phase[done_ns <= opened] = FIRST_ROUND
    return phase
