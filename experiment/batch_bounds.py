"""Dynamic batching as it is asked for, and the bounds of its queue where they are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from experiment.errors import usage
from servers.core.row_counts import LARGEST
from servers.settings import Settings

BATCHES_QUEUED: Final = 2
"""Batches that may wait by default: one to follow the one that runs, and one more for bursts."""

DEADLINE_MS: Final = 1000


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
