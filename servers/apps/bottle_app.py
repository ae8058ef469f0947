"""The contract under Bottle: its routing, its request cycle, its response."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bottle import BaseResponse, Bottle, HTTPResponse, request

from servers.core.middleware import REQUEST_KEY, middleware

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from servers.core.reply import Reply
    from servers.core.service import Endpoint, Service


# Bottle 0.12 sends a 204 with `Content-Length: 0`, which RFC 9110 section 8.6 forbids; 0.13 leaves it out, as here.
BaseResponse.bad_headers = {**BaseResponse.bad_headers, 204: frozenset({"Content-Type", "Content-Length"})}


def create_app(service: Service) -> WSGIApplication:
    """The Bottle application behind the middleware."""
    app = Bottle()
    for endpoint in service.endpoints:
        # HEAD comes with GET in Bottle's router.
        methods = [method for method in endpoint.methods if method != "HEAD"]
        # A colon by itself would begin a wildcard in the syntax of Bottle 0.9, which every later one still reads.
        app.route(endpoint.path.replace(":", "<:re:[:]>"), method=methods, callback=_view(service, endpoint))
    app.error_handler[404] = lambda _error: _respond(service.no_such_path(request.path))
    app.error_handler[405] = lambda _error: _respond(service.no_such_method(request.path))
    return middleware(app)


def _view(service: Service, endpoint: Endpoint) -> Callable[[], Any]:
    def view() -> Any:
        return _respond(service.answer(endpoint, request.environ[REQUEST_KEY]))

    return view


def _respond(reply: Reply) -> Any:
    return HTTPResponse(reply.body, reply.status, reply.headers)
