"""Samples of one trial: rows that grow, the phases of each slice, and the file they end in.

In a closed loop phases are told by when an answer was complete. Phase 0 runs until every user has had its first
answer; phase 1, the steady window, from there to the first answer at or after the deadline; phase 2 is the drain. The
window ends with the answer that crosses the deadline and not with the last one before it, because every user
is still busy until then, and stopping before a renewal that is under way would leave out the long ones: by
Wald's identity the ratio of the sums of answers and windows is free of that bias (Feller, An Introduction to
Probability Theory, volume 2, chapter XI).

In an open loop they are told by when a request was due. Phase 0 is the first tenth of the slice, while the target's
queue builds up; all the rest is phase 1, however late it was answered: to leave out what a stall has pushed beyond the
deadline would leave out the stall. The window runs from the end of phase 0 to the deadline, or to the last answer where
that comes later, so that a target which falls behind the schedule is not credited with its rate.

A million samples take 42 MB: 41 bytes a row, and a byte for the phase.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import Any

import numpy as np
import numpy.typing as npt

from loadtests.responses import ErrorKind, TimedResponse

FIRST_ROUND, STEADY, DRAIN = 0, 1, 2
LEAD_SHARE = 0.1
"""The part of an open loop's slice that is phase 0."""

ROW = np.dtype(
    [
        ("due_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("first_ns", "<i8"),
        ("done_ns", "<i8"),
        ("bytes_in", "<i4"),
        ("status", "<i2"),
        ("user", "<i2"),
        ("error", "<i1"),
    ]
)
pack_row = Struct("<4qihhb").pack
"""One row's bytes, its members in the order of ROW."""

_Column = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceFigures:
    """What one slice gave: `completed` right answers inside a steady window of `window_ns`.

    `turn_ns` is the mean time from one answer to the next over the whole slice, `round_ns` what it took until
    every user had its first answer; both are 0 where nothing was answered. `median_ns` is the steady response time's.
    `answered` are all right answers, `served_ns` is from the slice's begin to the last exchange's end.
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
    median_ns: int
    answered: int
    served_ns: int


class Samples:
    """One trial's samples. The timed loop packs rows into `rows`; `close_slice` seals them between slices."""

    def __init__(self) -> None:
        self.rows = bytearray()
        self._sealed: list[bytes] = []
        self._phases: list[npt.NDArray[np.int8]] = []
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return (len(self.rows) + sum(map(len, self._sealed))) // ROW.itemsize

    def add(self, *, due_ns: int, sent_ns: int, user: int, answer: TimedResponse) -> None:
        """One exchange."""
        self.rows += pack_row(
            due_ns, sent_ns, answer.first_ns, answer.done_ns, answer.bytes_in, answer.status, user, answer.error
        )

    def clear(self) -> None:
        """Forget everything, as after the warm-up. `rows` stays the same object."""
        self.rows.clear()
        self._sealed.clear()
        self._phases.clear()
        self._numbers.clear()

    def close_slice(
        self, *, number: int, opened_ns: int, deadline_ns: int, late_ns: int, scheduled: bool = False
    ) -> SliceFigures:
        """Give the samples since the last call their slice and phases, and say what the slice came to.

        A send more than `late_ns` after its due time is late. `scheduled` marks an open loop's slice.
        """
        sealed = bytes(self.rows)
        self.rows.clear()
        rows = np.frombuffer(sealed, dtype=ROW)
        due, sent, done, error = rows["due_ns"], rows["sent_ns"], rows["done_ns"], rows["error"]
        if scheduled:
            lead_ns = opened_ns + int(LEAD_SHARE * (deadline_ns - opened_ns))
            phase = np.where(due < lead_ns, FIRST_ROUND, STEADY)
        else:
            phase = phases(rows["user"], done, deadline_ns)
        self._sealed.append(sealed)
        self._phases.append(phase.astype(np.int8))
        self._numbers.append(number)
        steady = phase == STEADY
        right = error == ErrorKind.NONE
        window_ns = 0
        if steady.any():
            began_ns = lead_ns if scheduled else done[phase == FIRST_ROUND].max()
            ended_ns = max(deadline_ns, done[steady].max()) if scheduled else done[steady].max()
            window_ns = int(ended_ns - began_ns)
        answered = error < ErrorKind.TRANSPORT
        counted = steady & right
        return SliceFigures(
            requests=len(done),
            errors=int((~right).sum()),
            unanswered=int((~answered).sum()),
            completed=int(counted.sum()),
            steady=int(steady.sum()),
            late=int((steady & (sent - due > late_ns)).sum()),
            window_ns=window_ns,
            turn_ns=int((done.max() - opened_ns) / len(done)) if answered.any() else 0,
            round_ns=int(done[phase == FIRST_ROUND].max(initial=opened_ns) - opened_ns) if answered.any() else 0,
            median_ns=int(np.median((done - due)[counted])) if counted.any() else 0,
            answered=int(right.sum()),
            served_ns=int(done.max(initial=opened_ns) - opened_ns),
        )

    def column(self, name: str) -> npt.NDArray[Any]:
        """One column of the samples file, in its type: a member of ROW, `phase` or `slice`. Closed slices only."""
        if name == "phase":
            return np.concatenate([*self._phases, np.empty(0, dtype=np.int8)])
        if name == "slice":
            lengths = [len(phase) for phase in self._phases]
            return np.repeat(np.array(self._numbers, dtype=np.int32), lengths)
        return np.concatenate([*(rows[name] for rows in self._chunks()), np.empty(0, dtype=ROW[name])])

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of the samples file."""
        return (*(ROW.names or ()), "phase", "slice")

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All columns under their names."""
        return {name: self.column(name) for name in self.names}

    def save(self, path: Path) -> None:
        """Write the samples file, an .npz, one column in memory at a time; it appears whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        try:
            # Whatever has the name is removed and not written to, as a link would be.
            partial.unlink(missing_ok=True)
            with partial.open("xb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                for name in self.names:
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, self.column(name), allow_pickle=False)
            partial.replace(path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            # The calls that write do not know where to.
            error.filename = error.filename or str(path)
            raise

    def _chunks(self) -> Iterator[npt.NDArray[np.void]]:
        return (np.frombuffer(sealed, dtype=ROW) for sealed in self._sealed)


def phases(user: _Column, done_ns: _Column, deadline_ns: int) -> _Column:
    """The phase of each sample of one closed-loop slice, given in order of completion."""
    if not len(done_ns):
        return np.empty(0, dtype=np.int64)
    _, first_of_user = np.unique(user, return_index=True)
    opened = done_ns[first_of_user].max()
    crossing = done_ns[done_ns >= deadline_ns]
    closed = crossing.min() if len(crossing) else done_ns.max()
    phase = np.full(len(done_ns), STEADY, dtype=np.int64)
    phase[done_ns > closed] = DRAIN
    phase[done_ns <= opened] = FIRST_ROUND
    return phase
