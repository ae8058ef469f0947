"""Where a body ends, how long it may be, and what is said of one that ends too early."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Topic
from conformance.contract import BODY_LIMIT_BYTES
from conformance.expect import PREDICT, answered, post, refused
from conformance.finding import Level
from conformance.http_request import Framing, HttpRequest
from conformance.recipes import Join, Recipe, Repeat, build

_BODY: Final = build(PREDICT.body)


def _padded(size_bytes: int) -> Recipe:
    """The good body, filled up with the white space of JSON."""
    return Join(parts=(_BODY, Repeat(unit=b" ", times=size_bytes - len(_BODY))))


_case: Final = Topic(prefix="body", endpoint="predict").case


_ALIKE: Final = answered("/predict", same_as=PREDICT)
_TOO_LARGE: Final = refused("body_too_large")

CASES: Final = (
    _case(
        "chunked",
        "A chunked body is the same body.",
        replace(PREDICT, framing=Framing.CHUNKED),
        _ALIKE,
        "RFC 9112 section 7.1",
    ),
    _case(
        "expect-continue",
        "A client that waits for 100 (Continue) is answered.",
        replace(PREDICT, headers=(("Expect", "100-continue"),)),
        _ALIKE,
        "RFC 9110 section 10.1.1",
    ),
    _case(
        "at-limit",
        "A body at the limit is accepted.",
        post("/predict", _padded(BODY_LIMIT_BYTES)),
        _ALIKE,
        "docs/contract.md#limits",
    ),
    _case(
        "over-limit",
        "A body of one byte over the limit is refused.",
        post("/predict", _padded(BODY_LIMIT_BYTES + 1)),
        _TOO_LARGE,
        "RFC 9110 section 15.5.14",
    ),
    _case(
        "chunked-at-limit",
        "A chunked body at the limit is accepted.",
        post("/predict", _padded(BODY_LIMIT_BYTES), framing=Framing.CHUNKED),
        _ALIKE,
        "docs/contract.md#limits",
    ),
    _case(
        "chunked-over-limit",
        "A chunked body over the limit is refused and not cut to fit.",
        post("/predict", _padded(BODY_LIMIT_BYTES + 1), framing=Framing.CHUNKED),
        _TOO_LARGE,
        "RFC 9110 section 15.5.14",
    ),
    _case(
        "endless",
        "A Content-Length of a petabyte is refused before the body comes.",
        replace(PREDICT, declared_length=10**15),
        _TOO_LARGE,
        "RFC 9110 section 15.5.14",
        server_may_refuse=True,
    ),
    _case(
        "cut",
        "A body that ends before its Content-Length is incomplete, however complete it looks.",
        replace(PREDICT, declared_length=len(_BODY) + 20, half_close=True),
        refused("incomplete_body"),
        "RFC 9112 section 8",
        server_may_refuse=True,
    ),
    _case(
        "cut-chunks",
        "A chunked body without its last chunk is not taken for a whole one.",
        HttpRequest(
            raw=b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%b\r\n" % (len(_BODY), _BODY),
            half_close=True,
        ),
        refused("incomplete_body"),
        "RFC 9112 section 8",
        server_may_refuse=True,
        # A server that hides the cut from its application leaves it nothing to answer by.
        level=Level.SHOULD,
    ),
)
