"""What the contract lets a generated request be answered, worked out from the request alone.

Three frameworks over one core can be wrong alike, so equality is not enough. This is a second reading of
docs/contract.md, whose headings are named beside the rules, with the suite's strict JSON reader instead of the core's;
where it cannot tell (which picture decodes, which form parses) it names every answer that is lawful.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from conformance import canonical
from conformance.contract import (
    BODY_LIMIT_BYTES,
    CLASSIFY_ACCEPT,
    CODES,
    GET_PATHS,
    JSON_DEPTH,
    POST_PATHS,
    PREDICT_ACCEPT,
)
from conformance.expect import JSON
from conformance.http_request import Framing, HttpRequest
from conformance.recipes import build

_OWS: Final = " \t"
_OF_KIND: Final = {
    "application/x-protobuf": ("malformed_protobuf", "invalid_input"),
    "application/x-www-form-urlencoded": ("malformed_form", "invalid_input", "invalid_image"),
    "multipart/form-data": ("malformed_form", "invalid_input", "invalid_image"),
    "image/jpeg": ("invalid_image",),
    "image/png": ("invalid_image",),
}
_FITS: Final = 3.4028235677973366e38

GOOD: Final = ""
"""Stands among the codes for an answer that is no refusal."""


def lawful(request: HttpRequest) -> frozenset[str]:
    """The codes that an answer may carry, `GOOD` for a good one."""
    # contract.md#paths
    path = unquote_to_bytes(request.target.partition("?")[0].encode("latin-1"))
    known = next((each for each in (*GET_PATHS, *POST_PATHS) if each.encode() == path), None)
    if known is None:
        return frozenset({"not_found"})
    # contract.md#methods
    if request.method not in ("OPTIONS", *(("GET", "HEAD") if known in GET_PATHS else ("POST",))):
        return frozenset({"method_not_allowed"})
    if request.method == "OPTIONS" or known in GET_PATHS:
        return frozenset({GOOD})
    # contract.md#body-length
    if any(name == "Transfer-Encoding" for name, _ in request.headers):
        return frozenset({GOOD, *CODES} - {"internal", "not_found", "method_not_allowed"})
    body = b"" if request.framing is Framing.NONE else build(request.body)
    length = len(body) if request.declared_length is None else request.declared_length
    # contract.md#precedence
    if length > BODY_LIMIT_BYTES:
        return frozenset({"body_too_large"})
    kind, certain = _kind(request, known)
    if kind is None:
        return frozenset({"unsupported_media_type"})
    codes = _codes(known, kind, body) if length <= len(body) else frozenset({"incomplete_body"})
    return codes if certain else codes | {"unsupported_media_type"}


def _kind(request: HttpRequest, path: str) -> tuple[str | None, bool]:
    """The accepted media type, None for one that is not, and whether that is certain: odd parameters are not judged."""
    # contract.md#media-types
    essence, _, parameters = (request.content_type or "").partition(";")
    essence = essence.strip(_OWS).lower()
    codings = [value for name, value in request.headers if name == "Content-Encoding"]
    accepted = (CLASSIFY_ACCEPT if path == "/classify" else PREDICT_ACCEPT).split(", ")
    if essence not in accepted or any(coding.strip(_OWS).lower() not in ("", "identity") for coding in codings):
        return None, True
    return essence, not parameters


def _codes(path: str, kind: str, body: bytes) -> frozenset[str]:
    if kind != JSON:
        return frozenset({GOOD, *_OF_KIND[kind]})
    try:
        value = canonical.read(body)
    except canonical.NotJsonError:
        return frozenset({"malformed_json"})
    # contract.md#json-in
    if _depth(value) > JSON_DEPTH or any(_lone_surrogate(text) for text in _texts(value)):
        return frozenset({"malformed_json"})
    if not isinstance(value, dict):
        return frozenset({"invalid_input"})
    if path == "/classify":
        return frozenset(
            {"invalid_input", "invalid_image", GOOD} if isinstance(value.get("image"), str) else {"invalid_input"}
        )
    names = ("feature",) if path == "/predict" else ("feature1", "feature2")
    # contract.md#batches
    if "instances" in value:
        rows = value["instances"]
        alone = not any(name in value for name in names)
        right = (
            alone and isinstance(rows, list) and 0 < len(rows) <= 1024 and all(_row(row, len(names)) for row in rows)
        )
    else:
        right = all(_number(value.get(name)) for name in names)
    return _predicted(value) if right else frozenset({"invalid_input"})


def _predicted(value: Any) -> frozenset[str]:
    """Each number fits, and then the prediction does too, unless the numbers are near the end of float32."""
    # contract.md#number-format
    near_the_end = any(abs(number) > 1e30 for number in _numbers(value))
    return frozenset({GOOD, "invalid_input"} if near_the_end else {GOOD})


def _row(row: Any, width: int) -> bool:
    if width == 1:
        return _number(row)
    return isinstance(row, list) and len(row) == width and all(map(_number, row))


def _number(value: Any) -> bool:
    return isinstance(value, canonical.Number) and abs(value) < _FITS


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _texts(value: Any) -> Iterable[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from value
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _numbers(value: Any) -> Iterable[float]:
    match value:
        case canonical.Number():
            yield value
        case dict():
            for each in value.values():
                yield from _numbers(each)
        case list():
            for each in value:
                yield from _numbers(each)


def _lone_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)
