"""What a visit's record says of the machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from loadtests.neighbours import Books, others_ns, read_books, stolen_ns
from loadtests.samples import SliceFigures
from loadtests.visit_log import VisitLog

BURN = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True)\nwhile True: pass"
CORE = min(os.sched_getaffinity(0))


@contextmanager
def burning(core: int = CORE) -> Iterator[int]:
    """A process that uses all it gets of a core."""
    with subprocess.Popen([sys.executable, "-c", BURN, str(core)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def between(seconds: float) -> tuple[Books, Books]:
    """The machine's books before and after so long."""
    before = read_books()
    time.sleep(seconds)
    after = read_books()
    assert before is not None
    assert after is not None
    return before, after


def figures(answered: int, served_ns: int) -> SliceFigures:
    """A slice of which only that is told."""
    numbers = dict.fromkeys(SliceFigures.__dataclass_fields__, 0)
    return SliceFigures(**(numbers | {"answered": answered, "served_ns": served_ns}))


def test_a_neighbour_is_seen_on_its_core_and_on_no_other() -> None:
    """What another process used of a core is counted there, to the microsecond of its own clock."""
    with burning() as neighbour:
        before, after = between(0.5)
        used_ns = after.used_ns[neighbour] - before.used_ns[neighbour]
        without = others_ns(before, after, own=(neighbour,), cores={CORE})
        assert others_ns(before, after, own=(), cores={CORE}) == pytest.approx(without + used_ns)
        assert others_ns(before, after, own=(neighbour,), cores={CORE + 64}) == 0


def test_what_the_generator_waited_is_not_charged_to_the_target() -> None:
    """Of what others used, the part that the generator waited for its own core was taken there."""
    with burning() as target, burning() as neighbour:
        log = VisitLog((target,))
        before, after = between(0.5)
        used_ns = after.used_ns[neighbour] - before.used_ns[neighbour]
        log.add(0, figures(7, 500_000_000), before, after, queued_ns=0)
        log.add(1, figures(7, 500_000_000), before, after, queued_ns=used_ns // 2)
        visits = log.record()
    assert visits is not None
    assert visits.answered == (7, 7)
    assert visits.others_us[0] >= used_ns // 1000
    assert visits.others_us[0] - visits.others_us[1] == pytest.approx(used_ns / 2000, abs=2)
    assert visits.cpu_us[0] == pytest.approx((after.used_ns[target] - before.used_ns[target]) / 1000, abs=1)


def test_a_log_that_is_cleared_says_nothing() -> None:
    """Warm-up visits are forgotten; and where no process is known there is nothing to say."""
    log, unknown = VisitLog([os.getpid()]), VisitLog(())
    for one in (log, unknown):
        one.add(0, figures(1, 1), *between(0), queued_ns=None)
    assert log.record() is not None
    assert unknown.record() is None
    log.clear()
    assert log.record() is None


def test_stolen_time_is_that_of_the_named_cores() -> None:
    """What the hypervisor took is added over these cores only."""
    before = Books(used_ns={}, stolen_ns={0: 10, 1: 10})
    after = Books(used_ns={}, stolen_ns={0: 30, 1: 110})
    assert stolen_ns(before, after, cores=(0,)) == 20
    assert stolen_ns(before, after, cores=(0, 1)) == 120
