"""The generator as its caller sees it: trials against servers whose behaviour is known."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from loadtests_servers import GOOD, KnownServer, ok
from trials import assert_target_is_right, columns_of, order

from loadtests.arrival import ConstantRate, PoissonRate
from loadtests.events import SliceEvent
from loadtests.orders import CalibrationOrder, PreparedRequest, TargetOrder
from loadtests.remote import Generator
from loadtests.runner import LoadSegment, generator_seed, split_load
from loadtests.scenarios import opened
from loadtests.target_tally import TargetTally
from loadtests.trial_record import Backlog


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    """One generator for all trials, as in a run."""
    with Generator() as running:
        yield running


def test_service_time_is_reported_as_it_is(generator: Generator, tmp_path: Path) -> None:
    """A service time of 5 ms comes out within 10 % in the median, by the server's own clock."""
    with KnownServer(lambda _n, _b: [0.005, ok()]) as server:
        (record,) = generator.trial(order(server.target("a"), out=str(tmp_path / "samples"), slices=5))
    assert_target_is_right(record)
    columns = columns_of(record, tmp_path)
    steady = columns["phase"] == 1
    median_s = np.median((columns["done_ns"] - columns["sent_ns"])[steady]) / 1e9
    assert 0.99 < median_s / np.median(server.served_s) < 1.10


def test_file_and_record_agree(generator: Generator, tmp_path: Path) -> None:
    """The samples file holds every request, in order of time, and gives the record's throughput again."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server:
        (record,) = generator.trial(order(server.target("x+y#2"), out=str(tmp_path / "samples"), warmup_slices=0))
        answered = server.requests
    columns = columns_of(record, tmp_path)
    assert {len(column) for column in columns.values()} == {record.requests}
    # The server also answered the probe.
    assert answered == record.requests + 1
    assert (columns["due_ns"] <= columns["sent_ns"]).all()
    assert (columns["sent_ns"] < columns["first_ns"]).all()
    assert (columns["first_ns"] <= columns["done_ns"]).all()
    completed, window_ns = 0, 0
    for number in range(record.slices):
        visit = columns["slice"] == number
        done, phase = columns["done_ns"][visit], columns["phase"][visit]
        assert set(columns["user"][visit]) == set(range(4))
        completed += int((phase == 1).sum())
        window_ns += int(done[phase == 1].max() - done[phase == 0].max())
    assert record.completed == completed
    assert record.throughput_rps == pytest.approx(completed / (window_ns / 1e9))
    assert (columns["bytes_in"] == len(ok())).all()
    assert {name: str(column.dtype) for name, column in columns.items()} == {
        **dict.fromkeys(("due_ns", "sent_ns", "first_ns", "done_ns"), "int64"),
        "status": "int16",
        "bytes_in": "int32",
        "phase": "int8",
        "slice": "int32",
        "user": "int16",
        "error": "int8",
    }


def test_wrong_body_is_an_error(generator: Generator, tmp_path: Path) -> None:
    """A wrong body under status 200 is an error, is not counted as completed, and makes the trial invalid."""
    wrong = ok(b'{"prediction":152.26}')
    with KnownServer(lambda n, _b: [0.001, wrong if n % 5 == 4 else ok()]) as server:
        (record,) = generator.trial(order(server.target("a"), out=str(tmp_path / "samples"), warmup_slices=0))
    columns = columns_of(record, tmp_path)
    # Request 0 is the probe; the last answers may be late in the server's count, none is lost.
    assert record.error_kinds == {"body": server.requests // 5}
    assert int((columns["error"] == 2).sum()) == record.errors
    assert record.completed == int(((columns["phase"] == 1) & (columns["error"] == 0)).sum())
    assert not record.valid
    assert "wrong body" in record.reason


def test_wrong_status_is_an_error(generator: Generator) -> None:
    """A 503 is an error of kind status; the connection is kept."""
    busy = ok(b"busy", status=b"503 Service Unavailable")
    with KnownServer(lambda n, _b: [0.001, busy if n % 5 == 4 else ok()]) as server:
        (record,) = generator.trial(order(server.target("a"), warmup_slices=0))
    assert record.error_kinds == {"status": server.requests // 5}
    assert not record.valid
    assert record.connects == 4


@pytest.mark.parametrize(
    "answer",
    [ok(version=b"HTTP/1.0"), ok(extra=b"Connection: close\r\n"), b"HTTP/1.0 200 OK\r\n\r\n" + GOOD],
    ids=["http10", "connection-close", "no-length"],
)
def test_server_that_always_closes(generator: Generator, answer: bytes) -> None:
    """A server of one connection at a time that closes each is never blocked by a connection left idle."""
    with KnownServer(lambda _n, _b: [0.001, answer, None], threaded=False) as server:
        (record,) = generator.trial(order(server.target("a")))
    assert_target_is_right(record)
    assert record.connects == server.connections == server.requests > record.requests


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n" + GOOD + b"\r\n0\r\n\r\n"],
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n" + GOOD[:5],
            0.002,
            b"\r\n10\r\n",
            GOOD[5:] + b"\r\n0\r\n",
            0.002,
            b"\r\n",
        ],
        [ok()[:7], 0.002, ok()[7:30], 0.002, ok()[30:]],
        [b"HTTP/1.1 100 Continue\r\n\r\n", 0.002, ok()],
    ],
    ids=["chunked", "chunked-split", "split", "interim"],
)
def test_unusual_answers_are_read(generator: Generator, tmp_path: Path, pieces: list[bytes | float]) -> None:
    """Chunked, split and interim answers are right answers, and complete only with their last byte."""
    slept_ns = 1e9 * sum(piece for piece in pieces if isinstance(piece, float))
    with KnownServer(lambda _n, _b: [0.001, *pieces]) as server:
        (record,) = generator.trial(order(server.target("a"), out=str(tmp_path / "samples")))
    assert_target_is_right(record)
    columns = columns_of(record, tmp_path)
    assert (columns["done_ns"] - columns["sent_ns"] >= slept_ns).all()


def test_headers_that_vary(generator: Generator) -> None:
    """An answer with another header each time is parsed each time and stays right."""
    with KnownServer(lambda n, _b: [0.001, ok(extra=b"X-Request-Id: %d\r\n" % n)]) as server:
        (record,) = generator.trial(order(server.target("a")))
    assert_target_is_right(record)


def test_bytes_nobody_asked_for(generator: Generator) -> None:
    """A second answer to one request makes it an error, not the next request's answer."""
    with KnownServer(lambda n, _b: [0.001, ok() + ok() if n == 9 else ok()]) as server:
        (record,) = generator.trial(order(server.target("a"), warmup_slices=0))
    assert record.error_kinds == {"body": 1}


def test_large_request(generator: Generator) -> None:
    """A body larger than the socket's buffers arrives whole."""
    sizes: list[int] = []

    def reply(_number: int, body: bytes) -> list[bytes | float | None]:
        sizes.append(len(body))
        return [ok()]

    with KnownServer(reply) as server:
        (record,) = generator.trial(order(server.target("a", size=6_000_000), users=2, slices=1))
    assert_target_is_right(record)
    assert set(sizes) == {6_000_000}


def test_server_that_dies(generator: Generator) -> None:
    """A target that dies in a trial is invalid with transport errors; the other one's trial is complete."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as well, KnownServer(lambda _n, _b: [0.001, ok()]) as ill:
        visits = 0

        def watch(_event: SliceEvent) -> None:
            nonlocal visits
            visits += 1
            if visits == 6:
                ill.die()

        started = time.monotonic()
        first, second = generator.trial(order(well.target("well"), ill.target("ill"), slices=8), watch)
        took_s = time.monotonic() - started
    assert_target_is_right(first)
    assert first.slices == 8
    assert not second.valid
    assert second.slices < 8
    assert second.error_kinds["transport"] == second.errors > 0
    assert took_s < 20


def test_server_that_falls_silent(generator: Generator) -> None:
    """Requests that are never answered end as timeouts, and the target is given up."""
    with KnownServer(lambda n, _b: [0.001, ok()] if n < 100 else [3.0, None]) as server:
        (record,) = generator.trial(order(server.target("a"), timeout_s=0.2, slices=30))
    assert record.error_kinds["timeout"] >= 4
    assert not record.valid
    assert record.slices < 30


def test_nobody_listens(generator: Generator) -> None:
    """A target that refuses the first connection is lost at once, with the reason."""
    with KnownServer(lambda _n, _b: [ok()]) as server:
        target = server.target("gone")
    (record,) = generator.trial(order(target))
    assert not record.valid
    assert record.requests == 0
    assert "refused" in record.reason


def test_idle_connections_that_the_server_closes(generator: Generator) -> None:
    """A connection closed while its target waited is opened anew before the clock starts, and is no error."""
    with (
        KnownServer(lambda _n, _b: [0.001, ok()], idle_s=0.02) as hasty,
        KnownServer(lambda _n, _b: [0.001, ok()]) as patient,
    ):
        first, second = generator.trial(order(hasty.target("hasty"), patient.target("patient"), slices=4))
    assert_target_is_right(first)
    assert first.connects > second.connects == 4


def test_rounds_visit_all_in_random_order(generator: Generator) -> None:
    """Every round visits each target once; the order changes from round to round and comes from the seed."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as one, KnownServer(lambda _n, _b: [0.001, ok()]) as two:
        targets = one.target("one"), two.target("two")
        visited: list[list[str]] = []
        for seed in (1, 1, 2):
            seen: list[str] = []
            records = generator.trial(
                order(*targets, users=1, slices=12, slice_s=0.01, seed=seed, warmup_slices=0),
                lambda event, seen=seen: seen.append(event.target),  # type: ignore[misc]
            )
            assert {record.seed for record in records} == {seed}
            visited.append(seen)
    rounds = list(zip(visited[0][::2], visited[0][1::2], strict=True))
    assert set(rounds) == {("one", "two"), ("two", "one")}
    assert len(rounds) == 12
    assert visited[0] == visited[1] != visited[2]


def test_payloads_take_turns(generator: Generator) -> None:
    """Every payload of a target is sent, each about as often as the others."""
    with KnownServer(lambda _n, _b: [0.001, ok()]) as server:
        generator.trial(order(server.target("a", bodies=5)))
    counts = Counter(server.bodies)
    assert len(counts) == 5
    assert max(counts.values()) < 2 * min(counts.values())


def test_slow_answers_lengthen_slices(generator: Generator) -> None:
    """Where the shortest slice holds no steady window, it is lengthened until it does."""
    with KnownServer(lambda _n, _b: [0.03, ok()]) as server:
        (record,) = generator.trial(order(server.target("a"), slices=2, slice_s=0.02))
    assert_target_is_right(record)
    assert record.slice_s > 0.05
    assert record.completed >= 2 * 4


def test_a_target_that_never_settles_is_called_so(generator: Generator) -> None:
    """Where every slice is slower than the last, the warm-up ends at its limit, and the trial says it is not steady."""
    with KnownServer(lambda n, _b: [0.001 + n * 0.0002, ok()]) as server:
        (record,) = generator.trial(order(server.target("a"), users=1, warmup_slices=1, longest_warmup_slices=4))
        (unasked,) = generator.trial(order(server.target("a"), users=1, slices=1))
    assert record.steady is False
    assert record.warmup_slices == 4
    assert unasked.steady is None


def test_an_open_loop_is_a_trial_like_any_other(generator: Generator, tmp_path: Path) -> None:
    """Against a real server: every due request is in the file, the rate is the law's, and both latencies are there."""
    law = PoissonRate((200,))
    with KnownServer(lambda _n, _b: [0.002, ok()]) as server:
        (record,) = generator.trial(
            order(
                server.target("a", bodies=4),
                scenario=opened("predict", law),
                slice_s=1.0,
                slices=2,
                limit_ms=1000.0,
                out=str(tmp_path / "samples"),
            )
        )
    assert record.scenario == "predict~poisson200rps"
    assert record.offered_rps == 200
    assert record.backlog == Backlog(most_in_flight=law.users, cap_hits=0, unsent=0)
    columns = columns_of(record, tmp_path)
    for number in range(2):
        due = np.sort(columns["due_ns"][columns["slice"] == number])
        planned = law.schedule(length_ns=10**9, seed=generator_seed(7, number))
        assert np.diff(due).tolist() == np.diff(planned).tolist()
    assert (columns["sent_ns"] >= columns["due_ns"]).all()
    assert record.over_limit.requests == int((columns["phase"] == 1).sum())
    assert record.throughput_rps == pytest.approx(200, rel=0.3)


def test_an_open_loop_that_runs_out_of_connections_is_invalid(generator: Generator) -> None:
    """Where the target cannot keep up, the cap is hit, which is counted and said."""
    with KnownServer(lambda _n, _b: [0.2, ok()], threaded=False) as server:
        (record,) = generator.trial(
            order(
                server.target("a"),
                scenario=opened("predict", ConstantRate((400,))),
                slice_s=1.0,
                slices=1,
                warmup_slices=0,
                timeout_s=1.0,
            )
        )
    assert not record.valid
    assert record.requests + record.backlog.unsent == 400


def test_a_target_against_itself(generator: Generator) -> None:
    """One server under two ids comes out equal, within the noise of a busy machine."""
    with KnownServer(lambda _n, _b: [0.002, ok()]) as server:
        first, second = generator.trial(order(server.target("a"), server.target("a#2"), slices=10))
    assert 0.8 < first.throughput_rps / second.throughput_rps < 1.25


def test_a_ceiling_that_is_too_near(generator: Generator) -> None:
    """A throughput over a third of the generator's ceiling makes the trial invalid."""
    with KnownServer(lambda _n, _b: [0.002, ok()]) as server:
        (free,) = generator.trial(order(server.target("a")))
        (near,) = generator.trial(order(server.target("a"), ceiling_rps=2 * free.throughput_rps))
    assert_target_is_right(free)
    assert not near.valid
    assert "ceiling" in near.reason


def test_users_are_shared_out_whole() -> None:
    """Every user is one worker's, as evenly as they go, and no worker is left with none."""
    for users in (1, 2, 5, 16):
        for workers in (1, 2, 3):
            found = split_load(users, workers)
            numbers = [number for each in found for number in range(each.first, each.first + each.users)]
            assert numbers == list(range(users))
            assert len(found) == min(users, workers)
            assert max(each.users for each in found) - min(each.users for each in found) <= 1


def test_a_warm_up_ends_when_three_windows_agree() -> None:
    """Three in a row within 10 % of each other are steady: not two, not an outlier among them, not three of nothing."""
    request = PreparedRequest(method="GET", path="/", expect_body=None)
    tally = TargetTally(TargetOrder(id="a", base_url="http://127.0.0.1:1", requests=(request,)), [LoadSegment(users=1)])
    for windows, steady in (
        ([100, 100], False),
        ([50, 100, 105, 109], True),
        ([100, 100, 111], False),
        ([100, 100, 100, 50], False),
        ([0, 0, 0], False),
    ):
        tally._windows = [float(window) for window in windows]
        assert tally.steady_yet() is steady


def test_calibration_finds_the_limit_of_what_it_sees() -> None:
    """Ceiling and overhead are those of the server shown: N users per service time, one service time."""
    with Generator() as generator, KnownServer(lambda _n, _b: [0.005, ok()]) as server:
        found = generator.calibrate(CalibrationOrder(target=server.target("null"), users=4, slices=4))
    assert found.users == 4
    assert 0 < found.cpu_share < 1
    served_s = float(np.median(server.served_s))
    assert found.overhead_us == pytest.approx(served_s * 1e6, rel=0.1)
    # Pauses of a busy machine lower a throughput but not a median.
    assert 0.5 < found.ceiling_rps / (4 / served_s) < 1.1
