"""How the id of what a run measures is put together: `flask+gunicorn+function+cpu!threads=2@flask31#2`."""

from __future__ import annotations

from typing import Final

VARIED: Final = "!"
"""Before a setting that the run varies, with its value."""
AT: Final = "@"
"""Before an interpreter's name."""
TWIN: Final = "#2"
"""After the second copy of a target, which is compared with the first."""


def target_of(identifier: str) -> str:
    """The target's own id, without what else a run adds to it."""
    return identifier.partition(AT)[0].partition(VARIED)[0].removesuffix(TWIN)


def varied_of(identifier: str) -> dict[str, str]:
    """The settings that the run varies, with their values in this id."""
    own = identifier.removesuffix(TWIN).partition(AT)[0].split(VARIED)[1:]
    return {name: value for name, _, value in (one.partition("=") for one in own)}
