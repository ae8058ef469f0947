"""One server at two addresses, the second behind a shim: `python shim_server.py CPU SHARE`, on its own.

On waitress; which application, its environment says, as it does to every target (servers.launch). At the second address
every request costs SHARE more of the CPU time that the application itself took for it. Prints both ports, serves until
standard input closes.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from waitress.server import create_server

from servers.entry import app

THREADS = 8
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
    """Serve until standard input closes."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    sockets = [socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(2)]
    plain, shimmed = (one.getsockname()[1] for one in sockets)
    behind = slowed(app, float(sys.argv[2]))

    def by_port(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return (behind if environ["SERVER_PORT"] == str(shimmed) else app)(environ, start_response)

    server = create_server(by_port, sockets=sockets, threads=THREADS, clear_untrusted_proxy_headers=True)
    threading.Thread(target=server.run, daemon=True).start()
    print(plain, shimmed, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
