"""`--vary NAME=VALUE,VALUE`: every target under each value of a setting, to be compared like any other targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Final

from experiment.batch_bounds import BatchBounds
from experiment.errors import usage
from servers.settings import Settings
from servers.target import Target
from servers.varied_settings import ALIASES, VARIABLES, Value
from servers.web_servers import ServerError, command_line

Variation = Mapping[str, Value]
"""Settings by name, each with the value that one variant of a target has."""

_BOUNDS: Final = ("batch", "queue", "deadline_ms")
_HINT: Final = f"there are {', '.join(VARIABLES)}; for example --vary threads=2,8"


def parsed(texts: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """The values that each setting is to be measured at, in the order given. Raises ExpectedError."""
    found: dict[str, tuple[Value, ...]] = {}
    for text in texts:
        said, _, values = text.partition("=")
        name = ALIASES.get(said, said)
        if name not in VARIABLES:
            raise usage(f"--vary {text!r}: {said!r} is no setting to vary", hint=_HINT)
        if name in found:
            raise usage(f"--vary {name} is given twice", hint=f"once, with all values: --vary {name}=A,B")
        try:
            found[name] = tuple(dict.fromkeys(VARIABLES[name].value(one.strip()) for one in values.split(",")))
        except ValueError as error:
            raise usage(f"--vary {text!r}: {error}", hint=_HINT) from error
    return found


def variations(vary: Mapping[str, Sequence[Value]]) -> list[Variation]:
    """Every combination of the values; one that is empty where nothing is varied."""
    return [dict(zip(vary, values, strict=True)) for values in product(*vary.values())]


def settled(target: Target, variation: Variation, base: Settings, bounds: BatchBounds) -> Settings:
    """What `target` runs under: `base`, batching within `bounds`, and what the variation changes of it.

    Raises ExpectedError where a setting means nothing to the target, or cannot be honoured.
    """
    for name in variation:
        if reason := VARIABLES[name].refusal(target, base):
            raise usage(f"--vary {name} on {target.id}: {reason}", hint="name other targets with --targets")
    own: dict[str, Any] = {name: value for name, value in variation.items() if name in _BOUNDS}
    threads = variation.get("threads")
    settings = replace(bounds, **own).placed(base, threads=None if threads is None else int(threads))
    others: dict[str, Any] = {
        name: value for name, value in variation.items() if name not in _BOUNDS and name != "threads"
    }
    settings = replace(settings, **others)
    if not target.kind.contract:
        # Only the contract's core batches; whatever else is measured beside it answers one by one.
        settings = replace(settings, batch=0, queue=0, deadline_ms=0)
    try:
        command_line(target.server, settings)
    except ServerError as error:
        raise usage(f"{target.id}: {error}") from error
    return settings
