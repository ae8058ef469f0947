"""`POST /predict`: one number in, one number out."""

from __future__ import annotations

from typing import Final

from conformance.case import Case, Expectation, Topic
from conformance.expect import PREDICT, answered, invalid, post
from conformance.http_request import HttpRequest
from conformance.recipes import Join, Recipe, Repeat

_PATH: Final = "/predict"
_CONTRACT: Final = "docs/contract.md#post-predict"
_NUMBERS: Final = "docs/contract.md#numbers-in"
_MARKER: Final = b"zq7marker"
_HUGE_INTEGER: Final = Join(parts=(b'{"feature":1', Repeat(unit=b"0", times=400), b"}"))
_ENDLESS_INTEGER: Final = Join(parts=(b'{"feature":', Repeat(unit=b"9", times=5000), b"}"))


_case: Final = Topic(prefix="predict", endpoint="predict", clause=_NUMBERS).case


def _alike(name: str, proves: str, body: bytes, like: HttpRequest = PREDICT) -> Case:
    return _case(name, proves, post(_PATH, body), answered(_PATH, same_as=like), clause="docs/contract.md#json-in")


def _invalid(name: str, proves: str, body: Recipe, pointer: str = "/feature", marker: bytes | None = None) -> Case:
    return _case(name, proves, post(_PATH, body), invalid(pointer, marker=marker))


CASES: Final = (
    _case("figures", "Every reference figure is the prediction of its feature.", None, answered(_PATH), _CONTRACT),
    _case("number", "A number is answered with one prediction.", PREDICT, answered(_PATH), _CONTRACT),
    _case("zero", "A feature of zero is a number like any other.", post(_PATH, b'{"feature":0}'), answered(_PATH)),
    _case(
        "negative",
        "A negative feature is a number like any other.",
        post(_PATH, b'{"feature":-24.5}'),
        answered(_PATH),
    ),
    _alike(
        "integer",
        "An integer is answered as the same number with a point.",
        b'{"feature":24}',
        post(_PATH, b'{"feature":24.0}'),
    ),
    _alike("exponent", "An exponent is another spelling of the same number.", b'{"feature":2.45E+1}'),
    _alike("unknown-member", "A member that the schema does not name is ignored.", b'{"feature":24.5,"other":[null]}'),
    _alike(
        "white-space", "The white space of JSON between tokens changes nothing.", b'\r\n\t { "feature" :\n24.5 } \t'
    ),
    _alike("escaped-name", "An escaped member name is the same name.", b'{"\\u0066eature":24.5}'),
    _invalid("missing", "A missing feature is an input error at its member.", b"{}"),
    _invalid("misspelled", "The name of a member is told apart by case.", b'{"Feature":24.5}'),
    _invalid("null", "A null is not a number.", b'{"feature":null}'),
    _invalid("true", "A true is not a number, though it is one in Python.", b'{"feature":true}'),
    _invalid("false", "A false is not a number, though it is one in Python.", b'{"feature":false}'),
    _invalid("string", "A number in quotes is not a number.", b'{"feature":"24.5"}'),
    _invalid("array", "An array of one number is not a number.", b'{"feature":[24.5]}'),
    _invalid("object", "An object is not a number.", b'{"feature":{"feature":24.5}}'),
    _invalid("over-float64", "A number beyond float64 is an input error and not malformed.", b'{"feature":1e999}'),
    _invalid("over-float32", "A number beyond float32 is an input error.", b'{"feature":1e39}'),
    _invalid("below-float32", "A negative number beyond float32 is an input error.", b'{"feature":-1e39}'),
    _invalid("huge-integer", "An integer of 401 digits is an input error.", _HUGE_INTEGER),
    _invalid("endless-integer", "An integer of 5000 digits is an input error and no fault inside.", _ENDLESS_INTEGER),
    _case(
        "largest-float32",
        "The largest float32 is answered with a finite number or refused, never with infinity.",
        post(_PATH, b'{"feature":3.4028234663852886e38}'),
        Expectation(status=400, code="invalid_input", or_else=answered(_PATH)),
    ),
    _invalid("root-array", "An array is no object, and the error points at the root.", b"[24.5]", pointer=""),
    _invalid("root-null", "A null is no object, and the error points at the root.", b"null", pointer=""),
    _invalid("root-number", "A bare number is no object, and the error points at the root.", b"24.5", pointer=""),
    _invalid("root-string", "A bare string is no object, and the error points at the root.", b'"feature"', pointer=""),
    _invalid(
        "echo-value",
        "The text of an input error repeats no value of the input.",
        b'{"feature":"' + _MARKER + b'"}',
        marker=_MARKER,
    ),
    _invalid(
        "echo-name",
        "The text of an input error repeats no name of the input.",
        b'{"' + _MARKER + b'":1}',
        marker=_MARKER,
    ),
)
