"""Handing rounds that were timed beforehand to pytest-benchmark, through its public options alone.

pytest-benchmark times one test after the other, so the machine's drift would fall on whichever test it meets. The
rounds are therefore timed interleaved (`climb.py`) and told again here, in the order in which they were taken: the test
gives the fixture a clock that knows them, and a target that does nothing. Statistics, table, JSON and `compare` are
pytest-benchmark's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence


class ReplayedClock:
    """A timer for pytest-benchmark that is read in pairs: a round's start is 0, its end what the round took."""

    def __init__(self) -> None:
        self._rounds: Iterator[int] = iter(())
        self._inside = False

    @property
    def __name__(self) -> str:
        """What the JSON calls the timer."""
        return "time.perf_counter_ns, interleaved beforehand"

    def load(self, rounds_ns: Sequence[int]) -> None:
        """The rounds to tell, in nanoseconds."""
        self._rounds = iter(rounds_ns)

    def __call__(self) -> float:
        """Seconds."""
        self._inside = not self._inside
        return 0.0 if self._inside else next(self._rounds) / 1e9
