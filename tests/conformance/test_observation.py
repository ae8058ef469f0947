"""What a target does, told in words that are the same from run to run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.cases import select
from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.observation import SEVERITIES, Behaviour
from conformance.servers_own import is_servers_own


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


def _plain_answer(status: int, body: bytes, **headers: str) -> HttpAnswer:
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=tuple(pairs.items()), body=body, keep_alive=True)


def _seen(answer: HttpAnswer | None, fate: Fate = Fate.KEPT, **fields: object) -> HttpExchange:
    answers = () if answer is None else (answer,)
    return replace(HttpExchange(answers=answers, fate=fate), **fields)  # type: ignore[arg-type]


GOOD = _plain_answer(200, b'{"prediction":1.5}')


MALFORMED = b'{"code":"malformed_json","error":"no"}'


@pytest.mark.parametrize(
    ("exchange", "own"),
    [
        (_seen(_plain_answer(400, b"<html>")), True),
        (_seen(_plain_answer(413, b"")), True),
        (_seen(_plain_answer(400, MALFORMED)), False),
        (_seen(_plain_answer(500, b"<html>")), False),
        (_seen(_plain_answer(200, b"<html>")), False),
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
