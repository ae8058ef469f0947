"""The second verdict: what became of the connection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.cases import select
from conformance.connection_verdict import connection_is_right
from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange

NUMBER = select(ids=["predict-number"])[0]


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
    assert connection_is_right(replace(NUMBER, connection=wanted), seen) is right
