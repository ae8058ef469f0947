"""An answer read off the bytes: what is malformed, what is skipped, where it ends."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.canonical import NotJsonError, Number, float32_fault, form_fault, read
from conformance.http_answer import MalformedAnswerError, read_answer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


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
        read_answer(data, "GET", ended=False)


def test_interim_answers_are_skipped() -> None:
    """An answer of 100 (Continue) is not the answer."""
    read = read_answer(b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "POST", ended=False)
    assert read is not None
    assert (read[0].status, read[1]) == (200, len(OK) + 25)


def test_answer_may_end_with_the_connection() -> None:
    """An answer without a length ends where the connection does, and not before."""
    data = b"HTTP/1.1 200 OK\r\n\r\nall"
    assert read_answer(data, "GET", ended=False) is None
    read = read_answer(data, "GET", ended=True)
    assert read is not None
    assert read[0].body == b"all"


def test_every_prefix_waits_for_more() -> None:
    """No beginning of a lawful answer is taken for a whole one, or for a fault."""
    assert all(read_answer(OK[:length], "GET", ended=False) is None for length in range(len(OK)))


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
