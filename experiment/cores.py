"""Which core does what: servers and load generator never share one, where there is more than one."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from experiment.errors import ExpectedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Cores of the servers and of the generator; both empty where they cannot be kept apart."""

    servers: tuple[int, ...]
    generator: tuple[int, ...]


def allow_open_files(least: int) -> None:
    """Have this process, and whatever it starts, open so many files at once. Raises ExpectedError where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < least:
        raise ExpectedError(f"{hard} files may be open at once, and this takes {least}", hint="`ulimit -n 4096`")
    if soft != resource.RLIM_INFINITY and soft < least:
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))


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


@contextmanager
def harness_out_of_the_way(cores: Cores) -> Iterator[None]:
    """Keep this process off the servers' cores while a trial runs. Servers started meanwhile would inherit that."""
    if not cores.generator:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores.generator)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
