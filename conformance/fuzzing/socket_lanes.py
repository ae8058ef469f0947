"""Generated requests over raw sockets: every framework on each WSGI server, a lane of connections a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from addresses.address import Address
from conformance.fuzzing import draw
from conformance.fuzzing.differential import repeat_command, status
from conformance.fuzzing.faults import FoundFault, Tally
from conformance.fuzzing.judge import judged
from conformance.http_connection import HttpExchange
from conformance.http_request import HttpRequest
from conformance.socket_connection import SocketConnection

HANG_S: Final = 10.0
"""An answer that takes longer is a hang; the slowest lawful one, a picture of 32 million pixels, takes a second."""

_LANES: Final = 2
_SLICE: Final = 100


def run_all(
    servers: Sequence[str],
    served: Callable[[str], AbstractContextManager[Mapping[str, str]]],
    *,
    seed: int,
    requests: int,
    told: Callable[[Tally], None],
) -> Tally:
    """Ask every server its share of the requests; each goes to all frameworks on it.

    `served` brings a server up and gives the base URL of each framework on it.
    """
    whole = Tally()
    for at, server in enumerate(servers):
        numbers = range(at, requests, len(servers))
        with served(server) as urls, ThreadPoolExecutor(_LANES) as lanes:
            started = time.perf_counter()
            before = whole.seconds
            parts = [numbers[start : start + _SLICE] for start in range(0, len(numbers), _SLICE)]
            for part in lanes.map(lambda chosen, server=server, urls=urls: _slice(server, urls, seed, chosen), parts):
                whole.merge(part)
                whole.seconds = before + time.perf_counter() - started
                told(whole)
    return whole


def ask(urls: Mapping[str, str], request: HttpRequest) -> dict[str, HttpExchange]:
    """What each framework answers, on connections of its own."""
    with _lane(urls) as wires:
        return {name: wire.ask(request) for name, wire in wires.items()}


@contextmanager
def _lane(urls: Mapping[str, str]) -> Iterator[dict[str, SocketConnection]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(SocketConnection(Address.of(url), timeout_s=HANG_S)) for name, url in urls.items()
        }


def _slice(server: str, urls: Mapping[str, str], seed: int, numbers: range) -> Tally:
    tally = Tally()
    with _lane(urls) as wires:
        for index in numbers:
            request = draw.at(seed, index)
            seen = {name: wire.ask(request) for name, wire in wires.items()}
            tally.requests += 1
            tally.statuses[status(seen)] += 1
            fault = judged(request, seen, server=True)
            if fault is not None:
                repeat = repeat_command(seed, index, server)
                tally.add(FoundFault(fault=fault, request=request, seed=seed, index=index, repeat=repeat))
    return tally
