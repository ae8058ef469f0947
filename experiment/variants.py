"""What a target runs under: `--batch N` within its bounds, and `--vary NAME=VALUE,VALUE`, one variant a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from experiment.errors import usage
from servers.core.row_counts import LARGEST
from servers.settings import Settings
from servers.target import Target
from servers.varied_settings import ALIASES, VARIABLES, Value
from servers.web_servers import ServerError, command_line

BATCHES_QUEUED: Final = 2
"""Batches that may wait by default: one to follow the one that runs, and one more for bursts."""

DEADLINE_MS: Final = 1000

Variation = Mapping[str, Value]
"""Settings by name, each with the value that one variant of a target has."""

_BOUNDS: Final = ("batch", "queue", "deadline_ms")
_HINT: Final = f"choose from {', '.join(VARIABLES)}; for example --vary threads=2,8"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBounds:
    """Requests a batch, 0 for none; how many may wait, and how long. None is the default for that batch."""

    batch: int = 0
    queue: int | None = None
    deadline_ms: int | None = None

    def placed(self, settings: Settings, threads: int | None = None) -> Settings:
        """`settings` with these. Raises ExpectedError for bounds that cannot hold.

        A request holds its thread while it waits, so a batch and a queue fill only where there are threads for both,
        and 503 is answered by those that are left. `threads` is what the user asked for; None takes as many as all that
        needs.
        """
        batch = self.batch
        if not batch:
            if self.queue is not None or self.deadline_ms is not None:
                raise usage("--queue and --deadline-ms bound the queue of --batch N", hint="for example --batch 8")
            return replace(settings, threads=threads or settings.threads)
        queue = BATCHES_QUEUED * batch if self.queue is None else self.queue
        deadline_ms = DEADLINE_MS if self.deadline_ms is None else self.deadline_ms
        if not 1 <= batch <= LARGEST:
            raise usage(f"--batch {batch} is not 1 to {LARGEST}")
        if queue < batch:
            raise usage(f"--queue {queue} holds no whole batch of {batch}")
        if deadline_ms < 1:
            raise usage(f"--deadline-ms {deadline_ms} leaves no time to wait")
        needed = batch + queue + settings.threads
        if threads is not None and threads < batch:
            raise usage(
                f"--threads {threads} cannot fill --batch {batch}: each waiting request holds a thread",
                hint=f"--threads {needed} also fills the queue and leaves threads to refuse what exceeds it",
            )
        return replace(settings, batch=batch, queue=queue, deadline_ms=deadline_ms, threads=threads or needed)


def parsed(texts: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """The values that each setting is to be measured at, in the order given. Raises ExpectedError."""
    found: dict[str, tuple[Value, ...]] = {}
    for text in texts:
        said, _, values = text.partition("=")
        name = ALIASES.get(said, said)
        if name not in VARIABLES:
            raise usage(f"--vary {text!r}: unknown setting {said!r}", hint=_HINT)
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
