"""Whether a target still answers after a hostile case, on every one of its threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from conformance.fate import Fate
from conformance.http_request import HttpRequest
from conformance.socket_connection import Address, SocketConnection

_PROBES: Final = 16
"""Good requests that are sent at once: well more than a server has threads, so that each of them gets one."""


def is_stuck(base_url: str, good: HttpRequest, *, timeout_s: float) -> bool:
    """Whether one of several good requests at once hangs.

    A lock that a failed request has left held stops every thread but the one that holds it, so one request at a time
    may be answered as ever; and so may the next ones, once each of the others waits.
    """
    with ThreadPoolExecutor(_PROBES) as pool:
        return any(pool.map(lambda _: _hangs(base_url, good, timeout_s), range(_PROBES)))


def _hangs(base_url: str, good: HttpRequest, timeout_s: float) -> bool:
    with SocketConnection(Address.of(base_url), timeout_s=timeout_s) as wire:
        exchange = wire.ask(good)
    # Who was not let in says nothing: a development server has a short queue and one thread.
    return exchange.fate is Fate.TIMED_OUT and exchange.sent_all
