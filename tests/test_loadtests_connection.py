"""One connection: what is opened in advance, and what is remembered of an answer."""

from __future__ import annotations

import gevent
import pytest
from loadtests_servers import GOOD, KnownServer, Piece, ok

from loadtests.answers import ErrorKind
from loadtests.connection import Connection, Route


def test_nothing_is_opened_in_advance_where_the_target_closes() -> None:
    """An idle connection would block a server of one at a time, so none is made before the request is due."""
    with KnownServer(lambda _n, _b: [ok()]) as server:
        route = Route(server.target("a"))
        connection = Connection(route)
        route.closes = True
        connection.stand_ready()
        assert not connection.is_open
        route.closes = False
        connection.stand_ready()
        assert connection.is_open
        connection.stand_ready()
        assert route.connects == 1
        connection.close()


def test_stray_bytes_found_before_a_slice_cost_the_connection() -> None:
    """Bytes that came unasked while the target waited are dropped with their connection, off the clock."""
    with KnownServer(lambda _n, _b: [ok(), 0.05, b"HTTP/1.1 408 Request Timeout\r\n\r\n"]) as server:
        route = Route(server.target("a"))
        connection = Connection(route)
        assert connection.exchange(route.shots[0]).error is ErrorKind.NONE
        gevent.sleep(0.2)
        connection.stand_ready()
        assert route.connects == 2
        assert connection.exchange(route.shots[0]).error is ErrorKind.NONE
        connection.close()


@pytest.mark.parametrize(
    ("pieces", "remembered"),
    [
        ([ok()], ok()),
        ([ok()[:20], 0.05, ok()[20:]], None),
        ([ok(b"wrong")], None),
        ([ok(status=b"500 No")], None),
        ([ok(extra=b"Connection: close\r\n")], None),
        ([ok() + b"stray"], None),
    ],
    ids=["right", "split", "wrong-body", "wrong-status", "closing", "stray"],
)
def test_only_whole_right_answers_are_remembered(pieces: list[Piece], remembered: bytes | None) -> None:
    """The bytes that let the parser be skipped are those of a right answer, read in one piece, kept alive."""
    with KnownServer(lambda _n, _b: pieces) as server:
        route = Route(server.target("a"))
        connection = Connection(route)
        connection.exchange(route.shots[0])
        assert route.shots[0].known == remembered
        assert route.shots[0].expect_body == GOOD
        connection.close()
