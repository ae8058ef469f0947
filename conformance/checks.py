"""The judgement, pure: an expectation and what was seen, to a list of mismatches.

Beyond what a case asks for, every answer is held to what all answers share: one Content-Type of exactly
application/json (application/x-protobuf where a tensor is expected), one true Content-Length, canonical JSON,
an error body where the status is an error, and not a byte more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from conformance import canonical, tensor_messages
from conformance.case import Case, Expectation, Figure
from conformance.fate import Fate
from conformance.finding import Severity
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.parity import answer_detail
from conformance.shapes import (
    FLOAT32_SHAPES,
    INFERENCE,
    INFERENCE_BYTES,
    PREDICTION_KEYS,
    SHAPES,
    TENSOR_SHAPES,
    TENSOR_TYPES,
    TEXT_ERROR,
    by_name,
)

_INPUT_ERROR: Final = re.compile(r"Input validation error: ((?:/[^:]*)?): .+\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One thing that is not as expected."""

    what: str
    expected: str
    actual: str
    severity: Severity


def check(
    expects: Expectation,
    exchange: HttpExchange,
    *,
    method: str,
    figure: Figure | None = None,
    model: HttpAnswer | None = None,
    within: float = 0.0,
) -> list[Mismatch]:
    """Everything wrong with what was seen, worst first.

    `method` is the request's, `figure` the reference answer, `model` the answer to `expects.same_as`, whose numbers may
    differ by `within`.
    """
    seen = _mismatches(expects, exchange, method, figure, model, within=within)
    found = sorted(seen, key=lambda m: m.severity, reverse=True)
    if found and expects.or_else is not None and not check(expects.or_else, exchange, method=method):
        return []
    return found


def _mismatches(
    expects: Expectation,
    exchange: HttpExchange,
    method: str,
    figure: Figure | None,
    model: HttpAnswer | None,
    *,
    within: float,
) -> Iterator[Mismatch]:
    answer = exchange.answer
    if answer is None or exchange.problem is not None:
        wanted = f"an answer with status {expects.status}"
        yield _mismatch("answer", wanted, exchange.describe(), Severity.SERVER_ERROR)
        return
    if expects.marker is not None and _echoed(expects.marker, answer):
        yield _mismatch("echo", "nothing of the input in the answer", answer.describe(), Severity.WRONG_4XX)
    if answer.status != expects.status:
        wanted = f"{expects.status} {expects.code or ''}".strip()
        yield _mismatch("status", wanted, answer.describe(), _status_severity(answer.status))
        return
    if exchange.surplus:
        yield _mismatch("end", "nothing after the answer", exchange.describe(), Severity.BYTES_ONLY)
    yield from _headers(expects, answer)
    if method != "HEAD" and answer.status != 204:
        yield from _framing(answer)
        yield from _body(expects, answer, figure)
    if model is not None:
        detail = answer_detail(model, answer, ("the plain request", "this one"), bodies=method != "HEAD", within=within)
        if detail is not None:
            yield _mismatch("equality", "the answer of the plain request", detail, _equality_severity(answer))


def _headers(expects: Expectation, answer: HttpAnswer) -> Iterator[Mismatch]:
    required = [*expects.headers]
    if answer.status != 204:
        kind = TENSOR_TYPES[str(expects.shape)] if _is_tensor(expects, answer) else "application/json"
        required.append(("Content-Type", kind))
    if expects.shape == INFERENCE_BYTES and answer.status == 200:
        required.append(("Inference-Header-Content-Length", str(tensor_messages.json_bytes(answer.body))))
    for name, value in required:
        seen = answer.values(name.lower())
        if seen != (value,):
            yield _mismatch(name, value, ascii(list(seen)), Severity.BYTES_ONLY)
    for name in expects.absent:
        seen = answer.values(name.lower())
        if seen:
            yield _mismatch(name, "absent", ascii(list(seen)), Severity.BYTES_ONLY)


def _framing(answer: HttpAnswer) -> Iterator[Mismatch]:
    # llhttp has refused a repeated Content-Length, and the body was read by the one there is.
    if answer.chunked or not answer.values("content-length"):
        seen = "chunks" if answer.chunked else "the connection's end"
        yield _mismatch("Content-Length", "the body's length", f"framed by {seen}", Severity.BYTES_ONLY)


def _body(expects: Expectation, answer: HttpAnswer, figure: Figure | None) -> Iterator[Mismatch]:
    wrong = Severity.SILENT_WRONG_ANSWER if answer.status == 200 else Severity.WRONG_4XX
    if expects.body is not None and answer.body != expects.body:
        yield _mismatch("body", ascii(expects.body), answer.describe(), Severity.BYTES_ONLY)
    try:
        read = TENSOR_SHAPES[str(expects.shape)] if _is_tensor(expects, answer) else canonical.read
        value = read(answer.body)
    except tensor_messages.NotTensorError as error:
        yield _mismatch("tensor", "a TensorProto of DT_FLOAT", f"{error}: {answer.describe()}", wrong)
        return
    except canonical.NotJsonError as error:
        yield _mismatch("JSON", "strict JSON", f"{error}: {answer.describe()}", wrong)
        return
    fault = None if _is_tensor(expects, answer) else canonical.form_fault(answer.body, value)
    if fault is not None:
        yield _mismatch("form", "canonical JSON", f"{fault}: {answer.describe()}", Severity.BYTES_ONLY)
    shape = ("error" if expects.coded else TEXT_ERROR) if answer.status >= 400 else expects.shape
    fault = None if shape is None else SHAPES[shape](value)
    if fault is not None:
        yield _mismatch("shape", str(shape), f"{fault}: {answer.describe()}", wrong)
    elif shape in ("error", TEXT_ERROR):
        yield from _error(expects, value)
    elif shape is not None:
        yield from _prediction(expects, shape, value, figure or expects.figure)


def _prediction(expects: Expectation, shape: str, value: dict[str, Any], figure: Figure | None) -> Iterator[Mismatch]:
    if expects.rows is not None and len(value[PREDICTION_KEYS[shape]]) != expects.rows:
        counted = f"{len(value[PREDICTION_KEYS[shape]])} predictions"
        yield _mismatch("rows", f"{expects.rows} predictions", counted, Severity.SILENT_WRONG_ANSWER)
    if shape in FLOAT32_SHAPES:
        for number in _numbers(value):
            fault = canonical.float32_fault(number)
            if fault is not None:
                yield _mismatch("float32", "the shortest decimal of a float32", fault, Severity.BYTES_ONLY)
    if figure is not None:
        yield from _figure(figure, by_name(value) if shape == INFERENCE else value)


def _is_tensor(expects: Expectation, answer: HttpAnswer) -> bool:
    return expects.shape in TENSOR_SHAPES and answer.status == 200


def _error(expects: Expectation, value: dict[str, str]) -> Iterator[Mismatch]:
    if expects.coded and expects.code is not None and value["code"] != expects.code:
        yield _mismatch("code", expects.code, f"{value['code']}: {value['error']}", Severity.WRONG_4XX)
    elif expects.pointer is not None:
        match = _INPUT_ERROR.match(value["error"])
        if match is None or match[1] != expects.pointer:
            wanted = f"Input validation error: {expects.pointer}: ..."
            yield _mismatch("pointer", wanted, ascii(value["error"])[1:-1], Severity.WRONG_4XX)


def _numbers(value: Any) -> Iterator[canonical.Number]:
    match value:
        case dict():
            yield from _numbers(list(value.values()))
        case list():
            for each in value:
                yield from _numbers(each)
        case canonical.Number():
            yield value


def _figure(figure: Figure, value: dict[str, Any]) -> Iterator[Mismatch]:
    seen = value.get(figure.key)
    if not _near(seen, figure.expected, figure.tolerance):
        wanted = f"{figure.key} {figure.expected} within {figure.tolerance:g}"
        yield _mismatch("figure", wanted, f"{figure.key} {seen}", Severity.SILENT_WRONG_ANSWER)


def _near(seen: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, list):
        same_length = isinstance(seen, list) and len(seen) == len(expected)
        return same_length and all(_near(a, b, tolerance) for a, b in zip(seen, expected, strict=True))
    if isinstance(expected, dict):
        same_names = isinstance(seen, dict) and set(seen) == set(expected)
        return same_names and all(_near(seen[name], each, tolerance) for name, each in expected.items())
    if isinstance(expected, bool | str):
        return type(seen) is type(expected) and bool(seen == expected)
    # Numbers of JSON are floats here, integers of a tensor are not.
    if type(expected) is int and type(seen) is int:
        return seen == expected
    return isinstance(seen, float) and abs(seen - float(expected)) <= tolerance


def _echoed(marker: bytes, answer: HttpAnswer) -> bool:
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers)
    return marker in answer.body or marker.decode("latin-1") in headers


def _status_severity(actual: int) -> Severity:
    if actual >= 500:
        return Severity.SERVER_ERROR
    return Severity.WRONG_2XX if actual < 300 else Severity.WRONG_4XX


def _equality_severity(answer: HttpAnswer) -> Severity:
    return Severity.SILENT_WRONG_ANSWER if answer.status == 200 and answer.body else Severity.BYTES_ONLY


def _mismatch(what: str, expected: str, actual: str, severity: Severity) -> Mismatch:
    return Mismatch(what=what, expected=expected, actual=actual, severity=severity)


def connection_is_right(case: Case, exchange: HttpExchange) -> bool:
    """Whether the connection went the way that the case asks for and that the answer announced.

    An answer that says `Connection: close` counts as closed: when the server gets to it is its own matter. One that
    does not say so must keep the connection (RFC 9112 section 9.6), unless the client has ended its side or had not
    sent all of the body by then.
    """
    answer = exchange.answer
    if answer is None or exchange.problem is not None:
        return case.connection is not Fate.KEPT
    closes = not answer.keep_alive
    if case.connection is Fate.KEPT:
        return exchange.fate is Fate.KEPT and not closes
    if case.connection is Fate.CLOSED:
        return exchange.fate is Fate.CLOSED or closes
    if exchange.fate is Fate.KEPT or closes:
        return True
    half_close = case.request is not None and case.request.half_close
    return half_close or not exchange.sent_all
