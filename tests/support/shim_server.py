"""One waitress at several addresses with shims: `python shim_server.py PORT:10 PORT:stalls`, a target's command line.

Its application and its first address, without a shim, are in its environment (servers.launch). At `PORT:10` every
request costs 10 % more of the CPU time that the application itself took for it. At `PORT:stalls` the server sleeps for
5 % of the time that it serves, 50 ms at a time, whatever is asked meanwhile. At `PORT:wrong` every thousandth answer
to a POST has a digit less.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import waitress

from servers.entry import app
from servers.settings import Settings

WORK = bytes(16_384)
STALL_S = 0.05
WORKED_S = 19 * STALL_S


def slowed(inner: WSGIApplication, share: float) -> WSGIApplication:
    """The application, whose every call costs so much more CPU time of its thread."""

    def shim(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = time.thread_time_ns()
        body = list(inner(environ, start_response))
        until = began + (1 + share) * (time.thread_time_ns() - began)
        while time.thread_time_ns() < until:
            # Lets go of the interpreter's lock, as most of a prediction does, and so holds up no neighbour.
            hashlib.sha256(WORK).digest()
        return body

    return shim


def stalling(inner: WSGIApplication) -> WSGIApplication:
    """The application, which stands still for 50 ms after every 950 ms that it was asked for something."""
    lock, worked_s = threading.Lock(), 0.0

    def shim(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        nonlocal worked_s
        began = time.monotonic()
        body = list(inner(environ, start_response))
        with lock:
            # One user: requests follow each other, so their times add up to the time under load.
            worked_s += time.monotonic() - began
            if worked_s >= WORKED_S:
                worked_s -= WORKED_S
                time.sleep(STALL_S)
        return body

    return shim


def sometimes_wrong(inner: WSGIApplication) -> WSGIApplication:
    """The application, with a wrong answer in a thousand."""
    asked = itertools.count(1)

    def shim(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST" or next(asked) % 1000:
            return inner(environ, start_response)
        told: list[Any] = []
        body = b"".join(inner(environ, lambda *begun: told.extend(begun)))  # type: ignore[arg-type, return-value]
        status, headers = told[:2]
        wrong = re.sub(rb"\d(?=\D*$)", b"", body, count=1)
        length = ("Content-Length", str(len(wrong)))
        start_response(status, [length if each[0] == "Content-Length" else each for each in headers])
        return [wrong]

    return shim


def main() -> None:
    """Serve until the guard ends it."""
    _, settings = Settings.from_environment()
    behind: dict[str, WSGIApplication] = {}
    for argument in sys.argv[1:]:
        port, _, kind = argument.partition(":")
        shims = {"stalls": stalling, "wrong": sometimes_wrong}
        behind[port] = shims[kind](app) if kind in shims else slowed(app, float(kind) / 100)

    def by_port(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return behind.get(environ["SERVER_PORT"], app)(environ, start_response)

    waitress.serve(
        by_port,
        listen=" ".join(f"{settings.host}:{port}" for port in (settings.port, *behind)),
        threads=settings.threads,
        clear_untrusted_proxy_headers=True,
    )


if __name__ == "__main__":
    main()
