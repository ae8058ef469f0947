"""Request lines and header sections that servers and frameworks read differently."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Topic
from conformance.expect import PREDICT, answered, get, refused, unsupported
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

CASES: Final = (
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
