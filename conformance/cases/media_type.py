"""Content-Type and Content-Encoding of JSON requests."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Case, Topic
from conformance.expect import PREDICT, answered, post, unsupported
from conformance.http_request import HttpRequest
from conformance.recipes import build

_BODY: Final = build(PREDICT.body)


_case: Final = Topic(prefix="media", endpoint="predict").case


def _accepted(name: str, proves: str, kind: str) -> Case:
    expects = answered("/predict", same_as=PREDICT)
    return _case(name, proves, post("/predict", _BODY, kind), expects, "RFC 9110 section 8.3.1")


def _refused(name: str, proves: str, kind: str | None) -> Case:
    request = post("/predict", _BODY, kind)
    return _case(name, proves, request, unsupported("/predict"), "RFC 9110 section 15.5.16")


def _encoded(coding: str) -> HttpRequest:
    return replace(PREDICT, headers=(("Content-Encoding", coding),))


CASES: Final = (
    _accepted("charset", "A charset of UTF-8 is what JSON is anyway.", "application/json; charset=utf-8"),
    _accepted(
        "charset-quoted", "A quoted charset in capitals is the same charset.", 'application/json; charset="UTF-8"'
    ),
    _accepted("space-before-semicolon", "A space before the semicolon is lawful.", "application/json ;charset=utf-8"),
    _accepted("upper-case", "The case of a media type changes nothing.", "Application/JSON"),
    _accepted("empty-parameter", "An empty parameter is lawful.", "application/json;"),
    _refused("none", "A body without a media type is refused.", None),
    _refused("text-plain", "A JSON text under text/plain is refused.", "text/plain"),
    _refused("text-json", "A JSON text under text/json is refused.", "text/json"),
    _refused("json-suffix", "A media type that ends in +json is another one.", "application/vnd.api+json"),
    _refused("json-prefix", "A media type that begins like JSON's is another one.", "application/json-rpc"),
    _refused("form", "A form is refused where JSON is asked for.", "application/x-www-form-urlencoded"),
    _refused("multipart", "A multipart form is refused where JSON is asked for.", "multipart/form-data; boundary=x"),
    _refused("range", "A range is no media type.", "*/*"),
    _refused("charset-latin-1", "A charset that JSON does not have is refused.", "application/json; charset=latin1"),
    _refused("charset-utf-16", "A charset of UTF-16 is refused.", "application/json; charset=utf-16"),
    _refused("charset-unknown", "A charset that nobody knows is refused.", "application/json; charset=x-unknown"),
    _refused(
        "junk-after-parameter",
        "A parameter with junk behind it makes no media type.",
        "application/json; charset=utf-8 too",
    ),
    _case(
        "gzip",
        "A compressed body is refused and not parsed as text.",
        _encoded("gzip"),
        unsupported("/predict"),
        "RFC 9110 section 8.4",
    ),
    _case(
        "identity",
        "The identity coding is none.",
        _encoded("identity"),
        answered("/predict", same_as=PREDICT),
        "RFC 9110 section 8.4",
    ),
)
