"""Two processes that share a drawing make what one makes, whatever becomes of the second."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil
import pytest
from processes import gone
from synthetic_run import Truth, write_run

from reports import parallel_drawing
from reports import render as rendering
from reports.parallel_drawing import Share, alone, helped
from reports.render import render

ITEMS = tuple(range(24))
REPOSITORY = Path(__file__).parents[2]
SUPPORT = REPOSITORY / "tests" / "support"


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Iterator[Share]:
    """Sharing with a second process, whatever cores this machine has."""
    monkeypatch.setattr(parallel_drawing, "_usable_cores", lambda: 2)
    with helped(worthwhile=True) as shared:
        assert shared is not alone
        yield shared


def worked(item: int, factor: int) -> tuple[int, int]:
    """Enough work that both have time to take of it; the product, and who made it."""
    time.sleep(0.05)
    return item * factor, os.getpid()


def failing(item: int) -> int:
    """Raises at the very first item, which the second process takes."""
    if item == 0:
        raise ValueError("no such thing")
    return item


def ending(item: int) -> int:
    """Ends the second process in the middle of its work."""
    if multiprocessing.parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return -item


def test_both_take_their_share_and_the_order_stays(share: Share) -> None:
    """Two processes make the list, and nobody could tell which made what."""
    # The second process takes a while to start: work until it has.
    for _ in range(20):
        made = share(worked, ITEMS, 3)
        assert [product for product, _ in made] == [3 * item for item in ITEMS]
        makers = {maker for _, maker in made}
        if len(makers) == 2:
            break
    assert len(makers) == 2
    assert os.getpid() in makers


def test_what_is_given_is_the_one_that_was_given(share: Share) -> None:
    """It crosses over once and is found again, also after another was given."""
    first, second = {"a": 1}, {"a": 2}
    for given in (first, second, first):
        assert share(looked_up, ("a",) * 6, given) == [given["a"]] * 6


def looked_up(key: str, given: dict[str, int]) -> int:
    """Slowly enough that the second process is asked."""
    time.sleep(0.05)
    return given[key]


def test_what_the_second_process_raises_is_raised(share: Share) -> None:
    """As if it had been raised here."""
    with pytest.raises(ValueError, match="no such thing"):
        share(failing, ITEMS)


def test_what_the_first_process_raises_stops_the_second(share: Share) -> None:
    """Ctrl-C does not wait for the list to be made."""
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        share(interrupted, ITEMS)
    assert time.monotonic() - begun < 0.5 * len(ITEMS)


def interrupted(item: int) -> int:
    """Half a second's work in the second process; Ctrl-C in the first one."""
    if multiprocessing.parent_process() is None:
        raise KeyboardInterrupt
    time.sleep(0.5)
    return item


def test_a_second_process_that_is_killed_is_made_up_for(share: Share) -> None:
    """Nothing is missing, and it goes on alone."""
    assert share(ending, ITEMS) == [-item for item in ITEMS]
    assert share(ending, ITEMS[:3]) == [-item for item in ITEMS[:3]]


def test_a_second_process_that_cannot_be_started_is_done_without(share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory for one more process, or no semaphores on this system: the report is drawn all the same."""

    def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError("Cannot allocate memory")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", refuse)
    assert share(failing, ITEMS[1:]) == list(ITEMS[1:])
    monkeypatch.setattr(parallel_drawing, "ProcessPoolExecutor", refuse)
    with helped(worthwhile=True) as shared:
        assert shared is alone


def test_no_second_process_where_it_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for a short list nor on a single core."""
    with helped(worthwhile=False) as shared:
        assert shared is alone
    monkeypatch.setattr(parallel_drawing, "_usable_cores", lambda: 1)
    with helped(worthwhile=True) as shared:
        assert shared is alone


def test_the_second_process_ends_with_the_first() -> None:
    """Also where the first is killed and can tell nobody."""
    program = (
        "import os, time\nfrom reports import parallel_drawing\nfrom test_parallel_drawing import ITEMS, worked\n"
        "parallel_drawing._usable_cores = lambda: 2\n"
        "with parallel_drawing.helped(worthwhile=True) as share:\n"
        "    seen = set()\n"
        "    while len(seen) < 2:\n"
        "        seen |= {maker for _, maker in share(worked, ITEMS, 1)}\n"
        "    print(*(seen - {os.getpid()}), flush=True)\n"
        "    time.sleep(60)\n"
    )
    paths = os.pathsep.join(map(str, (REPOSITORY, SUPPORT, Path(__file__).parent)))
    first = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": paths}
    )
    try:
        assert first.stdout is not None
        second = int(first.stdout.readline())
        assert psutil.pid_exists(second)
    finally:
        first.kill()
        # Not until the pipe ends: the second process has it too.
        first.wait()
    assert gone(second, within_s=10)


def test_a_report_that_two_have_drawn_is_the_one_that_one_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file of it, to the byte."""
    folder = write_run(tmp_path / "run", Truth(samples=200))
    render(folder)
    drawn = _files(folder)
    monkeypatch.setattr(parallel_drawing, "_usable_cores", lambda: 2)
    monkeypatch.setattr(rendering, "MANY_TRIALS", 0)
    render(folder)
    again = _files(folder)
    assert again.keys() == drawn.keys()
    assert [name for name in drawn if drawn[name] != again[name]] == []


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in [*folder.iterdir(), *(folder / "plots").iterdir()] if path.is_file()
    }
