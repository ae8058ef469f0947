"""Requests at the same time: each must get the answer that it gets alone, and no other's."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Final

from addresses.address import Address
from conformance.checks import Mismatch
from conformance.fate import Fate
from conformance.finding import Severity
from conformance.http_connection import HttpConnection, HttpExchange
from conformance.http_request import HttpRequest
from conformance.parity import answer_detail
from conformance.socket_connection import SocketConnection

_ROUNDS: Final = 6


def crowded(
    connect: Callable[[], HttpConnection], requests: tuple[HttpRequest, ...], *, timeout_s: float
) -> list[Mismatch]:
    """What is wrong with the answers to `requests`, sent one by one and then at once, some rounds over.

    Each has a connection of its own; `timeout_s` is what an exchange on one may take.
    """
    alone = [_asked(connect, request) for request in requests]
    barrier = Barrier(len(requests))

    def rounds(request: HttpRequest) -> list[HttpExchange]:
        with connect() as wire:
            seen = []
            for _ in range(_ROUNDS):
                barrier.wait(2 * timeout_s)
                seen.append(wire.ask(request))
            return seen

    with ThreadPoolExecutor(len(requests)) as pool:
        together = list(pool.map(rounds, requests))
    return [
        _mismatch(detail)
        for single, several in zip(alone, together, strict=True)
        for seen in several
        if (detail := _detail(single, seen)) is not None
    ][:1]


def _asked(connect: Callable[[], HttpConnection], request: HttpRequest) -> HttpExchange:
    with connect() as wire:
        return wire.ask(request)


def _detail(single: HttpExchange, seen: HttpExchange) -> str | None:
    if single.answer is None or seen.answer is None:
        return f"alone {single.describe()}, at once {seen.describe()}"
    return answer_detail(single.answer, seen.answer, ("alone", "at once"))


def _mismatch(detail: str) -> Mismatch:
    return Mismatch(
        what="company",
        expected="the answer that the request gets alone",
        actual=detail,
        severity=Severity.SILENT_WRONG_ANSWER,
    )


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
