"""Requests at the same time, each of which must get its own answer."""

from __future__ import annotations

from typing import Final

from conformance.case import Case, Expectation
from conformance.expect import PREDICT, answered, get, post
from conformance.http_request import HttpRequest
from conformance.recipes import DrawnPicture

_FEATURES: Final = (18.25, 21.0, 24.0, 31.0, 36.5, 41.75, 52.0)


def _case(name: str, proves: str, request: HttpRequest, beside: tuple[HttpRequest, ...], expects: Expectation) -> Case:
    return Case(
        id=f"concurrency-{name}",
        proves=proves,
        clause="docs/contract.md#concurrency",
        endpoint="service" if request.target.startswith("/health") else request.target.strip("/"),
        request=request,
        beside=beside,
        expects=expects,
    )


def _features(target: str, template: str) -> tuple[HttpRequest, ...]:
    return tuple(post(target, (template % feature).encode()) for feature in _FEATURES)


_PAIR: Final = post("/advanced_predict", b'{"feature1":24.5,"feature2":90.0}')
_PICTURES: Final = tuple(
    post("/classify", DrawnPicture(format="PNG", width_px=side, height_px=side), "image/png")
    for side in (8, 16, 24, 40)
)
_BAD: Final = (
    post("/predict", b"{"),
    post("/predict", b'{"feature":null}'),
    post("/predict", b"{}", "text/plain"),
    get("/predict"),
    get("/nobody"),
)

CASES: Final = (
    _case(
        "predict",
        "Every one of eight features at once gets its own prediction.",
        PREDICT,
        _features("/predict", '{"feature":%s}'),
        answered("/predict"),
    ),
    _case(
        "advanced-predict",
        "Every one of eight pairs at once gets its own prediction.",
        _PAIR,
        _features("/advanced_predict", '{"feature1":%s,"feature2":90.0}'),
        answered("/advanced_predict"),
    ),
    _case(
        "classify",
        "Every one of four pictures at once gets its own class.",
        _PICTURES[0],
        _PICTURES[1:],
        answered("/classify"),
    ),
    _case(
        "endpoints",
        "A prediction is its own with other endpoints in use beside it.",
        PREDICT,
        (_PAIR, _PICTURES[1], get("/healthz"), get("/openapi.json"), get("/readyz", "HEAD")),
        answered("/predict"),
    ),
    _case(
        "errors",
        "A good request among bad ones is answered, and every bad one gets its own error.",
        PREDICT,
        _BAD,
        answered("/predict"),
    ),
)
