"""Answers as they are read and judged, without a network."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.orders import PreparedRequest
from loadtests.responses import ErrorKind, ResponseReader
from loadtests.wire_request import WireRequest, split_base_url, wire_bytes

GOOD = b'{"prediction":1.5}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\nContent-Type: application/json\r\n\r\n" + GOOD
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n" + GOOD[:4] + b"\r\ne\r\n" + GOOD[4:]
CHUNKED += b"\r\n0\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + PLAIN
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 18\r\n\r\n" + GOOD


def request(expect: bytes | None = GOOD) -> WireRequest:
    """A request whose right answer is `expect` under 200."""
    return WireRequest(PreparedRequest(method="GET", path="/", expect_body=expect), split_base_url("http://h"))


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
    assert reader.body == GOOD
    assert reader.keep_alive == (raw is not CLOSING)
    assert request().judge(reader) is ErrorKind.NONE


@given(data=st.data())
def test_remembered_bytes_parse_the_same(data: st.DataObject) -> None:
    """An answer that differs in any byte from a right one is not accepted as that one.

    The timed loop skips the parser only for bytes equal to an answer that was found right; this shows that
    one reader, having read one right answer, finds the same bytes right again and a changed body
    wrong.
    """
    position = data.draw(st.integers(len(PLAIN) - len(GOOD), len(PLAIN) - 1))
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
        assert reader.body == GOOD
        assert request().judge(reader) is ErrorKind.BODY


def test_a_body_without_length_ends_with_the_connection() -> None:
    """Closing completes an answer that has no length (RFC 9112 section 6.3), and cuts short one that has."""
    unsized = read(b"HTTP/1.0 200 OK\r\n\r\n", GOOD)
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
    assert wire_bytes(request, split_base_url("http://127.0.0.1:8080/v1/")) == (
        b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Type: application/json\r\n"
        b"Content-Length: 2\r\n\r\n{}"
    )


@pytest.mark.parametrize("url", ["https://h/", "h:80", "http://", "http://h/?q", "ftp://h"])
def test_other_urls_are_refused(url: str) -> None:
    """Only http URLs of a host are base URLs."""
    with pytest.raises(ValueError, match="base URL"):
        split_base_url(url)


@pytest.mark.parametrize("change", [{"path": "/a b"}, {"path": "/a\r\nX: y"}, {"headers": {"A": "b\nC: d"}}])
def test_requests_that_would_break_framing_are_refused(change: dict[str, object]) -> None:
    """A blank or line break where none belongs is an error before anything is sent."""
    values: dict[str, object] = {"method": "GET", "path": "/", "expect_body": None}
    request = PreparedRequest(**(values | change))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not a request"):
        wire_bytes(request, split_base_url("http://h"))
