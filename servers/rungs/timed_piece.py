"""One piece of a request's path, ready to be called and timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPiece:
    """A piece over its payloads, which are numbered from 0 to `payloads` - 1.

    `prepare` makes what `call` consumes, and is not part of the piece; `call` is. `agrees` says whether what `call`
    gave for that payload is right. A step with `laps` is several pieces that run one after the other: its calls give
    the nanoseconds of each, and the last result. `outside` says that it runs in a process of its own.
    """

    payloads: int
    prepare: Callable[[int], Any]
    call: Callable[[Any], Any]
    agrees: Callable[[int, Any], bool]
    laps: tuple[str, ...] = ()
    outside: bool = False
