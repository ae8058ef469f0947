"""The pure judgement: each thing that an answer may have wrong is found and weighed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.case import Expectation, Figure
from conformance.cases import select
from conformance.checks import check, connection_is_right
from conformance.expect import invalid, not_allowed, refused
from conformance.fate import Fate
from conformance.finding import Severity
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange


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


A_NUMBER = select(ids=["predict-number"])[0]


def _exchange(fate: Fate, *, keep_alive: bool = True, **fields: Any) -> HttpExchange:
    answer = HttpAnswer(status=200, headers=(), body=b"", keep_alive=keep_alive)
    return replace(HttpExchange(answers=(answer,), fate=fate), **fields)


@pytest.mark.parametrize(
    ("wanted", "seen", "right"),
    [
        (None, _exchange(Fate.KEPT), True),
        (None, _exchange(Fate.CLOSED, keep_alive=False), True),
        (None, _exchange(Fate.CLOSED), False),
        (None, _exchange(Fate.RESET), False),
        (None, _exchange(Fate.RESET, sent_all=False), True),
        (Fate.KEPT, _exchange(Fate.KEPT), True),
        (Fate.KEPT, _exchange(Fate.CLOSED, keep_alive=False), False),
        (Fate.KEPT, HttpExchange(answers=(), fate=Fate.KEPT), False),
        (Fate.CLOSED, _exchange(Fate.CLOSED), True),
        (Fate.CLOSED, _exchange(Fate.KEPT, keep_alive=False), True),
        (Fate.CLOSED, _exchange(Fate.KEPT), False),
    ],
)
def test_the_connection_has_a_verdict_of_its_own(wanted: Fate | None, seen: HttpExchange, *, right: bool) -> None:
    """Kept where it must be kept, closed where it must be closed, and else as announced."""
    assert connection_is_right(replace(A_NUMBER, connection=wanted), seen) is right
