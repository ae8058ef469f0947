"""Telling a WSGI server's own refusal from an application's answer."""

from __future__ import annotations

from typing import Final

from conformance import canonical
from conformance.fate import Fate
from conformance.http_connection import HttpExchange
from conformance.shapes import SHAPES

STATUSES: Final = frozenset({400, 404, 405, 408, 411, 413, 414, 417, 431, 501})
"""What servers answer by themselves to a request that they will not pass on."""


def is_servers_own(exchange: HttpExchange) -> bool:
    """Whether the server refused by itself: it hung up, or its refusal is not the contract's error body.

    A hang is no refusal, and neither is a server that has stopped listening.
    """
    answer = exchange.answer
    if answer is None:
        return exchange.fate in (Fate.CLOSED, Fate.RESET) and exchange.problem is None
    if answer.status not in STATUSES:
        return False
    try:
        return SHAPES["error"](canonical.read(answer.body)) is not None
    except canonical.NotJsonError:
        return True
