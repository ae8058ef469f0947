"""What a server writes to its log while it is measured: work beside serving, on the core that is measured.

Servers that log otherwise are not compared by serving alone. So none of ours logs a request, and one that does is not
measured: Waitress for instance tells of its queue for a good part of all requests when users outnumber threads.
"""

from __future__ import annotations

from pathlib import Path

_SHOWN = 80
_READ_BYTES = 1 << 16


class LogWatch:
    """One server's log from a mark on; nothing is written where there is no file."""

    def __init__(self, path: str | None) -> None:
        self._path = Path(path) if path else None
        self._from = 0
        self.mark()

    def mark(self) -> None:
        """Count from here: what was written so far, start-up and warm-up, is not of the measurement."""
        self._from = self._size()

    def reason(self) -> str | None:
        """Why a trial since the mark cannot count, with the last words of the log; None where nothing was written."""
        size = self._size()
        if self._path is None or size <= self._from:
            return None
        with self._path.open("rb") as file:
            file.seek(max(self._from, size - _READ_BYTES))
            lines = file.read(_READ_BYTES).decode(errors="replace").splitlines() or [""]
        said = lines[-1].strip()
        shown = said if len(said) <= _SHOWN else said[: _SHOWN - 3] + "..."
        return f"it wrote {size - self._from} bytes to its log while it was measured, the last: {shown}"

    def _size(self) -> int:
        try:
            return self._path.stat().st_size if self._path else 0
        except FileNotFoundError:
            return 0
