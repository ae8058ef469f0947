"""What the ladder calls and times, over which payloads; and a WSGI application called without a socket (PEP 3333)."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from servers.models.payloads import Payload, payloads

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedPiece:
    """A piece over its payloads, which are numbered from 0 to `payloads` - 1.

    `prepare` makes what `call` consumes, and is not part of the piece; `call` is. `agrees` says whether what `call`
    gave for that payload is right. A step with `laps` is several pieces that run one after the other: its calls give
    the nanoseconds of each, and the last result. `outside` says that it runs in a process of its own.
    """

    payloads: int
    prepare: Callable[[int], Any]
    call: Callable[[Any], Any]
    agrees: Callable[[int, Any], bool]
    laps: tuple[str, ...] = ()
    outside: bool = False


StatusAndBody = tuple[int, bytes]
"""Status and body."""


def environ_maker(endpoint: str, payloads: Sequence[Payload]) -> Callable[[int], dict[str, Any]]:
    """What makes the environ of a payload's request, afresh each time: applications write into it."""
    ready = [(_environ(endpoint, one), one.body) for one in payloads]

    def make(at: int) -> dict[str, Any]:
        template, body = ready[at]
        return {**template, "wsgi.input": io.BytesIO(body)}

    return make


def caller(app: WSGIApplication) -> Callable[[dict[str, Any]], StatusAndBody]:
    """What passes one environ through `app`, reads the answer to its end and closes it."""

    def call(environ: dict[str, Any]) -> StatusAndBody:
        seen: list[str] = []

        def start_response(status: str, _headers: Any, _info: Any = None) -> Callable[[bytes], object]:
            seen.append(status)
            return seen.append  # type: ignore[return-value]  # the legacy `write`, which nothing here uses

        result = app(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return int(seen[0][:3]), body

    return call


def _environ(endpoint: str, payload: Payload) -> dict[str, Any]:
    """As Gunicorn fills it in for a client that sends these headers."""
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/{endpoint}",
        "RAW_URI": f"/{endpoint}",
        "QUERY_STRING": "",
        "CONTENT_TYPE": payload.content_type,
        "CONTENT_LENGTH": str(len(payload.body)),
        "HTTP_HOST": "127.0.0.1:8000",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "gunicorn",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


_PICTURES: Final = (0, 3, 4, 7, 8)
"""One picture of each side, JPEG and PNG in turn, out of the first ten."""

_ROWS: Final = 8


def chosen_payloads(endpoint: str, encoding: str) -> tuple[Payload, ...]:
    """Rows of held-out patients, or a picture of every size."""
    if endpoint != "classify":
        return payloads(endpoint, encoding, _ROWS)
    made = payloads(endpoint, encoding, max(_PICTURES) + 1)
    return tuple(made[at] for at in _PICTURES)
