"""After any bad request, however hostile, the next good one is answered: on the same connection and on a new one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Case
from conformance.contract import BODY_LIMIT_BYTES
from conformance.expect import PREDICT, answered, post
from conformance.http_request import HttpRequest
from conformance.recipes import ClaimedPng, Repeat

_BAD: Final = {
    "malformed-json": ("malformed JSON", post("/predict", b"{")),
    "invalid-input": ("an input error", post("/predict", b'{"feature":[[1],[2,3]]}')),
    "deep-nesting": ("deep nesting", post("/predict", Repeat(unit=b"[", times=100_000))),
    "unknown-path": ("a body to an unknown path", replace(PREDICT, target="/x")),
    "wrong-method": ("a body under a wrong method", replace(PREDICT, method="PUT")),
    "wrong-media-type": ("a wrong media type", replace(PREDICT, content_type="text/plain")),
    "too-large": ("a body over the limit", post("/predict", Repeat(unit=b" ", times=BODY_LIMIT_BYTES + 1))),
    "bad-image": ("a hostile picture", post("/classify", ClaimedPng(width_px=65535, height_px=65535), "image/png")),
    "cut-body": ("a body cut short", replace(PREDICT, declared_length=100, half_close=True)),
}


def _case(name: str, what: str, bad: HttpRequest, where: str) -> Case:
    return Case(
        id=f"recovery-{name}-{where}",
        proves=f"The next good request after {what} is answered on {_WHERE[where]} connection.",
        clause="docs/contract.md#recovery",
        endpoint="classify" if bad.target == "/classify" else "predict",
        request=PREDICT,
        expects=answered("/predict", same_as=PREDICT),
        before=(bad, bad),
        reconnect=where == "fresh",
    )


_WHERE: Final = {"same": "the same", "fresh": "a new"}

CASES: Final = tuple(
    _case(name, what, bad, where)
    for name, (what, bad) in _BAD.items()
    for where in _WHERE
    if not (where == "same" and bad.half_close)
)
