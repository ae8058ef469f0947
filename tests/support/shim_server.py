"""One waitress at two addresses, the second behind a shim: `python shim_server.py PORT SHARE`, a target's command line.

Its application and its first address are in its environment (servers.launch). At PORT every request costs SHARE more of
the CPU time that the application itself took for it.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import waitress

from servers.entry import app
from servers.settings import Settings

WORK = bytes(16_384)


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


def main() -> None:
    """Serve until the guard ends it."""
    port, share = int(sys.argv[1]), float(sys.argv[2])
    _, settings = Settings.from_environment()
    behind = slowed(app, share)

    def by_port(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return (behind if environ["SERVER_PORT"] == str(port) else app)(environ, start_response)

    waitress.serve(
        by_port,
        listen=f"{settings.host}:{settings.port} {settings.host}:{port}",
        threads=settings.threads,
        clear_untrusted_proxy_headers=True,
    )


if __name__ == "__main__":
    main()
