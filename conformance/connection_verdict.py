"""The second verdict: what became of the connection, apart from what the answer said."""

from __future__ import annotations

from conformance.case import Case
from conformance.fate import Fate
from conformance.http_connection import HttpExchange


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
