"""Short ways to write the requests and expectations that most cases are made of."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any, Final

from conformance.case import Expectation
from conformance.contract import CLASSIFY_ACCEPT, CODES, GET_ALLOW, GET_PATHS, POST_ALLOW, PREDICT_ACCEPT
from conformance.http_request import Framing, HttpRequest
from conformance.recipes import Recipe

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"

_SHAPES: Final = {"/predict": "number", "/advanced_predict": "matrix", "/classify": "class"}
_BATCH_SHAPES: Final = {"/predict": "numbers", "/advanced_predict": "rows"}


def post(target: str, body: Recipe, content_type: str | None = JSON, framing: Framing = Framing.LENGTH) -> HttpRequest:
    """A POST as a well-behaved client frames it."""
    return HttpRequest(target=target, content_type=content_type, body=body, framing=framing)


def get(target: str, method: str = "GET") -> HttpRequest:
    """A request without a body."""
    return HttpRequest(method=method, target=target, framing=Framing.NONE)


PREDICT: Final = post("/predict", b'{"feature":24.5}')
"""The plain good request that others are compared with, or that follows a bad one."""


def answered(path: str, same_as: HttpRequest | None = None) -> Expectation:
    """A good answer of an endpoint; `same_as` is a request that must be answered alike."""
    return Expectation(status=200, shape=_SHAPES[path], same_as=same_as)


def batch_answered(path: str, rows: int | None = None, same_as: HttpRequest | None = None) -> Expectation:
    """A good answer to `instances`; `rows` is how many predictions it holds, None where that is not the point."""
    return Expectation(status=200, shape=_BATCH_SHAPES[path], rows=rows, same_as=same_as)


def tensor_answered(rows: int | None = None, same_as: HttpRequest | None = None) -> Expectation:
    """A good answer to a TensorProto."""
    return Expectation(status=200, shape="tensor", rows=rows, same_as=same_as)


def refused(code: str, *, marker: bytes | None = None) -> Expectation:
    """An error of the contract; the code has its one status."""
    return Expectation(status=CODES[code], code=code, marker=marker)


def invalid(pointer: str, *, marker: bytes | None = None) -> Expectation:
    """An `invalid_input` that points at the member in question and repeats nothing of it."""
    return Expectation(status=400, code="invalid_input", pointer=pointer, marker=marker)


MARKER: Final = "zq7marker"
"""What must not come back, where a request to a user's model has it in the wrong place."""


def refused_in_text(code: str, pointer: str | None = None) -> Expectation:
    """An error of another protocol, which has its text alone. A pointer with a colon cannot be told."""
    told = pointer if pointer is not None and ":" not in pointer else None
    return Expectation(status=CODES[code], code=code, pointer=told, coded=False, marker=MARKER.encode())


def not_allowed_in_text(allowed: str) -> Expectation:
    """405 with this Allow, its error the text alone."""
    return replace(refused_in_text("method_not_allowed"), headers=(("Allow", allowed),))


def json_text(value: Any) -> bytes:
    """A value as compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()


def packed(target: str, body: bytes, coding: str = "gzip") -> HttpRequest:
    """A POST of JSON that is packed with gzip, or says to be packed with another coding."""
    sent = gzip.compress(body, mtime=0) if coding == "gzip" else body
    return replace(post(target, sent), headers=(("Content-Encoding", coding),))


def not_allowed(path: str) -> Expectation:
    """405 with the route's own Allow."""
    return Expectation(status=405, code="method_not_allowed", headers=(("Allow", allow(path)),))


def unsupported(path: str) -> Expectation:
    """415 with the media types that the route accepts."""
    accept = CLASSIFY_ACCEPT if path == "/classify" else PREDICT_ACCEPT
    return Expectation(status=415, code="unsupported_media_type", headers=(("Accept", accept),))


def allow(path: str) -> str:
    """The Allow of a route, sorted."""
    return GET_ALLOW if path in GET_PATHS else POST_ALLOW
