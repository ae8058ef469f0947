"""Lengths that lie, lengths that are no numbers, and chunks that are no chunks."""

from __future__ import annotations

from typing import Final

from conformance.case import Case, Expectation, Topic
from conformance.contract import BODY_LIMIT_BYTES
from conformance.expect import PREDICT, answered, post, refused
from conformance.finding import Level
from conformance.http_request import HttpRequest
from conformance.recipes import Join, Repeat, build

_BODY: Final = build(PREDICT.body)
_HEAD: Final = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_CHUNK: Final = b"%x\r\n%b\r\n" % (len(_BODY), _BODY)
_ALIKE: Final = answered("/predict", same_as=PREDICT)
_INCOMPLETE: Final = refused("incomplete_body")
_TOO_LARGE: Final = refused("body_too_large")
_LENGTH: Final = "RFC 9110 section 8.6"
_CHUNKS: Final = "RFC 9112 section 7.1"


_case: Final = Topic(prefix="length", endpoint="predict", server_may_refuse=True).case


def _declared(name: str, proves: str, value: bytes, expects: Expectation = _INCOMPLETE) -> Case:
    head = _HEAD + b"Content-Length:" + (b" " + value if value else b"") + b"\r\n\r\n"
    return _case(name, proves, HttpRequest(raw=head + _BODY, half_close=True), expects, _LENGTH)


def _chunks(name: str, proves: str, body: bytes, expects: Expectation, *, cut: bool = False) -> Case:
    # Only who sends less than it said ends its side; else a server may take the end for a client that left.
    # And a server that hides the cut from its application leaves it nothing to answer by.
    level = Level.SHOULD if cut else Level.MUST
    request = HttpRequest(raw=_HEAD + _CHUNKED + b"\r\n" + body, half_close=cut)
    return _case(name, proves, request, expects, _CHUNKS, level=level)


CASES: Final = (
    _case(
        "long-body",
        "A body of 102 401 bytes is accepted.",
        post("/predict", Join(parts=(_BODY, Repeat(unit=b" ", times=102_401 - len(_BODY))))),
        _ALIKE,
        "docs/contract.md#limits",
        server_may_refuse=False,
    ),
    _case(
        "far-over-limit",
        "A body of three times the limit is refused, and the refusal is heard.",
        post("/predict", Repeat(unit=b" ", times=3 * BODY_LIMIT_BYTES)),
        _TOO_LARGE,
        "RFC 9110 section 15.5.14",
    ),
    _declared("letters", "A Content-Length of letters is no length.", b"abc"),
    _declared("negative", "A negative Content-Length is no length.", b"-1"),
    _declared("signed", "A Content-Length with a sign is no length.", b"+%d" % len(_BODY)),
    _declared("underscore", "A Content-Length with an underscore is no length.", b"1_6"),
    _declared("list", "A Content-Length that is a list is no length.", b"%d, %d" % (len(_BODY), len(_BODY))),
    _declared("astronomic", "A Content-Length of 31 digits is refused at once.", b"9" * 31, _TOO_LARGE),
    _case(
        "repeated",
        "A repeated Content-Length with two values is no length.",
        HttpRequest(raw=_HEAD + b"Content-Length: 16\r\nContent-Length: 17\r\n\r\n" + _BODY, half_close=True),
        _INCOMPLETE,
        "RFC 9112 section 6.3",
    ),
    _case(
        "missing",
        "A request without any length has no body.",
        HttpRequest(raw=_HEAD + b"\r\n"),
        refused("malformed_json"),
        "RFC 9112 section 6.3",
    ),
    _case(
        "beside-chunks",
        "A Content-Length beside chunks is overridden by them or refused.",
        HttpRequest(raw=_HEAD + b"Content-Length: 4\r\n" + _CHUNKED + b"\r\n" + _CHUNK + b"0\r\n\r\n"),
        _ALIKE,
        "RFC 9112 section 6.1",
    ),
    _chunks(
        "chunk-extension", "A chunk extension is ignored.", b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(_BODY), _BODY), _ALIKE
    ),
    _chunks("trailer", "A trailer after the last chunk is ignored.", _CHUNK + b"0\r\nX-Sum: 1\r\n\r\n", _ALIKE),
    _chunks(
        "chunk-size-letters", "A chunk size that is no number is refused.", b"zz\r\n" + _BODY, _INCOMPLETE, cut=True
    ),
    _chunks(
        "chunk-cut",
        "A chunk that ends before its size says so is incomplete.",
        b"40\r\n" + _BODY,
        _INCOMPLETE,
        cut=True,
    ),
    _case(
        "other-coding",
        "A transfer coding that nobody knows is refused.",
        HttpRequest(raw=_HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + _CHUNK + b"0\r\n\r\n", half_close=True),
        _INCOMPLETE,
        "RFC 9112 section 6.1",
    ),
)
