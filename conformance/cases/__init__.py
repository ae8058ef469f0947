"""The cases, one file a topic; a file that is added here is found by itself.

Each file has one constant, `CASES`, and nothing that runs at import but the making of small frozen values.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from conformance.case import Case

CASES: Final[tuple[Case, ...]] = tuple(
    case
    for found in sorted(iter_modules(__path__), key=lambda module: module.name)
    for case in import_module(f"{__name__}.{found.name}").CASES
)
"""Every case, by topic."""


def select(ids: Collection[str] = (), endpoints: Collection[str] = ()) -> tuple[Case, ...]:
    """The cases with these ids, or of these endpoints and the service routes; all where neither is given.

    Raises ValueError on an id that no case has.
    """
    unknown = sorted(set(ids) - {case.id for case in CASES})
    if unknown:
        raise ValueError(f"no such case: {', '.join(unknown)}")
    if ids:
        return tuple(case for case in CASES if case.id in ids)
    return tuple(case for case in CASES if not endpoints or case.endpoint in (*endpoints, "service"))
