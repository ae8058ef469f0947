"""The servers: one function each, from settings to a command line.

Every server gets one process of a few threads, the same keep-alive, no access log, and a backlog that holds all users.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from addresses.address import Address
from servers.registry import Interface
from servers.settings import Settings

Command = Callable[[Settings], list[str]]

DEV: Final = "dev"
"""The framework's own development server, as the article runs it."""

SERVERS: Final[dict[str, Command]] = {}
INTERFACES: Final[dict[str, Interface]] = {}
"""What applications speak to each server."""

_APP: Final = "servers.entry:app"
_BACKLOG: Final = 1024


class ServerError(ValueError):
    """Settings that a server cannot honour; the message names them."""


def _server(function: Command, interface: Interface = "wsgi") -> Command:
    name = function.__name__.strip("_")
    SERVERS[name], INTERFACES[name] = function, interface
    return function


def _asgi_server(function: Command) -> Command:
    return _server(function, "asgi")


@_server
def gunicorn(settings: Settings) -> list[str]:
    """Gunicorn with gthread workers, which keep connections while other requests use the threads."""
    command = [
        *("gunicorn", _APP, "--worker-class", "gthread", "--bind", _place(settings)),
        *("--workers", str(settings.workers), "--threads", str(settings.threads)),
        *("--keep-alive", str(settings.keep_alive_s), "--backlog", str(_BACKLOG)),
        *("--graceful-timeout", "5", "--timeout", "120", "--log-level", "warning"),
        # By default it lets any client on this machine move the path and the scheme by headers.
        *("--forwarded-allow-ips", ""),
    ]
    # The heartbeat file on a disk can block a worker for seconds (Gunicorn FAQ).
    return [*command, "--worker-tmp-dir", "/dev/shm"] if os.path.isdir("/dev/shm") else command  # noqa: S108, PTH112


@_server
def waitress(settings: Settings) -> list[str]:
    """Waitress: one process by design, an asyncore loop in front of its threads."""
    if settings.workers != 1:
        raise ServerError(f"waitress serves from one process; --workers {settings.workers} needs gunicorn or granian")
    return [
        *("waitress", f"--listen={_place(settings)}", f"--threads={settings.threads}"),
        *(f"--channel-timeout={settings.keep_alive_s}", f"--backlog={_BACKLOG}", "--connection-limit=1000"),
        *("--asyncore-use-poll", _APP),
    ]


@_server
def granian(settings: Settings) -> list[str]:
    """Granian in WSGI mode: hyper in front, Python threads behind."""
    return [
        *("granian", "--interface", "wsgi", "--http", "1", "--no-ws", "--host", settings.host),
        *("--port", str(settings.port), "--workers", str(settings.workers)),
        *("--blocking-threads", str(settings.threads), "--runtime-threads", "1"),
        *("--backlog", str(_BACKLOG), "--log-level", "warning", _APP),
    ]


@_server
def dev(settings: Settings) -> list[str]:
    """`app.run()`: Werkzeug's server for Flask, wsgiref's for Bottle."""
    if settings.workers != 1:
        raise ServerError("a development server has one process; leave --workers at 1")
    return ["servers.dev"]


@_asgi_server
def uvicorn(settings: Settings) -> list[str]:
    """Uvicorn on uvloop and httptools. Its threads are the application's own pool: `servers/asgi.py` sets how many."""
    return [
        *("uvicorn", _APP, "--host", settings.host, "--port", str(settings.port)),
        *("--workers", str(settings.workers), "--loop", "uvloop", "--http", "httptools", "--lifespan", "on"),
        *("--timeout-keep-alive", str(settings.keep_alive_s), "--backlog", str(_BACKLOG)),
        *("--no-access-log", "--log-level", "warning"),
    ]


def _place(settings: Settings) -> str:
    return Address(host=settings.host, port=settings.port).place


def command_line(server: str, settings: Settings) -> list[str]:
    """The command that serves on `server`; raises ServerError for settings that it cannot honour."""
    return [settings.python, "-m", *SERVERS[server](settings)]
