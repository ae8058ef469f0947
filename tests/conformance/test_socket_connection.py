"""The raw-socket client: whatever a server does is a result, and the connection's fate is on record."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from conformance.expect import PREDICT, get, post
from conformance.fate import Fate
from conformance.recipes import Repeat
from conformance.socket_connection import Address, SocketConnection

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


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "https://127.0.0.1", "http://", "http://a/?x=1", "http://a:x"])
def test_other_urls_are_refused(url: str) -> None:
    """What is no plain HTTP base URL is refused before anything is sent."""
    with pytest.raises(ValueError, match=r"URL|Port"):
        Address.of(url)


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
