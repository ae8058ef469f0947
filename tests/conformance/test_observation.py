"""What a target does, told in words that are the same from run to run."""

from __future__ import annotations

import pytest

from conformance.cases import select
from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.observation import SEVERITIES, Behaviour


def _answer(status: int, body: bytes, kind: str = "application/json") -> HttpExchange:
    headers = (("Content-Type", kind), ("Content-Length", str(len(body))))
    return HttpExchange(
        answers=(HttpAnswer(status=status, headers=headers, body=body, keep_alive=True),), fate=Fate.KEPT
    )


@pytest.mark.parametrize(
    ("case_id", "exchange", "behaviour", "text"),
    [
        ("predict-number", _answer(200, b'{"prediction":1.5}'), Behaviour.RIGHT, "200 {prediction}"),
        ("predict-number", _answer(200, b'{"prediction":1.5}\n'), Behaviour.FORM, "200 {prediction} (line feed)"),
        (
            "predict-number",
            _answer(200, b'{"prediction":NaN}'),
            Behaviour.WRONG_ANSWER,
            "200 with NaN or Infinity, which is no JSON",
        ),
        ("predict-number", _answer(400, b"<p>", "text/html; charset=x"), Behaviour.REFUSED, "400 HTML"),
        ("predict-number", _answer(500, b"{}"), Behaviour.SERVER_ERROR, "500 JSON"),
        ("json-nan", _answer(200, b'{"prediction":1.5}'), Behaviour.ACCEPTED, "200 {prediction}"),
        ("json-nan", _answer(415, b"", "text/plain"), Behaviour.OTHER_ERROR, "415 empty"),
        ("json-nan", _answer(400, b"<p>", "text/html"), Behaviour.ERROR_BODY, "400 HTML"),
        (
            "predict-echo-name",
            _answer(400, b'{"error":"zq7marker"}'),
            Behaviour.ERROR_BODY,
            "400 JSON, repeats the input",
        ),
        ("json-nan", HttpExchange(answers=(), fate=Fate.TIMED_OUT), Behaviour.HANGS, "hangs"),
        ("json-nan", HttpExchange(answers=(), fate=Fate.CLOSED), Behaviour.DROPPED, "closed without an answer"),
    ],
)
def test_an_observation_is_told_in_stable_words(
    case_id: str, exchange: HttpExchange, behaviour: Behaviour, text: str
) -> None:
    """What is seen is told by its kind, without figures, so that it reads alike on every machine."""
    from conformance.checks import check  # noqa: PLC0415
    from conformance.observation import observed  # noqa: PLC0415

    (case,) = select(ids=[case_id])
    seen = observed(case, exchange, check(case.expects, exchange, method="POST"))
    assert (seen.behaviour, seen.text) == (behaviour, text)


def test_outcomes_are_ordered_as_severities_are() -> None:
    """An behaviour that is worse in the table is never less severe."""
    weights = [SEVERITIES[behaviour] for behaviour in Behaviour if behaviour in SEVERITIES]
    assert weights == sorted(weights)
