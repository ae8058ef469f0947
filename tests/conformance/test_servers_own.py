"""A WSGI server's own refusal, told from an application's answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.servers_own import is_servers_own


def _answer(status: int, body: bytes, **headers: str) -> HttpAnswer:
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=tuple(pairs.items()), body=body, keep_alive=True)


def _seen(answer: HttpAnswer | None, fate: Fate = Fate.KEPT, **fields: object) -> HttpExchange:
    answers = () if answer is None else (answer,)
    return replace(HttpExchange(answers=answers, fate=fate), **fields)  # type: ignore[arg-type]


GOOD = _answer(200, b'{"prediction":1.5}')


MALFORMED = b'{"code":"malformed_json","error":"no"}'


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
