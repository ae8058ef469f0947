"""The contract under Flask: its routing, its request cycle, its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed, NotFound

from servers.core.middleware import REQUEST_KEY, middleware

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from servers.core.reply import Reply
    from servers.core.service import Endpoint, Service


class _Response(Response):
    # Flask's default would put text/html on a 204, which has no content to type (RFC 9110 section 15.3.5).
    default_mimetype = None


def create_app(service: Service) -> WSGIApplication:
    """The Flask application behind the middleware."""
    app: Final = Flask("titrate", static_folder=None)
    app.url_map.merge_slashes = False
    for endpoint in service.endpoints:
        app.add_url_rule(
            endpoint.path,
            endpoint=endpoint.name,
            view_func=_view(service, endpoint),
            methods=endpoint.methods,
            provide_automatic_options=False,
        )
    app.register_error_handler(NotFound, lambda _error: _respond(service.no_such_path(request.path)))
    app.register_error_handler(MethodNotAllowed, lambda _error: _respond(service.no_such_method(request.path)))
    return middleware(app)


def _view(service: Service, endpoint: Endpoint) -> Callable[[], Response]:
    def view() -> Response:
        return _respond(service.answer(endpoint, request.environ[REQUEST_KEY]))

    return view


def _respond(reply: Reply) -> Response:
    return _Response(reply.body, status=reply.status, headers=reply.headers)
