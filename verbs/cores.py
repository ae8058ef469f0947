"""Which core does what: servers and load generator never share one, where there is more than one."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Cores of the servers and of the generator; both empty where they cannot be kept apart."""

    servers: tuple[int, ...]
    generator: tuple[int, ...]


def share_out(workers: int) -> Cores:
    """One core a worker for the servers, the last one for the generator.

    Empty on systems without affinity and on a single core; a run then says that nothing was pinned.
    """
    if not hasattr(os, "sched_getaffinity"):
        return Cores(servers=(), generator=())
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return Cores(servers=(), generator=())
    return Cores(servers=tuple(cores[:-1][:workers]), generator=(cores[-1],))
