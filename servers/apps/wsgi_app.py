"""The contract with no framework: a dictionary for a router. The floor that the frameworks are measured against."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from servers.core.middleware import REQUEST_KEY, middleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from servers.core.service import Service

ROLE: Final = "floor"

_STATUS_LINES: Final = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def create_app(service: Service) -> WSGIApplication:
    """The bare application behind the middleware."""
    endpoints = {endpoint.path: endpoint for endpoint in service.endpoints}

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        method = environ["REQUEST_METHOD"]
        endpoint = endpoints.get(path)
        if endpoint is None:
            reply = service.no_such_path(path)
        elif method not in endpoint.methods:
            reply = service.no_such_method(path)
        else:
            reply = service.answer(endpoint, environ[REQUEST_KEY])
        headers = list(reply.headers)
        if reply.status != 204:
            headers.append(("Content-Length", str(len(reply.body))))
        start_response(_STATUS_LINES[reply.status], headers)
        return [] if method == "HEAD" else [reply.body]

    return middleware(app)
