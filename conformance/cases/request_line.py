"""Request lines and header sections that servers and frameworks read differently."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Expectation, Topic
from conformance.expect import PREDICT, answered, get, not_allowed, refused, unsupported
from conformance.finding import Level
from conformance.http_request import HttpRequest
from conformance.recipes import build

_BODY: Final = build(PREDICT.body)
_MARKER: Final = "zq7marker"


_case: Final = Topic(prefix="head", endpoint="predict").case


def _raw(line: bytes, *headers: bytes, host: bytes = b"Host: localhost\r\n") -> HttpRequest:
    """The good request under another request line, with more header lines, each as it stands."""
    length = b"Content-Length: %d\r\n" % len(_BODY)
    head = line + b"\r\n" + host + b"Content-Type: application/json\r\n" + length + b"".join(headers)
    return HttpRequest(raw=head + b"\r\n" + _BODY)


_LINE: Final = b"POST /predict HTTP/1.1"
_ALIKE: Final = answered("/predict", same_as=PREDICT)
_MISSED: Final = replace(get("/nobody"), headers=(("X-Forwarded-Host", _MARKER),))

_WEBSOCKET: Final = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
_IGNORED: Final = tuple(
    _case(
        f"ignored-{name}",
        f"{what} changes nothing.",
        replace(PREDICT, headers=headers),
        _ALIKE,
        clause,
        server_may_refuse=may_refuse,
    )
    for name, what, clause, may_refuse, headers in (
        ("websocket", "An offer to go on as a WebSocket", "RFC 9110 section 7.8", False, _WEBSOCKET),
        (
            "h2c",
            "An offer to go on in HTTP/2",
            "RFC 9113 section 3.1",
            False,
            (("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")),
        ),
        ("range", "A range of the answer", "RFC 9110 section 14.2", False, (("Range", "bytes=0-3"),)),
        ("if-match", "A condition that nothing meets", "RFC 9110 section 13.1.1", False, (("If-Match", '"x"'),)),
        (
            "if-none-match",
            "A condition that everything breaks",
            "RFC 9110 section 13.1.2",
            False,
            (("If-None-Match", "*"), ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")),
        ),
        ("cookie", "A cookie that is none", "RFC 6265 section 5.4", False, (("Cookie", 'a="b; =; c=\xff'),)),
        ("authorization", "A wrong authorization", "RFC 9110 section 11.6.2", False, (("Authorization", "Basic x"),)),
        (
            "proxy",
            "The word of a proxy on its client",
            "RFC 7239 section 8.1",
            False,
            (("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Prefix", "/x")),
        ),
        ("script-name", "A header that moves the path", "RFC 3875 section 4.1.13", True, (("SCRIPT_NAME", "/pre"),)),
        ("path-info", "A header that is the path", "RFC 3875 section 4.1.5", True, (("PATH_INFO", "/classify"),)),
        ("rewritten", "A header with another path", "RFC 9112 section 3.2", False, (("X-Original-URL", "/classify"),)),
        ("trailers", "A word on trailers", "RFC 9110 section 10.1.4", False, (("TE", "trailers"), ("Trailer", "X"))),
    )
)

CASES: Final = (
    *_IGNORED,
    _case(
        "websocket-get",
        "A GET that offers to go on as a WebSocket is answered like any other.",
        replace(get("/healthz"), headers=_WEBSOCKET),
        Expectation(status=200, same_as=get("/healthz")),
        "RFC 9110 section 7.8",
    ),
    _case(
        "websocket-unknown",
        "A path that nobody serves is 404, whatever is offered.",
        replace(get("/nobody"), headers=_WEBSOCKET),
        refused("not_found"),
        "RFC 9110 section 7.8",
    ),
    _case(
        "websocket-method",
        "A method that is not a route's is 405, whatever is offered.",
        replace(get("/predict"), headers=_WEBSOCKET),
        not_allowed("/predict"),
        "RFC 9110 section 7.8",
    ),
    *(
        _case(
            f"method-{method.lower()}",
            f"A {method} is 405 with the route's Allow.",
            replace(PREDICT, method=method),
            not_allowed("/predict"),
            "RFC 9110 section 15.5.6",
            server_may_refuse=True,
        )
        for method in ("TRACE", "PROPFIND", "ANY")
    ),
    _case(
        "gzip-coding",
        "A body in a transfer coding beside chunks is refused.",
        HttpRequest(
            raw=_LINE
            + b"\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
            + b"10\r\n"
            + _BODY
            + b"\r\n0\r\n\r\n"
        ),
        refused("incomplete_body"),
        "RFC 9112 section 6.1",
        server_may_refuse=True,
    ),
    _case(
        "no-slash",
        "A target without its slash is no path.",
        _raw(b"POST predict HTTP/1.1"),
        refused("not_found"),
        "RFC 9112 section 3.2",
        server_may_refuse=True,
    ),
    _case(
        "absolute-form",
        "A target in absolute form is the same target.",
        _raw(b"POST http://localhost/predict HTTP/1.1"),
        _ALIKE,
        "RFC 9112 section 3.2.2",
    ),
    _case(
        "fragment",
        "A fragment in the target is no part of a target.",
        _raw(b"POST /predict#x HTTP/1.1"),
        refused("not_found"),
        "RFC 9112 section 3.2",
        server_may_refuse=True,
        # A server may cut it off before its application sees it.
        level=Level.SHOULD,
    ),
    _case(
        "empty-host",
        "A Host without a value is not interpreted.",
        _raw(_LINE, host=b"Host: \r\n"),
        _ALIKE,
        "RFC 9110 section 7.2",
        server_may_refuse=True,
    ),
    _case(
        "odd-host",
        "A Host that is no host is not interpreted.",
        _raw(_LINE, host=b"Host: a b<c>\r\n"),
        _ALIKE,
        "RFC 9112 section 3.2",
        server_may_refuse=True,
    ),
    _case(
        "host-echo",
        "The error of an unknown path repeats nothing of Host.",
        HttpRequest(method="GET", raw=f"GET /nobody HTTP/1.1\r\nHost: {_MARKER}\r\n\r\n".encode()),
        refused("not_found", marker=_MARKER.encode()),
        "docs/contract.md#nothing-is-echoed",
    ),
    _case(
        "forwarded-echo",
        "The error of an unknown path repeats nothing of X-Forwarded-Host.",
        _MISSED,
        refused("not_found", marker=_MARKER.encode()),
        "RFC 7239 section 8.1",
    ),
    _case(
        "latin-1-value",
        "A byte outside ASCII in a header is not interpreted.",
        _raw(_LINE, b"X-Name: \xe9\r\n"),
        _ALIKE,
        "RFC 9110 section 5.5",
    ),
    _case(
        "underscore",
        "A header with an underscore is not taken for the one with a dash.",
        _raw(_LINE, b"Content_Type: text/plain\r\n"),
        _ALIKE,
        "RFC 9110 section 5.1",
        server_may_refuse=True,
    ),
    _case(
        "folded",
        "A folded header value is one value or refused.",
        _raw(_LINE, b"X-Name: a\r\n b\r\n"),
        _ALIKE,
        "RFC 9112 section 5.2",
        server_may_refuse=True,
    ),
    _case(
        "two-content-types",
        "A repeated Content-Type is no media type.",
        _raw(_LINE, b"Content-Type: application/json\r\n"),
        unsupported("/predict"),
        "RFC 9110 section 5.3",
        server_may_refuse=True,
        # A server may hand on one of them alone.
        level=Level.SHOULD,
    ),
    _case(
        "connection-token",
        "A header that Connection names is dropped or ignored.",
        replace(PREDICT, headers=(("Connection", "keep-alive, X-Name"), ("X-Name", "1"))),
        _ALIKE,
        "RFC 9110 section 7.6.1",
    ),
)
