"""What becomes of the connection: kept where the client may go on, closed where it asked for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Case, Expectation
from conformance.expect import PREDICT, answered, get, post, refused
from conformance.fate import Fate
from conformance.finding import Level
from conformance.http_request import HttpRequest
from conformance.recipes import build

_BODY: Final = build(PREDICT.body)
_ALIKE: Final = answered("/predict", same_as=PREDICT)
_PERSISTENT: Final = "RFC 9112 section 9.3"
_ALIVE: Final = Expectation(status=200, body=b'{"status":"alive"}')


def _case(
    name: str,
    proves: str,
    request: HttpRequest,
    expects: Expectation,
    connection: Fate,
    *,
    before: tuple[HttpRequest, ...] = (),
    pipelined: bool = False,
    level: Level = Level.MUST,
) -> Case:
    return Case(
        id=f"connection-{name}",
        proves=proves,
        clause=_PERSISTENT,
        endpoint="predict",
        request=request,
        expects=expects,
        before=before,
        pipelined=pipelined,
        connection=connection,
        level=level,
    )


def _line(version: bytes, *headers: bytes) -> HttpRequest:
    length = b"Content-Length: %d\r\n" % len(_BODY)
    head = b"POST /predict " + version + b"\r\nHost: localhost\r\nContent-Type: application/json\r\n" + length
    return HttpRequest(raw=head + b"".join(headers) + b"\r\n" + _BODY)


CASES: Final = (
    _case("kept", "A connection is kept after a good answer.", PREDICT, _ALIKE, Fate.KEPT),
    _case(
        "kept-after-400",
        "A connection is kept after malformed JSON.",
        post("/predict", b"{"),
        refused("malformed_json"),
        Fate.KEPT,
    ),
    _case(
        "kept-after-404",
        "A connection is kept after a body to an unknown path.",
        post("/nobody", b"{}"),
        refused("not_found"),
        Fate.KEPT,
    ),
    _case(
        "close",
        "A client that asks to close is answered, and the connection is closed.",
        replace(PREDICT, headers=(("Connection", "close"),)),
        _ALIKE,
        Fate.CLOSED,
    ),
    _case("http-1-0", "A client of HTTP/1.0 is answered, and closed on.", _line(b"HTTP/1.0"), _ALIKE, Fate.CLOSED),
    _case(
        "second",
        "The second request of a connection is answered like the first.",
        PREDICT,
        _ALIKE,
        Fate.KEPT,
        before=(PREDICT,),
    ),
    _case(
        "after-head",
        "The answer to a HEAD leaves no byte behind for the next request.",
        PREDICT,
        _ALIKE,
        Fate.KEPT,
        before=(get("/healthz", "HEAD"), get("/predict", "HEAD")),
    ),
    _case(
        "after-options",
        "The answer to OPTIONS leaves no byte behind for the next request.",
        get("/healthz"),
        _ALIVE,
        Fate.KEPT,
        before=(get("/predict", "OPTIONS"),),
        # That an end of the connection is announced is a SHOULD (RFC 9112 section 9.6).
        level=Level.SHOULD,
    ),
    _case(
        "pipelined",
        "The last of four requests in one go is answered as it is alone.",
        PREDICT,
        _ALIKE,
        Fate.KEPT,
        before=(get("/healthz"), post("/predict", b"{"), get("/nobody")),
        pipelined=True,
    ),
)
