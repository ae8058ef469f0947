"""One connection: what is opened in advance, and what is remembered of an answer."""

from __future__ import annotations

import time

import numpy as np
import pytest
from loadtests_servers import GOOD, KnownServer, Piece, ok

from loadtests.connection import Connection, LoadedTarget, make_ready
from loadtests.loop import SliceRun
from loadtests.responses import ErrorKind
from loadtests.samples import ROW, Samples

PATIENCE_NS = 5_000_000_000


def exchange(connection: Connection) -> ErrorKind:
    """One request and its answer."""
    samples = Samples()
    SliceRun(target=connection.target, samples=samples, number=0, length_ns=1, timeout_ns=PATIENCE_NS).run([connection])
    (error,) = np.frombuffer(bytes(samples.rows), dtype=ROW)["error"]
    return ErrorKind(error)


def test_nothing_is_opened_in_advance_where_the_target_closes() -> None:
    """An idle connection would block a server of one at a time, so none is made before the request is due."""
    with KnownServer(lambda _n, _b: [ok()]) as server:
        target = LoadedTarget(server.target("a"))
        connection = Connection(target)
        target.closes = True
        make_ready(target, [connection], PATIENCE_NS)
        assert not connection.is_open
        target.closes = False
        make_ready(target, [connection], PATIENCE_NS)
        assert connection.is_open
        make_ready(target, [connection], PATIENCE_NS)
        assert target.connects == 1
        connection.close()


def test_stray_bytes_found_before_a_slice_cost_the_connection() -> None:
    """Bytes that came unasked while the target waited are dropped with their connection, off the clock."""
    with KnownServer(lambda _n, _b: [ok(), 0.05, b"HTTP/1.1 408 Request Timeout\r\n\r\n"]) as server:
        target = LoadedTarget(server.target("a"))
        connection = Connection(target)
        assert exchange(connection) is ErrorKind.NONE
        time.sleep(0.2)
        make_ready(target, [connection], PATIENCE_NS)
        assert target.connects == 2
        assert exchange(connection) is ErrorKind.NONE
        connection.close()


@pytest.mark.parametrize(
    ("pieces", "remembered"),
    [
        ([ok()], ok()),
        ([ok()[:20], 0.05, ok()[20:]], ok()),
        ([ok(b"wrong")], None),
        ([ok(status=b"500 No")], None),
        ([ok(extra=b"Connection: close\r\n")], None),
        ([ok() + b"stray"], None),
    ],
    ids=["right", "split", "wrong-body", "wrong-status", "closing", "stray"],
)
def test_only_whole_right_answers_are_remembered(pieces: list[Piece], remembered: bytes | None) -> None:
    """The bytes that let the parser be skipped are those of a whole right answer, kept alive, in however many reads."""
    with KnownServer(lambda _n, _b: pieces) as server:
        target = LoadedTarget(server.target("a"))
        connection = Connection(target)
        exchange(connection)
        assert target.requests[0].known == remembered
        assert target.requests[0].expect_body == GOOD
        connection.close()


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (ok()[:-1] + b"!", ErrorKind.BODY),
        (ok(status=b"200 OK, no: 500"), ErrorKind.NONE),
        (ok(status=b"20000"), ErrorKind.TRANSPORT),
        (ok()[:-3], ErrorKind.TRANSPORT),
    ],
    ids=["last-byte", "reason", "status", "cut-short"],
)
def test_an_answer_that_only_begins_like_the_known_one(second: bytes, kind: ErrorKind) -> None:
    """Pieces that begin as the known answer does and then differ are parsed whole, and judged by what they are."""
    answers = iter([[ok()], [second[:12], 0.05, second[12:], None]])
    with KnownServer(lambda _n, _b: next(answers)) as server:
        connection = Connection(LoadedTarget(server.target("a")))
        assert exchange(connection) is ErrorKind.NONE
        assert exchange(connection) is kind
        connection.close()
