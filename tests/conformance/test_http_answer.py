"""An answer read off the bytes: what is malformed, what is skipped, where it ends."""

from __future__ import annotations

import pytest

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
