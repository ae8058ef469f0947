"""`null`: a constant answer, no model, no middleware, no router. What is left is server and load generator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from servers.core.service import Service

ROLE: Final = "null"

_BODY: Final = b'{"prediction":0.0}'
_HEADERS: Final = [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))]


def create_app(_service: Service) -> WSGIApplication:
    """The constant application; it reads the body away so that the connection can be kept."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", list(_HEADERS))
        return [_BODY]

    return app
