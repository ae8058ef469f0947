"""What may become of a connection."""

from __future__ import annotations

from enum import StrEnum


class Fate(StrEnum):
    """What became of the connection by the time the exchange ended."""

    KEPT = "kept"
    CLOSED = "closed"
    RESET = "reset"
    TIMED_OUT = "timed out"
    REFUSED = "refused"
    """There was no connection: nobody listens."""
