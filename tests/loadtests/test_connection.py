"""One connection: what is opened in advance, requests as bytes, and answers as they are read, judged and remembered."""

from __future__ import annotations

import itertools
import socket
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loadtests_servers import GOOD, KnownServer, Piece, ok
from msgspec import structs

from addresses import connecting
from addresses.address import Address
from loadtests import connection as connection_module
from loadtests.connection import Connection, LoadedTarget, make_ready
from loadtests.loop import SliceRun
from loadtests.orders import PreparedRequest
from loadtests.responses import ErrorKind, ResponseReader
from loadtests.samples import ROW, Samples
from loadtests.wire_request import WireRequest, wire_bytes

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


def test_load_goes_to_the_address_that_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a name's first address refuses, the users connect to the next, as those do who asked before them."""
    with KnownServer(lambda _n, _b: [ok()]) as server:
        here = [(socket.AF_INET6, ("::1", server.port, 0, 0)), (socket.AF_INET, ("127.0.0.1", server.port))]
        for module in (connection_module, connecting):
            monkeypatch.setattr(module, "places", lambda _host, _port: here)
        target = LoadedTarget(server.target("a"))
        assert exchange(Connection(target)) is ErrorKind.TRANSPORT
        target.choose_place(PATIENCE_NS)
        assert exchange(Connection(target)) is ErrorKind.NONE


@pytest.mark.parametrize(
    "endless",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"10000\r\n%b\r\n" % (b"x" * 65536),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3000,
    ],
    ids=["body", "headers", "interim"],
)
def test_an_answer_without_an_end_is_broken_off(endless: bytes) -> None:
    """Under load an answer that grows past what the first one was is a failed request at once, and is not kept."""
    with KnownServer(lambda _n, _b: [endless] + [b"10000\r\n%b\r\n" % (b"x" * 65536)] * 10_000) as server:
        order = server.target("a")
        order = structs.replace(order, requests=(structs.replace(order.requests[0], most_body_bytes=1000),))
        target = LoadedTarget(order)
        connection = Connection(target)
        assert exchange(connection) is ErrorKind.TRANSPORT
        assert target.failure is not None
        assert "answer" in target.failure
        assert not connection._pieces


RIGHT = b'{"prediction":1.5}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\nContent-Type: application/json\r\n\r\n" + RIGHT
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n" + RIGHT[:4] + b"\r\ne\r\n" + RIGHT[4:]
CHUNKED += b"\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + PLAIN
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 18\r\n\r\n" + RIGHT


def request(expect: bytes | None = RIGHT) -> WireRequest:
    """A request whose right answer is `expect` under 200."""
    return WireRequest(PreparedRequest(method="GET", path="/", expect_body=expect), Address.of("http://h"))


def read(*pieces: bytes) -> ResponseReader:
    """A reader fed piece by piece."""
    reader = ResponseReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


@pytest.mark.parametrize("raw", [PLAIN, CHUNKED, INTERIM, CLOSING])
@given(data=st.data())
def test_pieces_do_not_matter(raw: bytes, data: st.DataObject) -> None:
    """However an answer is cut into reads, it is complete with its last byte, not before, and right."""
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=6)))
    edges = [0, *cuts, len(raw)]
    pieces = [raw[start:end] for start, end in itertools.pairwise(edges)]
    assert not read(*pieces[:-1]).complete
    reader = read(*pieces)
    assert reader.complete
    assert reader.body == RIGHT
    assert reader.keep_alive == (raw is not CLOSING)
    assert request().judge(reader) is ErrorKind.NONE


@given(data=st.data())
def test_remembered_bytes_parse_the_same(data: st.DataObject) -> None:
    """An answer that differs in any byte from a right one is not accepted as that one.

    The timed loop skips the parser only for bytes equal to an answer that was found right; this shows that
    one reader, having read one right answer, finds the same bytes right again and a changed body
    wrong.
    """
    position = data.draw(st.integers(len(PLAIN) - len(RIGHT), len(PLAIN) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != PLAIN[position]))
    changed = PLAIN[:position] + bytes([byte]) + PLAIN[position + 1 :]
    reader = read(PLAIN)
    assert request().judge(reader) is ErrorKind.NONE
    for raw, kind in ((PLAIN, ErrorKind.NONE), (changed, ErrorKind.BODY), (PLAIN, ErrorKind.NONE)):
        reader.start()
        reader.feed(raw)
        assert reader.complete
        assert request().judge(reader) is kind


def test_stray_bytes_are_a_body_error() -> None:
    """What follows a complete answer makes it wrong, be it a second answer or rubbish."""
    for stray in (PLAIN, b"rubbish", PLAIN[:3]):
        reader = read(PLAIN + stray)
        assert reader.complete
        assert reader.body == RIGHT
        assert request().judge(reader) is ErrorKind.BODY


def test_a_body_without_length_ends_with_the_connection() -> None:
    """Closing completes an answer that has no length (RFC 9112 section 6.3), and cuts short one that has."""
    unsized = read(b"HTTP/1.0 200 OK\r\n\r\n", RIGHT)
    assert not unsized.complete
    assert unsized.end()
    assert request().judge(unsized) is ErrorKind.NONE
    assert not read(PLAIN[:-1]).end()
    assert not read(CHUNKED[:-1]).end()
    assert not read(PLAIN[:20]).end()
    assert not ResponseReader().end()


def test_status_comes_before_body() -> None:
    """A wrong status is a status error whatever the body; without an expected body any body will do."""
    assert request().judge(read(PLAIN.replace(b"200 OK", b"500 No"))) is ErrorKind.STATUS
    assert request(expect=None).judge(read(PLAIN)) is ErrorKind.NONE


def test_wire_bytes() -> None:
    """A request carries the base URL's host and prefix, the given headers and the body's length."""
    request = PreparedRequest(
        method="POST", path="/predict", headers={"Content-Type": "application/json"}, body=b"{}", expect_body=b""
    )
    assert wire_bytes(request, Address.of("http://127.0.0.1:8080/v1/")) == (
        b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )


@pytest.mark.parametrize("change", [{"path": "/a b"}, {"path": "/a\r\nX: y"}, {"headers": {"A": "b\nC: d"}}])
def test_requests_that_would_break_framing_are_refused(change: dict[str, object]) -> None:
    """A blank or line break where none belongs is an error before anything is sent."""
    values: dict[str, object] = {"method": "GET", "path": "/", "expect_body": None}
    request = PreparedRequest(**(values | change))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a request"):
        wire_bytes(request, Address.of("http://h"))


@pytest.mark.parametrize(
    ("expected", "within", "kind"),
    [
        (b'{"prediction":1.4999}', 1e-3, ErrorKind.NONE),
        (b'{"prediction":1.4999}', 0.0, ErrorKind.BODY),
        (b'{"prediction":1.4}', 1e-3, ErrorKind.BODY),
        (b'{"predicted":1.5}', 1e-3, ErrorKind.BODY),
        (b'{"prediction":"1.5"}', 1e-3, ErrorKind.BODY),
    ],
)
def test_an_answer_may_differ_by_what_the_model_itself_does(expected: bytes, within: float, kind: ErrorKind) -> None:
    """Where the model differs from call to call, numbers are held to so much, and all else to the byte."""
    asked = PreparedRequest(method="GET", path="/", expect_body=expected, within=within)
    assert WireRequest(asked, Address.of("http://h")).judge(read(PLAIN)) is kind
