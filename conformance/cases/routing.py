"""Paths match exactly, methods are told apart, and the precedence of errors is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Expectation, Topic
from conformance.contract import BODY_LIMIT_BYTES, GET_PATHS, POST_PATHS
from conformance.expect import PREDICT, allow, answered, get, not_allowed, post, refused, unsupported
from conformance.recipes import Repeat

_TOO_LARGE: Final = Repeat(unit=b" ", times=BODY_LIMIT_BYTES + 1)


_case: Final = Topic(prefix="routing", endpoint="service", clause="docs/contract.md#paths").case


def _slug(path: str) -> str:
    return path.strip("/").replace("_", "-").replace(".", "-")


_PATHS: Final = tuple(
    _case(name, proves, replace(PREDICT, target=target), refused("not_found", marker=marker))
    for name, proves, target, marker in (
        ("root", "The root is not a route.", "/", None),
        ("unknown", "A path that nobody serves is 404 and is not repeated.", "/zq7marker", b"zq7marker"),
        ("double-slash", "A doubled slash is not merged.", "//predict", None),
        ("encoded-slash", "An encoded slash is a slash, and it is not merged.", "/%2Fpredict", None),
        ("trailing-slash", "A trailing slash is another path, and no redirect.", "/predict/", None),
        ("longer", "A longer path is another path.", "/predict/24.5", None),
        ("upper-case", "A path in another case is another path.", "/Predict", None),
        ("invalid-utf-8", "A byte that is no UTF-8 is not dropped.", "/predict%FF", None),
        ("overlong-utf-8", "An overlong UTF-8 form is not dropped.", "/predict%C0%AF", None),
        ("line-feed", "A line feed after the path is not dropped.", "/predict%0A", None),
        ("nul", "A NUL after the path is not dropped.", "/predict%00", None),
        ("space", "A space after the path is not dropped.", "/predict%20", None),
        ("dot-segment", "A dot segment is not resolved.", "/x/../predict", None),
        ("semicolon", "A path parameter is part of the path.", "/predict;v=1", None),
    )
)

_METHODS: Final = (
    *(
        _case(
            f"get-{_slug(path)}",
            f"A GET of {path} is 405 with the route's Allow.",
            get(path),
            not_allowed(path),
            "RFC 9110 section 15.5.6",
        )
        for path in POST_PATHS
    ),
    *(
        _case(
            f"post-{_slug(path)}",
            f"A POST to {path} is 405 with the route's Allow.",
            post(path, b"{}"),
            not_allowed(path),
            "RFC 9110 section 15.5.6",
        )
        for path in GET_PATHS
    ),
    *(
        _case(
            f"{method.lower()}-predict",
            f"A {method} of /predict is 405 with the route's Allow.",
            replace(PREDICT, method=method),
            not_allowed("/predict"),
            "RFC 9110 section 15.5.6",
        )
        for method in ("DELETE", "PATCH", "PUT")
    ),
    _case(
        "head-predict",
        "A HEAD of a POST route is 405 without a body.",
        get("/predict", "HEAD"),
        Expectation(status=405, headers=(("Allow", allow("/predict")),)),
        "RFC 9110 section 9.3.2",
    ),
    _case(
        "unknown-method",
        "A method that nobody knows is 405 with the route's Allow.",
        replace(PREDICT, method="BREW"),
        not_allowed("/predict"),
        "RFC 9110 section 15.5.6",
        server_may_refuse=True,
    ),
    _case(
        "lower-case-method",
        "A method in small letters is another method.",
        replace(PREDICT, method="post"),
        not_allowed("/predict"),
        "RFC 9110 section 9.1",
        server_may_refuse=True,
    ),
    _case(
        "capitalized-method",
        "A method with one capital is another method.",
        replace(PREDICT, method="Post"),
        not_allowed("/predict"),
        "RFC 9110 section 9.1",
        server_may_refuse=True,
    ),
    *(
        _case(
            f"options-{_slug(path)}",
            f"OPTIONS of {path} is 204 with a sorted Allow, without a body, its type or its length.",
            get(path, "OPTIONS"),
            Expectation(status=204, headers=(("Allow", allow(path)),), absent=("Content-Type", "Content-Length")),
            "RFC 9110 section 9.3.7",
        )
        for path in (*POST_PATHS, *GET_PATHS)
    ),
    _case(
        "options-unknown", "OPTIONS of a path that nobody serves is 404.", get("/x", "OPTIONS"), refused("not_found")
    ),
)

_QUERIES: Final = (
    _case(
        "query",
        "A query string is ignored.",
        replace(PREDICT, target="/predict?feature=1"),
        answered("/predict", same_as=PREDICT),
    ),
    _case(
        "encoded-letter",
        "A letter that is percent-encoded without need is the same letter.",
        replace(PREDICT, target="/pr%65dict"),
        answered("/predict", same_as=PREDICT),
        "RFC 3986 section 6.2.2.2",
    ),
    _case(
        "accept",
        "An Accept of another media type is ignored.",
        replace(PREDICT, headers=(("Accept", "text/html"),)),
        answered("/predict", same_as=PREDICT),
        "RFC 9110 section 12.5.1",
    ),
    _case(
        "method-override",
        "A header that asks for another method is ignored.",
        replace(PREDICT, headers=(("X-HTTP-Method-Override", "DELETE"),)),
        answered("/predict", same_as=PREDICT),
        "RFC 9110 section 9.1",
    ),
)

_PRECEDENCE: Final = tuple(
    _case(f"precedence-{name}", proves, request, expects, "docs/contract.md#precedence")
    for name, proves, request, expects in (
        (
            "404-before-405",
            "An unknown path is 404 whatever the method.",
            replace(PREDICT, method="DELETE", target="/x"),
            refused("not_found"),
        ),
        (
            "404-before-413",
            "An unknown path is 404 however long the body.",
            post("/x", _TOO_LARGE),
            refused("not_found"),
        ),
        (
            "405-before-413",
            "A wrong method is 405 however long the body.",
            replace(post("/predict", _TOO_LARGE), method="PUT"),
            not_allowed("/predict"),
        ),
        (
            "405-before-415",
            "A wrong method is 405 whatever the media type.",
            replace(PREDICT, method="PUT", content_type="text/plain"),
            not_allowed("/predict"),
        ),
        (
            "413-before-415",
            "A body over the limit is 413 whatever the media type.",
            post("/predict", _TOO_LARGE, "text/plain"),
            refused("body_too_large"),
        ),
        (
            "415-before-400",
            "A wrong media type is 415 however malformed the body.",
            post("/predict", b"{", "text/plain"),
            unsupported("/predict"),
        ),
    )
)

CASES: Final = (*_PATHS, *_METHODS, *_QUERIES, *_PRECEDENCE)
