"""Generated requests in this process: WSGI callables by framework, called one after the other."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from conformance.fuzzing import draw
from conformance.fuzzing.faults import FoundFault, Tally, smallest
from conformance.fuzzing.judge import Fault, judged
from conformance.http_connection import HttpExchange
from conformance.http_request import HttpRequest
from conformance.wsgi_connection import WsgiConnection

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Apps: TypeAlias = "Mapping[str, WSGIApplication]"
"""The frameworks' callables over one core. The first is what the others are compared with: bare WSGI, so that a
difference names the framework that makes it."""

_SLICE: Final = 2000


class Differential:
    """Callables under examination. `validated` puts the validator of PEP 3333 before each."""

    def __init__(self, apps: Apps, *, validated: bool = False) -> None:
        self._asked = {name: WsgiConnection(app, validated=validated) for name, app in apps.items()}

    def ask(self, request: HttpRequest) -> dict[str, HttpExchange]:
        """What each framework answers."""
        return {name: one.ask(request) for name, one in self._asked.items()}

    def fault(self, request: HttpRequest) -> Fault | None:
        """What is wrong with the answers, if anything."""
        return judged(request, self.ask(request))

    def shrunk(self, found: FoundFault) -> FoundFault:
        """The same fault in a smaller request."""
        signature = found.fault.signature

        def still(request: HttpRequest) -> bool:
            fault = self.fault(request)
            return fault is not None and fault.signature == signature

        request = smallest(found.request, still)
        fault = self.fault(request)
        return (
            found
            if fault is None
            else FoundFault(fault=fault, request=request, seed=found.seed, index=found.index, repeat=found.repeat)
        )


def run(differential: Differential, *, seed: int, first: int, requests: int) -> Tally:
    """Ask `requests` requests of `seed`, from number `first` on."""
    tally = Tally()
    started = time.perf_counter()
    for index in range(first, first + requests):
        request = draw.at(seed, index)
        seen = differential.ask(request)
        tally.requests += 1
        tally.statuses[status(seen)] += 1
        fault = judged(request, seen)
        if fault is not None:
            tally.add(
                FoundFault(fault=fault, request=request, seed=seed, index=index, repeat=repeat_command(seed, index))
            )
    tally.seconds = time.perf_counter() - started
    return tally


def run_all(make: Callable[[], Apps], *, seed: int, requests: int, jobs: int, told: Callable[[Tally], None]) -> Tally:
    """The same in `jobs` processes, a slice at a time; each calls `make` once, and `told` hears of progress."""
    slices = [(seed, first, min(_SLICE, requests - first)) for first in range(0, requests, _SLICE)]
    whole = Tally()
    # A fork would share TensorFlow's threads (tensorflow#8220).
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(slices)), initializer=_load, initargs=(make,)) as pool:
        started: float | None = None
        for part in pool.imap_unordered(_slice, slices):
            # Loading is not asking: the clock starts as the first slice did.
            started = started or time.perf_counter() - part.seconds
            whole.merge(part)
            whole.seconds = time.perf_counter() - started
            told(whole)
    return whole


_loaded: list[Differential] = []


def _load(make: Callable[[], Apps]) -> None:
    # Ctrl-C goes to the whole group; the parent alone decides, and reports what there is.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _loaded.append(Differential(make()))


def _slice(part: tuple[int, int, int]) -> Tally:
    seed, first, requests = part
    return run(_loaded[0], seed=seed, first=first, requests=requests)


def status(seen: Mapping[str, HttpExchange]) -> str:
    """The status that the first framework gave, or what became of the connection."""
    first = next(iter(seen.values()))
    return str(first.fate) if first.answer is None else str(first.answer.status)


def repeat_command(seed: int, index: int, server: str | None = None) -> str:
    """The command line that asks one request again, in process or on a server."""
    return f"python3 bench.py fuzz repeat {seed} {index}" + (f" --server {server}" if server else "")
