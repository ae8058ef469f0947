"""The raw-socket client: whatever a server does is a result, and the connection's fate is on record."""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

import pytest

from addresses import connecting
from addresses.address import Address, AddressError
from conformance.expect import PREDICT, get, post
from conformance.fate import Fate
from conformance.recipes import Repeat
from conformance.socket_connection import SocketConnection
from experiment.priming import WrongAnswerError, prime
from loadtests.orders import PreparedRequest
from loadtests.scenarios import closed

Script = Callable[[socket.socket], None]


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def scripted(script: Script) -> Iterator[Address]:
    """The address of a listener on which every connection is handled by `script`, and then closed."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:  # the test is over
                return
            with peer:
                script(peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Address(host="127.0.0.1", port=listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
    assert not thread.is_alive()


def _says(data: bytes, *, stay_s: float = 0.05) -> Script:
    def script(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(data)
        peer.settimeout(stay_s)
        try:
            peer.recv(65536)
        except TimeoutError:
            return

    return script


def _reset(peer: socket.socket) -> None:
    peer.recv(65536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_whole_answer_keeps_the_connection() -> None:
    """A whole answer is read as it stands, and the connection may be used again."""
    with scripted(_says(OK)) as address, SocketConnection(address, timeout_s=2) as wire:
        seen = wire.ask(PREDICT)
    assert seen.answer is not None
    assert (seen.answer.status, seen.answer.body, seen.fate, seen.reusable) == (200, b"ok", Fate.KEPT, True)


def test_silence_ends_at_the_deadline() -> None:
    """A peer that says nothing is a verdict after the timeout, and no exception."""
    with scripted(_says(b"", stay_s=0.5)) as address, SocketConnection(address, timeout_s=0.1) as wire:
        seen = wire.ask(PREDICT)
    assert (seen.answers, seen.fate) == ((), Fate.TIMED_OUT)


def test_half_an_answer_ends_at_the_deadline() -> None:
    """A peer that stops within its body is timed out, not waited for."""
    with scripted(_says(OK[:-1], stay_s=0.5)) as address, SocketConnection(address, timeout_s=0.1) as wire:
        seen = wire.ask(PREDICT)
    assert (seen.answers, seen.fate) == ((), Fate.TIMED_OUT)


@pytest.mark.parametrize(("data", "within"), [(OK[:-1], "body"), (OK[:30], "headers")])
def test_answer_cut_short_is_a_problem(data: bytes, within: str) -> None:
    """A connection that closes within an answer is told from one that closes before it."""
    with scripted(_says(data, stay_s=0.01)) as address, SocketConnection(address, timeout_s=2) as wire:
        seen = wire.ask(PREDICT)
    assert seen.fate is Fate.CLOSED
    assert within in (seen.problem or "")


def _hang_up(peer: socket.socket) -> None:
    peer.recv(65536)


def test_hanging_up_without_a_word_is_closed() -> None:
    """A connection that closes before any byte is closed, without a problem of its bytes."""
    with scripted(_hang_up) as address, SocketConnection(address, timeout_s=2) as wire:
        seen = wire.ask(PREDICT)
    assert (seen.answers, seen.fate, seen.problem) == ((), Fate.CLOSED, None)


def test_reset_is_told_from_close() -> None:
    """A connection that is reset is told from one that is closed."""
    with scripted(_reset) as address, SocketConnection(address, timeout_s=2) as wire:
        seen = wire.ask(PREDICT)
    assert (seen.answers, seen.fate) == ((), Fate.RESET)


def test_refused_connection_is_a_fate() -> None:
    """A port where nobody listens is a fate of the exchange, and no exception."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with SocketConnection(Address(host="127.0.0.1", port=port), timeout_s=1) as wire:
        assert not wire.connects()
        assert wire.ask(PREDICT).fate is Fate.REFUSED


def _silent() -> socket.socket:
    """A listener whose queue is full: who knocks gets no answer, not even a refusal."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    return listener


@pytest.mark.parametrize("first", ["refusing", "silent", "of-no-family"])
def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """Where the first address refuses, keeps silent or cannot be used here, the next one is asked in time."""
    with scripted(_says(OK)) as address, _silent() as silent, ExitStack() as knocking:
        for _ in range(3):
            knocker = knocking.enter_context(socket.socket())
            knocker.settimeout(0)
            knocker.connect_ex(silent.getsockname())
        places = {
            "refusing": (socket.AF_INET6, ("::1", address.port, 0, 0)),
            "silent": (socket.AF_INET, silent.getsockname()),
            "of-no-family": (socket.AF_UNSPEC - 1, ("", 0)),
        }
        listening = (socket.AF_INET, ("127.0.0.1", address.port))
        monkeypatch.setattr(connecting, "places", lambda _host, _port: [places[first], listening])
        with SocketConnection(Address(host="localhost", port=address.port), timeout_s=5) as wire:
            assert wire.connects()
            assert wire.ask(PREDICT).answer is not None
        monkeypatch.setattr(connecting, "places", lambda _host, _port: [places["silent"]])
        began = time.monotonic()
        with SocketConnection(Address(host="localhost", port=1), timeout_s=0.3) as wire:
            assert wire.ask(PREDICT).fate is Fate.TIMED_OUT
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("piece", [b"x", OK[:17] + b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"1\r\nx\r\n"])
def test_what_comes_without_an_end_ends_at_the_deadline(piece: bytes) -> None:
    """Bytes that go on coming, of a body, of headers, of interim answers, of chunks, are waited for no longer."""
    head = b"HTTP/1.1 200 OK\r\n"
    begins = {
        b"x": head + b"Content-Length: 99999\r\n\r\n",
        b"1\r\nx\r\n": head + b"Transfer-Encoding: chunked\r\n\r\n",
    }
    over = threading.Event()

    def script(peer: socket.socket) -> None:
        peer.recv(65536)
        with suppress(OSError):
            peer.sendall(begins.get(piece, b""))
            while not over.wait(0.01):
                peer.sendall(piece)

    with scripted(script) as address, SocketConnection(address, timeout_s=0.2) as wire:
        seen = wire.ask(PREDICT)
        over.set()
    assert seen.answer is None
    assert seen.fate is Fate.TIMED_OUT or seen.problem


def test_surplus_is_kept() -> None:
    """Bytes after an answer are kept apart, and the connection is not used again."""
    with scripted(_says(OK + b"junk")) as address, SocketConnection(address, timeout_s=2) as wire:
        seen = wire.ask(PREDICT)
    assert (seen.surplus, seen.reusable) == (b"junk", False)


def test_body_after_head_is_surplus() -> None:
    """A body that answers HEAD is surplus, whatever Content-Length says."""
    with scripted(_says(OK)) as address, SocketConnection(address, timeout_s=2) as wire:
        seen = wire.ask(get("/healthz", "HEAD"))
    assert seen.answer is not None
    assert (seen.answer.body, seen.surplus) == (b"", b"ok")


def test_pipelined_answers_are_read_apart() -> None:
    """Two requests sent in one go get two answers, in order."""
    second = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
    with scripted(_says(OK + second)) as address, SocketConnection(address, timeout_s=2) as wire:
        seen = wire.ask(PREDICT, PREDICT)
    assert [(each.status, each.body, each.chunked) for each in seen.answers] == [
        (200, b"ok", False),
        (404, b"no", True),
    ]
    assert seen.surplus == b""


def test_early_refusal_of_a_long_body_is_seen() -> None:
    """An answer that comes before the whole request is sent is read, although the peer reads no further."""
    refusal = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    def script(peer: socket.socket) -> None:
        peer.recv(1000)
        peer.sendall(refusal)

    body = post("/predict", Repeat(unit=b" ", times=20_000_000))
    with scripted(script) as address, SocketConnection(address, timeout_s=5) as wire:
        seen = wire.ask(body)
    assert seen.answer is not None
    assert (seen.answer.status, seen.sent_all, seen.reusable) == (413, False, False)


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:8000", "https://127.0.0.1", "http://", "http://a/?x=1", "http://a:x", "http://a/#", "http://a/?"),
        *(
            "http://::1:80",
            "http://[::1",
            "http://[::1]x",
            "http://[1.2.3.4]",
            "http://a:0",
            "http://a:99999",
            "http://a b",
        ),
        *(
            "http://a\n:80",
            "http://a..b",
            "http://-a",
            "http://a:\uff18\uff10",
            "http://u@a",
            "http://u:p@a",
            "http://a/\u00e9",
        ),
        *(
            "http://a/%zz",
            "http://a/ ",
            " http://a",
            "http://" + "a" * 64,
            "http://\ud800",
            "http://[fe80::1%]",
            "http://a:-1",
        ),
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """What is no plain HTTP base URL is refused, in one line, before anything is sent."""
    with pytest.raises(AddressError, match="is no base URL: ") as refused:
        Address.of(url)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "again", "place", "host"),
    [
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000", "127.0.0.1:8000", "127.0.0.1:8000"),
        ("HTTP://localhost", "http://localhost", "localhost:80", "localhost"),
        ("http://[::1]:8000/v1//", "http://[::1]:8000/v1", "[::1]:8000", "[::1]:8000"),
        ("http://[fe80::1%25eth0]:8000", "http://[fe80::1%eth0]:8000", "[fe80::1%eth0]:8000", "[fe80::1]:8000"),
        (
            "http://ex\u00e4mple.test:80/a@b/%20",
            "http://xn--exmple-cua.test/a@b/%20",
            "xn--exmple-cua.test:80",
            "xn--exmple-cua.test",
        ),
    ],
)
def test_a_base_url_is_a_value(url: str, again: str, place: str, host: str) -> None:
    """It is read once, and printed, reached and named to the server from its parts; what is printed reads the same."""
    address = Address.of(url)
    assert (str(address), address.place, address.authority) == (again, place, host)
    assert Address.of(again) == address


def test_prefix_goes_before_every_target() -> None:
    """A base URL with a path examines what is below it."""
    address = Address.of("http://127.0.0.1:80/v1/")
    assert (address.prefix, address.authority) == ("/v1", "127.0.0.1")
    assert get("/healthz").wire(address.authority, address.prefix).startswith(b"GET /v1/healthz HTTP/1.1\r\n")


def test_half_closed_connection_is_not_used_again() -> None:
    """After a request that ended the sending side the next one opens a connection, however long the server stays."""

    def stays(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(OK)
        time.sleep(0.05)

    with scripted(stays) as address, SocketConnection(address, timeout_s=2.0) as wire:
        first, second = wire.ask(replace(PREDICT, half_close=True)), wire.ask(PREDICT)
    assert first.fate is Fate.KEPT
    assert [exchange.answer is not None for exchange in (first, second)] == [True, True]


def _primed(script: Script) -> tuple[PreparedRequest, ...]:
    """What priming makes of a foreign server."""
    (scenario,) = closed("predict", 1)
    with scripted(script) as address:
        return prime(str(address), [replace(scenario, payloads=2)], foreign=True)[scenario.id]


@pytest.mark.parametrize("told", [None, lambda: f"{time.time():.0f}", lambda: f"{next(COUNT) // 3}"])
def test_a_servers_answers_are_its_own_only_where_they_last(told: Callable[[], str] | None) -> None:
    """Answers that are alike twice in a row, but not a second later or some requests on, are not held to the bytes."""

    def script(peer: socket.socket) -> None:
        peer.recv(65536)
        body = b"{}" if told is None else told().encode()
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    found = {request.expect_body for request in _primed(script)}
    assert found == ({b"{}"} if told is None else {None})


COUNT = itertools.count()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            "302 to 'http://elsewhere/'",
        ),
        (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", "429"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "malformed answer"),
        (OK + OK, "bytes after the answer"),
        (b"\x16\x03\x01\x00", "malformed answer"),
        (b"", "no answer; connection closed"),
    ],
    ids=["redirect", "busy", "length", "two", "tls", "nothing"],
)
def test_rubbish_before_the_load_is_a_reason_and_no_crash(said: bytes, reason: str) -> None:
    """Whatever a server says to the first request, its target is refused in words."""
    with pytest.raises(WrongAnswerError, match=reason):
        _primed(_says(said, stay_s=0.01))
