"""`instances`: 1 to 1024 rows in JSON, as in the row format of TensorFlow Serving's REST API."""

from __future__ import annotations

from typing import Final

from conformance.case import Case, Expectation
from conformance.contract import MAX_ROWS
from conformance.expect import batch_answered, invalid, post, refused
from conformance.http_request import HttpRequest
from conformance.recipes import Join, Recipe, Repeat

_BATCHES: Final = "docs/contract.md#batches"
_MARKER: Final = b"zq7marker"


def _case(name: str, proves: str, request: HttpRequest | None, expects: Expectation, clause: str = _BATCHES) -> Case:
    return Case(
        id=f"batch-{name}",
        proves=proves,
        clause=clause,
        endpoint="advanced_predict" if name.startswith("advanced-") else "predict",
        request=request,
        expects=expects,
    )


def _instances(items: Recipe) -> Recipe:
    return Join(parts=(b'{"instances":[', items, b"]}"))


def _many(unit: bytes, rows: int) -> Recipe:
    """As many instances, all alike."""
    return _instances(Join(parts=(unit, Repeat(unit=b"," + unit, times=rows - 1))))


def _predict(name: str, proves: str, body: Recipe, expects: Expectation, clause: str = _BATCHES) -> Case:
    return _case(name, proves, post("/predict", body), expects, clause)


def _advanced(name: str, proves: str, body: Recipe, expects: Expectation, clause: str = _BATCHES) -> Case:
    return _case(f"advanced-{name}", proves, post("/advanced_predict", body), expects, clause)


def _invalid(name: str, proves: str, body: Recipe, pointer: str = "/instances", marker: bytes | None = None) -> Case:
    return _predict(name, proves, body, invalid(pointer, marker=marker))


def _invalid_advanced(name: str, proves: str, body: Recipe, pointer: str) -> Case:
    return _advanced(name, proves, body, invalid(pointer))


_THREE: Final = b"24.5,31.0,18.25"
_PLAIN: Final = post("/predict", _instances(_THREE))
_PAIRS: Final = b"[24.5,90.0],[31.0,101.0],[18.25,77.5]"
_OVERFLOW: Final = b"3.4028234663852886e38"

_PREDICT: Final = (
    _case(
        "figures",
        "Every reference batch is answered with the predictions of its instances, in their order.",
        None,
        batch_answered("/predict"),
    ),
    _predict(
        "one",
        "A batch of one instance is answered with one prediction.",
        _many(b"24.5", 1),
        batch_answered("/predict", 1),
    ),
    _predict("three", "A batch of three is answered with three.", _instances(_THREE), batch_answered("/predict", 3)),
    _predict(
        "full",
        "A batch of 1024 instances is answered with as many predictions.",
        _many(b"24.5", MAX_ROWS),
        batch_answered("/predict", MAX_ROWS),
    ),
    _predict(
        "integers",
        "An integer is answered as the same number with a point.",
        _instances(b"24,31"),
        batch_answered("/predict", 2, same_as=post("/predict", _instances(b"24.0,31.0"))),
    ),
    _predict(
        "white-space",
        "The white space of JSON between instances changes nothing.",
        b' { "instances" :\n[ 24.5 ,\t31.0,18.25 ] }\r\n',
        batch_answered("/predict", 3, same_as=_PLAIN),
    ),
    _predict(
        "unknown-member",
        "A member that the row format does not name is ignored.",
        b'{"signature_name":"serving_default","instances":[' + _THREE + b"]}",
        batch_answered("/predict", 3, same_as=_PLAIN),
    ),
    _invalid("empty", "An empty batch is an error at the instances.", _instances(b"")),
    _invalid("over-full", "A batch of 1025 instances is one too many.", _many(b"24.5", MAX_ROWS + 1)),
    _invalid("null", "A null is no batch.", b'{"instances":null}'),
    _invalid("number", "A bare number is no batch.", b'{"instances":24.5}'),
    _invalid("object", "An object is no batch.", b'{"instances":{"0":24.5}}'),
    _invalid(
        "beside-feature",
        "A feature beside the instances is refused: no one can say which is meant.",
        b'{"feature":24.5,"instances":[24.5]}',
    ),
    _invalid("true", "A true among the instances is an error at its place.", _instances(b"24.5,true"), "/instances/1"),
    _invalid("string", "A number in quotes is an error at its place.", _instances(b'24.5,31,"18"'), "/instances/2"),
    _invalid("nested", "An array is no instance of one feature.", _instances(b"[24.5]"), "/instances/0"),
    _invalid("named", "An object is no instance of one feature.", _instances(b'{"feature":24.5}'), "/instances/0"),
    _invalid(
        "over-float32", "A number beyond float32 is an error at its place.", _instances(b"24.5,1e39"), "/instances/1"
    ),
    _invalid(
        "last-of-many",
        "A fault in the last of 1024 instances is found there.",
        Join(parts=(b'{"instances":[', Repeat(unit=b"24.5,", times=MAX_ROWS - 1), b"null]}")),
        f"/instances/{MAX_ROWS - 1}",
    ),
    _invalid(
        "echo",
        "The text of an input error repeats nothing of an instance.",
        _instances(b'24.5,"' + _MARKER + b'"'),
        "/instances/1",
        marker=_MARKER,
    ),
    _predict(
        "nan",
        "A NaN among the instances is no JSON number.",
        _instances(b"24.5,NaN"),
        refused("malformed_json"),
        "RFC 8259 section 6",
    ),
    _predict(
        "largest-float32",
        "The largest float32 in a batch is answered with a finite number or refused at its place, never with infinity.",
        _instances(b"24.5," + _OVERFLOW),
        Expectation(status=400, code="invalid_input", pointer="/instances/1", or_else=batch_answered("/predict", 2)),
        "RFC 8259 section 6",
    ),
)

_ADVANCED: Final = (
    _case(
        "advanced-figures",
        "Every reference batch of pairs is answered with the predictions of its instances, in their order.",
        None,
        batch_answered("/advanced_predict"),
    ),
    _advanced(
        "three",
        "A batch of three pairs is answered with a matrix of three rows.",
        _instances(_PAIRS),
        batch_answered("/advanced_predict", 3),
    ),
    _advanced(
        "full",
        "A batch of 1024 pairs is answered with a matrix of as many rows.",
        _many(b"[24.5,90.0]", MAX_ROWS),
        batch_answered("/advanced_predict", MAX_ROWS),
    ),
    _invalid_advanced(
        "over-full", "A batch of 1025 pairs is one too many.", _many(b"[24.5,90.0]", MAX_ROWS + 1), "/instances"
    ),
    _invalid_advanced(
        "beside-second",
        "A second feature beside the instances is refused.",
        b'{"feature2":90,"instances":[[24.5,90]]}',
        "/instances",
    ),
    _invalid_advanced("flat", "A bare number is no pair.", _instances(b"24.5,90"), "/instances/0"),
    _invalid_advanced("short", "A pair of one is an error at it.", _instances(b"[24.5,90],[24.5]"), "/instances/1"),
    _invalid_advanced("long", "A pair of three is an error at it.", _instances(b"[24.5,90,1]"), "/instances/0"),
    _invalid_advanced(
        "null", "A null within a pair is an error at its place.", _instances(b"[1,2],[24.5,null]"), "/instances/1/1"
    ),
    _invalid_advanced(
        "over-float32", "A number beyond float32 is an error at its place.", _instances(b"[1e39,90]"), "/instances/0/0"
    ),
)

CASES: Final = (*_PREDICT, *_ADVANCED)
