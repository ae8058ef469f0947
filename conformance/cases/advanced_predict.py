"""`POST /advanced_predict`: two numbers in, a matrix of one row and one column out."""

from __future__ import annotations

from typing import Final

from conformance.case import Case, Expectation, Topic
from conformance.expect import answered, invalid, post

_PATH: Final = "/advanced_predict"
_MARKER: Final = b"zq7marker"
_PLAIN: Final = post(_PATH, b'{"feature1":24.5,"feature2":90.0}')


_case: Final = Topic(
    prefix="advanced", endpoint="advanced_predict", clause="docs/contract.md#post-advanced_predict"
).case


def _alike(name: str, proves: str, body: bytes) -> Case:
    return _case(name, proves, post(_PATH, body), answered(_PATH, same_as=_PLAIN))


def _invalid(name: str, proves: str, body: bytes, pointer: str, marker: bytes | None = None) -> Case:
    return _case(name, proves, post(_PATH, body), invalid(pointer, marker=marker))


CASES: Final = (
    _case("figures", "Every reference figure is the prediction of its two features.", None, answered(_PATH)),
    _case("matrix", "Two numbers are answered with a matrix of one row and one column.", _PLAIN, answered(_PATH)),
    _alike("order", "The order of the members changes nothing.", b'{"feature2":90.0,"feature1":24.5}'),
    _alike("integer", "An integer is answered as the same number with a point.", b'{"feature1":24.5,"feature2":90}'),
    _alike(
        "unknown-member",
        "A member that the schema does not name is ignored.",
        b'{"feature1":24.5,"feature2":90.0,"feature3":"x"}',
    ),
    _invalid("missing-first", "A missing first feature is an error at its member.", b'{"feature2":90.0}', "/feature1"),
    _invalid("missing-second", "A missing second feature is an error at its member.", b'{"feature1":1}', "/feature2"),
    _invalid("string", "A number in quotes is not a number.", b'{"feature1":1,"feature2":"90"}', "/feature2"),
    _invalid("true", "A true is not a number.", b'{"feature1":true,"feature2":90}', "/feature1"),
    _invalid("null", "A null is not a number.", b'{"feature1":1,"feature2":null}', "/feature2"),
    _invalid("array", "An array of numbers is not a number.", b'{"feature1":[1,2],"feature2":90}', "/feature1"),
    _invalid("over-float32", "A number beyond float32 is an error.", b'{"feature1":1,"feature2":1e39}', "/feature2"),
    _invalid("root-array", "An array of two numbers is no object.", b"[24.5,90.0]", ""),
    _case(
        "largest-float32",
        "The largest float32 twice is answered with a finite number or refused, never with infinity.",
        post(_PATH, b'{"feature1":3.4028234663852886e38,"feature2":3.4028234663852886e38}'),
        Expectation(status=400, code="invalid_input", or_else=answered(_PATH)),
    ),
    _invalid(
        "echo",
        "The text of an input error repeats nothing of the input.",
        b'{"feature1":"' + _MARKER + b'","feature2":90}',
        "/feature1",
        marker=_MARKER,
    ),
)
