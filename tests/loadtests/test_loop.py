"""The timed loop in a simulated system: what it sends when, and what it says of a target that stands still."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt
import pytest
from simulated_system import LOOK_NS, MS, Queue, SimulatedSystem, run_slice

from loadtests.arrival import ConstantRate, PoissonRate
from loadtests.loop import GIVE_UP_AFTER
from loadtests.responses import ErrorKind
from loadtests.samples import ROW

SECOND = 1_000 * MS
Rows = npt.NDArray[np.void]


def rows(made: object) -> Rows:
    """The samples of a slice that is not sealed yet, by due time."""
    found = np.frombuffer(bytes(made.samples.rows), dtype=ROW)  # type: ignore[attr-defined]  # a SliceRun
    return found[np.argsort(found["due_ns"], kind="stable")]


def stalls_for_a_second_in_ten(at: int) -> int:
    """The first instant at or after another that is not in the first second of ten."""
    return at if at % (10 * SECOND) >= SECOND else at - at % (10 * SECOND) + SECOND


def test_an_open_loop_sends_when_it_is_due_whatever_the_answers_do() -> None:
    """Every request leaves at its due time, though each takes twenty times as long as the gap to the next."""
    schedule = PoissonRate((1000,)).schedule(length_ns=SECOND, seed=3)
    made = run_slice(SimulatedSystem(lambda now: now + 20 * MS), users=100, length_ns=SECOND, schedule=schedule)
    found = rows(made)
    assert (found["due_ns"] - made.opened_ns).tolist() == list(schedule)
    assert (found["sent_ns"] == found["due_ns"]).all()
    assert (found["done_ns"] - found["sent_ns"] == 20 * MS).all()
    assert (made.cap_hits, made.unsent) == (0, 0)


@pytest.mark.parametrize("awake", [False, True])
@pytest.mark.parametrize("scheduled", [False, True])
def test_a_stop_of_the_loop_itself_is_seen(*, awake: bool, scheduled: bool) -> None:
    """A process that is stopped for two seconds while it sends has a gap of two seconds, and any other has none."""
    for stop_ns in (2 * SECOND, 0):
        system = SimulatedSystem(lambda now: now + MS, awake=awake)
        stops_at = system.now + SECOND // 2

        def answering(now: int) -> int:
            if stops_at <= now < stops_at + 20 * MS:  # noqa: B023 - called within this round only
                system.now += stop_ns  # noqa: B023 - as above
            return now + MS

        system.answering = answering
        schedule = ConstantRate((100,)).schedule(length_ns=SECOND, seed=3) if scheduled else None
        made = run_slice(system, users=1, length_ns=SECOND, schedule=schedule)
        assert abs(max(made.gaps_ns) - stop_ns) < 6 * MS


def test_on_a_core_of_its_own_it_looks_until_it_is_time() -> None:
    """Whoever never sleeps sends within one look of the due time and reads within one look of the answer."""
    schedule = PoissonRate((1000,)).schedule(length_ns=SECOND, seed=3)
    system = SimulatedSystem(lambda now: now + 20 * MS, awake=True)
    made = run_slice(system, users=100, length_ns=SECOND, schedule=schedule)
    found = rows(made)
    assert (found["due_ns"] - made.opened_ns).tolist() == list(schedule)
    assert (found["sent_ns"] - found["due_ns"]).max() <= LOOK_NS
    assert (found["done_ns"] - found["sent_ns"]).max() <= 20 * MS + LOOK_NS
    assert (found["done_ns"] - found["sent_ns"]).min() >= 20 * MS


@pytest.mark.parametrize(
    ("looks", "busy_share"), [(1, 1.0), (2, 1.0), (4, 0.5), (1000, 0.002)], ids="{} looks an answer".format
)
def test_what_it_found_nothing_to_do_in_is_its_rest(looks: int, busy_share: float) -> None:
    """All looks in vain but the first of each turn, in which a request was still to be sent; nothing else is rest."""
    system = SimulatedSystem(lambda now: now + looks * LOOK_NS, awake=True)
    made = run_slice(system, users=1, length_ns=SECOND // 10)
    assert made.wall_ns == pytest.approx(SECOND / 10, rel=0.01)
    assert made.busy_ns / made.wall_ns == pytest.approx(busy_share, abs=0.001)
    assert made.shares == pytest.approx([busy_share] * len(made.shares), abs=0.001)


@pytest.mark.parametrize("answered_ms", [20, 1000], ids=["with an answer", "in vain"])
def test_a_core_that_is_taken_away_is_lag(answered_ms: int) -> None:
    """A look that takes 30 ms may have left an answer unread for so long, whether it finds one or not."""
    system = SimulatedSystem(lambda now: now + answered_ms * MS, awake=True)
    begun = system.now
    system.look_ns = lambda: 30 * MS if 45 * MS <= system.now - begun < 46 * MS else LOOK_NS
    made = run_slice(system, users=1, length_ns=200 * MS)
    assert [lag for lag in made.lags_ns if lag > 2 * LOOK_NS] == [min(30, (-45) % answered_ms) * MS]


def test_a_stall_is_charged_to_every_request_that_it_delayed() -> None:
    """Response times through stalls are those that follow from the schedule alone; service times hide nothing else.

    The target stands still in the first of every ten seconds. What each request should take is computed here from the
    due times, without the loop.
    """
    length = 30 * SECOND
    schedule = PoissonRate((100,)).schedule(length_ns=length, seed=5)
    queue = Queue(5 * MS, stalls_for_a_second_in_ten)
    made = run_slice(SimulatedSystem(queue), users=300, length_ns=length, schedule=schedule)
    model = Queue(5 * MS, stalls_for_a_second_in_ten)
    expected = [model(made.opened_ns + due) - (made.opened_ns + due) for due in schedule]
    found = rows(made)
    assert (found["done_ns"] - found["due_ns"]).tolist() == expected
    assert np.percentile(expected, 90) > 100 * MS


def test_a_closed_loop_hides_the_stall() -> None:
    """The same target under four users shows its stalls in a handful of requests: the 99th percentile knows nothing."""
    system = SimulatedSystem(Queue(5 * MS, stalls_for_a_second_in_ten))
    found = rows(run_slice(system, users=4, length_ns=30 * SECOND))
    response = found["done_ns"] - found["due_ns"]
    assert int((response > 100 * MS).sum()) == 4 * 3
    assert np.percentile(response, 99) == 20 * MS


def test_the_cap_is_counted_once_a_request_and_what_waits_is_sent_late() -> None:
    """With two connections and 50 ms a request, at 100 a second, each late request is a hit and its wait is charged."""
    schedule = ConstantRate((100,)).schedule(length_ns=SECOND, seed=1)
    made = run_slice(SimulatedSystem(lambda now: now + 50 * MS), users=2, length_ns=SECOND, schedule=schedule)
    found = rows(made)
    late = found["sent_ns"] > found["due_ns"]
    assert made.cap_hits == int(late.sum()) == len(schedule) - 2
    assert len(found) == len(schedule)
    # 100 requests through two connections at 50 ms each: the last is the second one's fiftieth.
    assert found["sent_ns"][-1] - found["sent_ns"][1] == 49 * 50 * MS


def test_what_cannot_be_sent_in_time_is_counted() -> None:
    """Where the target never answers, what was due and not sent before the time is up is neither sent nor forgotten."""
    schedule = ConstantRate((100,)).schedule(length_ns=SECOND, seed=1)
    never = 10**18
    made = run_slice(
        SimulatedSystem(lambda _now: never), users=2, length_ns=SECOND, schedule=schedule, timeout_ns=3 * SECOND
    )
    found = rows(made)
    assert set(found["error"]) == {ErrorKind.TIMEOUT}
    assert len(found) + made.unsent == len(schedule)
    assert made.unsent > 90


def test_a_closed_loop_sends_with_the_answer() -> None:
    """Each user's next request is due, and sent, when its last answer is complete; no user has two in flight."""
    found = rows(run_slice(SimulatedSystem(lambda now: now + 7 * MS), users=3, length_ns=100 * MS))
    for user in range(3):
        own = found[found["user"] == user]
        assert (own["due_ns"][1:] == own["done_ns"][:-1]).all()
        assert (own["sent_ns"] == own["due_ns"]).all()
        # Whoever is busy at the deadline is waited for: 14 answers within 100 ms, and the one under way.
        assert len(own) == 15


def test_a_dead_target_is_given_up() -> None:
    """Where nobody answers, each user tries three times, with a pause, and leaves."""
    system = SimulatedSystem(lambda now: now, refuses=True)
    made = run_slice(system, users=5, length_ns=10 * SECOND)
    found = rows(made)
    assert set(found["error"]) == {ErrorKind.TRANSPORT}
    assert len(found) == 5 * GIVE_UP_AFTER
    assert system.now < 2 * SECOND
    assert "refused" in made.target.failure.lower()  # type: ignore[union-attr]  # a failure there was


def test_being_hung_up_on_while_idle_is_no_error() -> None:
    """A target that drops idle connections costs an open loop a connection each time, and no request."""
    schedule = ConstantRate((100,)).schedule(length_ns=SECOND, seed=1)
    system = SimulatedSystem(lambda now: now + MS, hangs_up=True)
    made = run_slice(system, users=5, length_ns=SECOND, schedule=schedule)
    found = rows(made)
    assert (found["error"] == ErrorKind.NONE).all()
    assert len(found) == len(schedule) == made.target.connects
    assert len(system.sockets) <= 1


def test_others_may_run_in_a_long_slice() -> None:
    """The loop looks up at least every 100 ms, for overdue answers and its CPU, and every second for gevent."""
    system = SimulatedSystem(lambda now: now + 3 * MS)
    made = run_slice(system, users=2, length_ns=2 * SECOND)
    assert system.breaths >= 2
    assert len(made.shares) >= 20
    assert len(made.lags_ns) >= 100


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_one_overdue_answer_is_an_error_and_no_more(*, closed: bool) -> None:
    """The request that is not answered in time is one timeout; those before and after it are right."""
    asked = 0

    def answering(now: int) -> int:
        nonlocal asked
        asked += 1
        return 10**18 if asked == 10 else now + MS

    schedule = None if closed else array("q", range(0, SECOND, 10 * MS))
    made = run_slice(
        SimulatedSystem(answering), users=1 if closed else 50, length_ns=SECOND, schedule=schedule, timeout_ns=200 * MS
    )
    found = rows(made)
    assert (found["error"] == ErrorKind.TIMEOUT).sum() == 1
    assert (found["error"] != ErrorKind.NONE).sum() == 1
    assert len(found) > 50
