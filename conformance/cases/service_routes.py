"""`GET /healthz`, `/readyz`, `/metadata` and `/openapi.json`, and their HEAD."""

from __future__ import annotations

from typing import Final

from conformance.case import Expectation, Topic
from conformance.contract import GET_PATHS
from conformance.expect import get
from conformance.http_request import HttpRequest

_case: Final = Topic(prefix="service", endpoint="service", clause="docs/contract.md#service-routes").case


_HEADS: Final = tuple(
    _case(
        f"head-{path.strip('/').replace('.', '-')}",
        f"HEAD of {path} answers the headers of its GET and no body.",
        get(path, "HEAD"),
        Expectation(status=200, same_as=get(path)),
        "RFC 9110 section 9.3.2",
        parity=path != "/metadata",
    )
    for path in GET_PATHS
)

CASES: Final = (
    _case(
        "healthz",
        "The process says that it is alive.",
        get("/healthz"),
        Expectation(status=200, body=b'{"status":"alive"}'),
    ),
    _case(
        "readyz",
        "The process says that every model is warm.",
        get("/readyz"),
        Expectation(status=200, body=b'{"status":"ready"}'),
    ),
    _case(
        "metadata",
        "The target names its parts, versions, models, device and threads.",
        get("/metadata"),
        Expectation(status=200, shape="metadata"),
        # It names the framework, so it is the one answer that differs by nature.
        parity=False,
    ),
    _case(
        "openapi",
        "The OpenAPI document names every route and its refusals.",
        get("/openapi.json"),
        Expectation(status=200, shape="openapi"),
    ),
    _case(
        "http-1-0",
        "A client of HTTP/1.0 without a Host is answered.",
        HttpRequest(method="GET", raw=b"GET /healthz HTTP/1.0\r\n\r\n"),
        Expectation(status=200, body=b'{"status":"alive"}'),
        "RFC 9112 section 3.2",
    ),
    *_HEADS,
)
