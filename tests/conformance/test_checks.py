"""The pure judgement: checks, canonical JSON, parity, and telling a server's own refusal."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.canonical import NotJsonError, Number, float32_fault, form_fault, read
from conformance.case import Expectation, Figure, Severity
from conformance.checks import check
from conformance.expect import invalid, not_allowed, refused
from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.parity import Difference, answer_detail, differences
from conformance.servers_own import is_servers_own


def _answer(status: int, body: bytes, **headers: str) -> HttpAnswer:
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=tuple(pairs.items()), body=body, keep_alive=True)


def _seen(answer: HttpAnswer | None, fate: Fate = Fate.KEPT, **fields: object) -> HttpExchange:
    answers = () if answer is None else (answer,)
    return replace(HttpExchange(answers=answers, fate=fate), **fields)  # type: ignore[arg-type]


def _faults(expects: Expectation, exchange: HttpExchange, method: str = "POST") -> list[tuple[str, Severity]]:
    return [(found.what, found.severity) for found in check(expects, exchange, method=method)]


NUMBER = Expectation(status=200, shape="number")
GOOD = _answer(200, b'{"prediction":1.5}')
MALFORMED = b'{"code":"malformed_json","error":"no"}'


def test_good_answer_has_no_mismatch() -> None:
    """An answer that obeys the contract has no mismatch."""
    assert _faults(NUMBER, _seen(GOOD)) == []
    assert _faults(refused("malformed_json"), _seen(_answer(400, MALFORMED))) == []


@pytest.mark.parametrize(
    ("status", "severity"),
    [(200, Severity.WRONG_2XX), (404, Severity.WRONG_4XX), (500, Severity.SERVER_ERROR)],
)
def test_wrong_status_is_weighed_by_what_came_instead(status: int, severity: Severity) -> None:
    """A wrong status is as bad as the answer that came in its place."""
    assert _faults(refused("malformed_json"), _seen(_answer(status, MALFORMED))) == [("status", severity)]


@pytest.mark.parametrize("fate", [Fate.CLOSED, Fate.RESET, Fate.TIMED_OUT, Fate.REFUSED])
def test_no_answer_is_a_server_error(fate: Fate) -> None:
    """No answer is as bad as a 5xx, whatever became of the connection."""
    assert _faults(NUMBER, _seen(None, fate)) == [("answer", Severity.SERVER_ERROR)]


@pytest.mark.parametrize(
    ("body", "what", "severity"),
    [
        (b'{"prediction":1.5}\n', "form", Severity.BYTES_ONLY),
        (b'{"prediction": 1.5}', "form", Severity.BYTES_ONLY),
        (b'{"prediction":0.10000000149011612}', "float32", Severity.BYTES_ONLY),
        (b'{"prediction":NaN}', "JSON", Severity.SILENT_WRONG_ANSWER),
        (b'{"prediction":1e39}', "float32", Severity.BYTES_ONLY),
        (b'{"prediction":"1.5"}', "shape", Severity.SILENT_WRONG_ANSWER),
        (b'{"prediction":true}', "shape", Severity.SILENT_WRONG_ANSWER),
        (b'{"prediction":[[1.5]]}', "shape", Severity.SILENT_WRONG_ANSWER),
        (b'{"prediction":1.5,"prediction":1.5}', "JSON", Severity.SILENT_WRONG_ANSWER),
        (b"", "JSON", Severity.SILENT_WRONG_ANSWER),
    ],
)
def test_body_of_a_good_answer_is_strict(body: bytes, what: str, severity: Severity) -> None:
    """A 200 whose body is not canonical, not JSON, or not of its shape is told by what is wrong with it."""
    assert (what, severity) in _faults(NUMBER, _seen(_answer(200, body)))


def test_figure_is_compared_within_its_tolerance() -> None:
    """A prediction off the reference by more than the tolerance is a silent wrong answer, in matrices too."""
    near = Figure(content_type="application/json", body=b"", expected=1.4, key="prediction", tolerance=0.11)
    assert check(NUMBER, _seen(GOOD), method="POST", figure=near) == []
    (found,) = check(NUMBER, _seen(GOOD), method="POST", figure=replace(near, tolerance=0.09))
    assert found.severity is Severity.SILENT_WRONG_ANSWER
    matrix = _seen(_answer(200, b'{"prediction":[[1.5]]}'))
    expects = Expectation(status=200, shape="matrix")
    assert check(expects, matrix, method="POST", figure=replace(near, expected=[[1.4]])) == []
    assert check(expects, matrix, method="POST", figure=replace(near, expected=[[2.4]]))
    assert check(expects, matrix, method="POST", figure=replace(near, expected=[[1.4, 1.4]]))


def test_headers_are_exact_and_single() -> None:
    """Content-Type must be there once, and exactly; so must the headers that a case asks for."""
    assert _faults(NUMBER, _seen(replace(GOOD, headers=(*GOOD.headers, GOOD.headers[0])))) == [
        ("Content-Type", Severity.BYTES_ONLY)
    ]
    body = b'{"code":"method_not_allowed","error":"no"}'
    assert _faults(not_allowed("/predict"), _seen(_answer(405, body, Allow="OPTIONS, POST"))) == []
    assert _faults(not_allowed("/predict"), _seen(_answer(405, body, Allow="POST, OPTIONS"))) == [
        ("Allow", Severity.BYTES_ONLY)
    ]
    assert _faults(not_allowed("/predict"), _seen(_answer(405, body))) == [("Allow", Severity.BYTES_ONLY)]


def test_length_must_be_said() -> None:
    """An answer that is framed by chunks or by the end of the connection lacks its Content-Length."""
    bare = replace(GOOD, headers=GOOD.headers[:1])
    assert _faults(NUMBER, _seen(bare)) == [("Content-Length", Severity.BYTES_ONLY)]
    assert _faults(NUMBER, _seen(replace(GOOD, chunked=True))) == [("Content-Length", Severity.BYTES_ONLY)]


def test_surplus_bytes_are_a_mismatch() -> None:
    """Bytes after the end of an answer would be read as the next answer, so they are a mismatch."""
    assert _faults(NUMBER, _seen(GOOD, surplus=b"x")) == [("end", Severity.BYTES_ONLY)]


def test_pointer_and_wording() -> None:
    """The pointer of an input error is exact, and the wording of its rule is free."""
    body = b'{"code":"invalid_input","error":"Input validation error: /feature: any rule: of it"}'
    assert _faults(invalid("/feature"), _seen(_answer(400, body))) == []
    assert _faults(invalid("/other"), _seen(_answer(400, body))) == [("pointer", Severity.WRONG_4XX)]
    assert _faults(invalid(""), _seen(_answer(400, body.replace(b"/feature", b"")))) == []
    assert _faults(invalid(""), _seen(_answer(400, body))) == [("pointer", Severity.WRONG_4XX)]


def test_echo_is_found_in_body_and_headers() -> None:
    """Input that comes back is found wherever it stands, under a wrong status too."""
    expects = refused("malformed_json", marker=b"zq7")
    assert ("echo", Severity.WRONG_4XX) in _faults(expects, _seen(_answer(400, MALFORMED, X_Path="/zq7")))
    assert ("echo", Severity.WRONG_4XX) in _faults(expects, _seen(_answer(500, b"<p>zq7")))


def test_unknown_code_is_a_mismatch() -> None:
    """An error body with another code, or with one that the contract does not have, is wrong."""
    other = _answer(400, b'{"code":"malformed_form","error":"no"}')
    unknown = _answer(400, b'{"code":"bad","error":"no"}')
    assert _faults(refused("malformed_json"), _seen(other)) == [("code", Severity.WRONG_4XX)]
    assert _faults(refused("malformed_json"), _seen(unknown)) == [("shape", Severity.WRONG_4XX)]


def test_alternative_is_as_good_as_the_expectation() -> None:
    """Either of two lawful answers is right, and a third is not."""
    expects = replace(refused("malformed_json"), or_else=NUMBER)
    assert _faults(expects, _seen(GOOD)) == []
    assert _faults(expects, _seen(_answer(400, MALFORMED))) == []
    assert _faults(expects, _seen(_answer(200, b'{"prediction":Infinity}'))) != []


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_shortest_float32_is_accepted(value: float) -> None:
    """The spelling that NumPy gives a float32 is never too long, and reads back to the same float32."""
    text = str(np.float32(value))
    assert float32_fault(Number(text)) is None
    assert struct.pack("<f", float(text)) == struct.pack("<f", value)


@pytest.mark.parametrize("text", ["0.10000000149011612", "16777217.5", "1.40129846e-45", "-133.75640", "133.756401"])
def test_longer_float32_is_found(text: str) -> None:
    """A spelling with more digits than float32 needs is found; zeros at the end are none."""
    assert (float32_fault(Number(text)) is None) == (text == "-133.75640")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
    )
)
def test_canonical_writing_is_recognised(value: object) -> None:
    """What a compact sorting encoder writes is canonical, whether it escapes or not."""
    for ascii_only in (True, False):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only)
        try:
            body = text.encode()
        except UnicodeEncodeError:
            continue
        assert form_fault(body, read(body)) is None


@pytest.mark.parametrize("body", [b'{"b":1,"a":1}', b"[1, 2]", b" 1", b"1\n", b'"\\/"', b'{"a":{"d":1,"c":2}}'])
def test_form_faults_are_found(body: bytes) -> None:
    """White space, unsorted keys and needless escapes are not canonical."""
    assert form_fault(body, read(body)) is not None


@pytest.mark.parametrize("body", [b"", b"NaN", b"{}x", b"\xff", b'{"a":1,"a":1}', b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """The suite's own reader is as strict as the contract, and survives what would overflow a stack."""
    with pytest.raises(NotJsonError):
        read(body)


def test_parity_leaves_out_the_connection() -> None:
    """Answers that differ in date, server, connection headers or the case of header names are alike."""
    one = _answer(200, b"{}", Date="a", Server="x", Connection="keep-alive", Keep_Alive="5")
    other = replace(GOOD, body=b"{}", headers=(("content-length", "2"), ("content-type", "application/json")))
    assert answer_detail(one, other, ("a", "b")) is None


@pytest.mark.parametrize(
    "other",
    [_answer(201, b"{}"), _answer(200, b"[]"), _answer(200, b"{}", X_More="1"), _answer(200, b"{}", Content_Type="x")],
)
def test_parity_finds_each_difference(other: HttpAnswer) -> None:
    """A status, a header, its value, or a byte of the body makes two answers differ."""
    assert answer_detail(_answer(200, b"{}"), other, ("a", "b")) is not None


def test_differences_are_against_the_first_target() -> None:
    """Every target is held against the first, case by case; a case that one did not run makes no difference."""
    alike, odd, silent = (_seen(GOOD),), (_seen(_answer(500, b"{}")),), (_seen(None, Fate.CLOSED),)
    found = differences({"a": {"x": alike, "y": alike, "z": alike}, "b": {"x": alike, "y": odd}, "c": {"z": silent}})
    assert [(each.case_id, each.baseline, each.target) for each in found] == [("y", "a", "b"), ("z", "a", "c")]
    assert "500" in found[0].detail
    assert [Difference.from_json(each.to_json()) for each in found] == found


@pytest.mark.parametrize(
    ("exchange", "own"),
    [
        (_seen(_answer(400, b"<html>")), True),
        (_seen(_answer(413, b"")), True),
        (_seen(_answer(400, MALFORMED)), False),
        (_seen(_answer(500, b"<html>")), False),
        (_seen(_answer(200, b"<html>")), False),
        (_seen(None, Fate.CLOSED), True),
        (_seen(None, Fate.RESET), True),
        (_seen(None, Fate.TIMED_OUT), False),
        (_seen(None, Fate.REFUSED), False),
        (_seen(None, Fate.CLOSED, problem="malformed"), False),
    ],
)
def test_servers_own_refusal_is_told(exchange: HttpExchange, own: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """A refusal without the contract's body, or hanging up, is the server's own; a 5xx, a 200 and a hang are not."""
    assert is_servers_own(exchange) is own
