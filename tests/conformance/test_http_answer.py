"""An answer read off the bytes: what is malformed, what is skipped, where it ends."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from addresses.connecting import MOST_BODY_BYTES, MOST_HEAD_BYTES, MOST_INTERIM
from conformance.canonical import NotJsonError, Number, float32_fault, form_fault, read
from conformance.http_answer import AnswerReader, HttpAnswer, MalformedAnswerError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def _read(data: bytes, method: str = "GET", *, ended: bool = False) -> tuple[HttpAnswer | None, int]:
    """The answer that is read off `data`, and how many bytes were left."""
    buffer = bytearray(data)
    return AnswerReader(method).read(buffer, ended=ended), len(buffer)


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_malformed_answer_is_refused(data: bytes) -> None:
    """What RFC 9112 forbids an answer is a problem, although many clients would read it."""
    with pytest.raises(MalformedAnswerError):
        _read(data)


def test_interim_answers_are_skipped() -> None:
    """An answer of 100 (Continue) is not the answer."""
    answer, left = _read(CONTINUE * MOST_INTERIM + OK + b"more", "POST")
    assert answer is not None
    assert (answer.status, left) == (200, len(b"more"))


def test_switching_protocols_is_an_answer() -> None:
    """101, which nobody asked for, is judged as what it is: after it no HTTP follows, so it is not waited out."""
    answer, _ = _read(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nxxxx")
    assert answer is not None
    assert (answer.status, answer.keep_alive) == (101, False)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (CONTINUE * (MOST_INTERIM + 1), "interim answers"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * MOST_HEAD_BYTES, "headers of over 64 KiB"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * MOST_HEAD_BYTES, "headers of over 64 KiB"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MOST_BODY_BYTES + 1), "a body of over 16 MiB"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY_BYTES + 1), "a body of over 16 MiB"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "malformed"),
        (CHUNKED + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 257, "a body of over 16 MiB"),
    ],
    ids=["interim", "one-header", "headers", "until-close", "length", "digits", "chunks"],
)
def test_an_answer_without_an_end_is_broken_off(data: bytes, said: str) -> None:
    """Interim answers, headers and bodies have a bound each, and what passes it is told as that."""
    with pytest.raises(MalformedAnswerError, match=said):
        _read(data)


@pytest.mark.parametrize("size", [1, 65_535, 65_536, 200_000])
def test_chunks_end_where_they_end(size: int) -> None:
    """A chunked body is whole with its last byte, however large it is, and what follows is left."""
    whole = CHUNKED + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\nT: v\r\n\r\n"
    assert _read(whole[:-1])[0] is None
    answer, left = _read(whole + OK)
    assert answer is not None
    assert (answer.body, left) == (b"x" * size, len(OK))


def test_answer_may_end_with_the_connection() -> None:
    """An answer without a length ends where the connection does, and not before."""
    data = b"HTTP/1.1 200 OK\r\n\r\nall"
    assert _read(data)[0] is None
    answer, _ = _read(data, ended=True)
    assert answer is not None
    assert answer.body == b"all"


def test_every_prefix_waits_for_more() -> None:
    """No beginning of a lawful answer is taken for a whole one, or for a fault."""
    assert all(_read(OK[:length])[0] is None for length in range(len(OK)))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_shortest_float32_is_accepted(value: float) -> None:
    """The spelling that NumPy gives a float32 is never too long, and reads back to the same float32."""
    text = str(np.float32(value))
    assert float32_fault(Number(text)) is None
    assert struct.pack("<f", float(text)) == struct.pack("<f", value)


@pytest.mark.parametrize("text", ["0.10000000149011612", "16777217.5", "1.40129846e-45", "-133.75640", "133.756401"])
def test_longer_float32_is_found(text: str) -> None:
    """A spelling with more digits than float32 needs is found; zeros at the end are none."""
    assert (float32_fault(Number(text)) is None) == (text == "-133.75640")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
    )
)
def test_canonical_writing_is_recognised(value: object) -> None:
    """What a compact sorting encoder writes is canonical, whether it escapes or not."""
    for ascii_only in (True, False):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only)
        try:
            body = text.encode()
        except UnicodeEncodeError:
            continue
        assert form_fault(body, read(body)) is None


@pytest.mark.parametrize("body", [b'{"b":1,"a":1}', b"[1, 2]", b" 1", b"1\n", b'"\\/"', b'{"a":{"d":1,"c":2}}'])
def test_form_faults_are_found(body: bytes) -> None:
    """White space, unsorted keys and needless escapes are not canonical."""
    assert form_fault(body, read(body)) is not None


@pytest.mark.parametrize("body", [b"", b"NaN", b"{}x", b"\xff", b'{"a":1,"a":1}', b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """The suite's own reader is as strict as the contract, and survives what would overflow a stack."""
    with pytest.raises(NotJsonError):
        read(body)
