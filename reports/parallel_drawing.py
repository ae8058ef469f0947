"""Work that a second process takes its share of: a long list of independent things to make, each as one alone makes it.

The second process takes from the front, the first one from the back, until they meet. So neither waits for the other
for longer than a few things take, whichever core is the slower one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


class Share(Protocol):
    """Makes one thing of each item, in their order: `make(item, *given)`."""

    def __call__(self, make: Callable[..., Made], items: Sequence[Item], *given: object) -> list[Made]:
        """What `make`, a function of a module, makes of each item; raises what it raises."""


def alone(make: Callable[..., Made], items: Sequence[Item], *given: object) -> list[Made]:
    """Without a second process."""
    return [make(item, *given) for item in items]


@contextmanager
def helped(*, worthwhile: bool) -> Iterator[Share]:
    """Sharing with a second process while this lasts; alone where it is not worthwhile, or there is no second core."""
    if not worthwhile or _usable_cores() < 2:
        yield alone
        return
    try:
        # Spawned, not forked: whoever draws may have threads, and locks that they hold.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(max_workers=1, mp_context=context, initializer=_begin)
    except (ImportError, NotImplementedError, OSError):
        # No semaphores: a system without them, or a container without /dev/shm.
        yield alone
        return
    with pool:
        yield _Helped(pool)


class _Helped:
    """Sharing with the one process of a pool; what is given crosses over once, however often it is given."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._sent: list[object] = []

    def __call__(self, make: Callable[..., Made], items: Sequence[Item], *given: object) -> list[Made]:
        made: dict[int, Made] = {}
        left = deque(enumerate(items))
        with ThreadPoolExecutor(max_workers=1) as threads:
            # One by one, so that the second process holds nothing back that the first one could make meanwhile.
            theirs = threads.submit(self._hand_over, make, left, made, given)
            try:
                _make_from_the_end(make, left, made, given)
            except BaseException:
                left.clear()
                raise
            theirs.result()
        # What the second process had, if there was none in the end: for want of memory perhaps.
        _make_from_the_end(make, left, made, given)
        return [made[index] for index in range(len(items))]

    def _hand_over(
        self,
        make: Callable[..., Made],
        left: deque[tuple[int, Item]],
        made: dict[int, Made],
        given: Sequence[object],
    ) -> None:
        while True:
            try:
                index, item = left.popleft()
            except IndexError:
                return
            try:
                keys = [self._key(one) for one in given]
                made[index] = self._pool.submit(_make, make, item, keys).result()
            except (BrokenProcessPool, OSError):
                # It was ended, or could not be started. What `make` itself raises will be raised by the first one, too.
                left.appendleft((index, item))
                return

    def _key(self, given: object) -> int:
        """Its place among what was sent; sent now, if it was not. Kept, so that nothing else is taken for it."""
        for place, one in enumerate(self._sent):
            if one is given:
                return place
        self._sent.append(given)
        # In time before what needs it: the pool has one process, which takes things in order.
        self._pool.submit(_keep, given)
        return len(self._sent) - 1


def _make_from_the_end(
    make: Callable[..., Made], left: deque[tuple[int, Item]], made: dict[int, Made], given: Sequence[object]
) -> None:
    while True:
        try:
            index, item = left.pop()
        except IndexError:
            return
        made[index] = make(item, *given)


_kept: list[Any] = []
"""In the second process: what the first one gave."""


def _keep(given: object) -> None:
    _kept.append(given)


def _make(make: Callable[..., Made], item: object, keys: Sequence[int]) -> Made:
    return make(item, *(_kept[key] for key in keys))


def _begin() -> None:
    """In the second process, first: Ctrl-C is for the first one, and without it there is nobody to work for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
