"""Who calls a WSGI application in this process: PEP 3333's validator, and waitress and gunicorn's parser on threads."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from wsgiref.util import setup_testing_defaults

from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.wsgi import create
from gunicorn.util import write_error
from waitress.server import create_server

from conformance import wsgi_connection

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status code, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes


def call(
    app: WSGIApplication,
    method: str,
    path: str,
    body: bytes = b"",
    content_type: str | None = None,
    *,
    environ: Mapping[str, Any] | None = None,
    validated: bool = True,
) -> Answer:
    """One request. `path` is latin-1 text of the path's bytes, as PEP 3333 hands it over."""
    variables: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    if content_type is not None:
        variables["CONTENT_TYPE"] = content_type
    variables |= environ or {}
    setup_testing_defaults(variables)
    answer = wsgi_connection.call(app, variables, validated=validated)
    names = [name.lower() for name, _ in answer.headers]
    assert len(set(names)) == len(names), f"a header is repeated: {names}"
    return Answer(
        status=answer.status, headers={name.lower(): value for name, value in answer.headers}, body=answer.body
    )


_PIECE_BYTES: Final = 7


@contextmanager
def on_gunicorn(app: WSGIApplication) -> Iterator[str]:
    """The base URL of `app` behind gunicorn's parser, a thread for each connection."""
    config = Config()
    # Gunicorn turns methods in small letters down, granian does not: what comes of them must be seen here too.
    config.set("permit_unconventional_http_method", True)  # noqa: FBT003 - gunicorn's own signature
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        address = listener.getsockname()

        def accept() -> None:
            # The listener is closed when all is over.
            with contextlib.suppress(OSError):
                while True:
                    client, peer = listener.accept()
                    threading.Thread(target=_talk, args=(app, config, client, peer, address), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{address[1]}"


def _talk(app: WSGIApplication, config: Config, client: socket.socket, peer: Any, address: Any) -> None:
    with client, contextlib.suppress(OSError, StopIteration):
        parser = get_parser(config, client, peer)
        try:
            for request in parser:
                response, environ = create(request, client, peer, address, config)
                result = app(environ, response.start_response)
                for part in result:
                    response.write(part)
                response.close()
                if response.should_close():
                    break
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - gunicorn answers whatever it is by itself
            write_error(client, 400, "Bad Request", "refused by the server")


@contextmanager
def on_waitress(app: WSGIApplication) -> Iterator[str]:
    """The base URL of `app` on waitress."""
    server = create_server(app, host="127.0.0.1", port=0, threads=8, clear_untrusted_proxy_headers=True)
    threading.Thread(target=server.run, daemon=True).start()
    yield f"http://127.0.0.1:{server.effective_port}"


class _InPieces:
    """A body that comes a little at a time: PEP 3333 lets a read return less than was asked for."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        piece: bytes = self._stream.read(min(size, _PIECE_BYTES))
        return piece


@contextmanager
def in_pieces(app: WSGIApplication) -> Iterator[str]:
    """As `on_gunicorn`, with bodies in pieces."""

    def piecemeal(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"] = _InPieces(environ["wsgi.input"])
        return app(environ, start_response)

    with on_gunicorn(piecemeal) as base_url:
        yield base_url


SERVERS: Final[dict[str, Callable[..., Any]]] = {"gunicorn": on_gunicorn, "waitress": on_waitress, "pieces": in_pieces}
"""By name. They end with the process: it is one that a mutant is tried in."""
