"""WSGI applications with a known extra cost, for the exact lens to find."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from servers.apps import flask_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from servers.core.service import Service

_DOCUMENT: Final = {"prediction": [float(value) / 7 for value in range(40)], "model": "planted"}


def slower_flask(service: Service) -> WSGIApplication:
    """The Flask adapter, with one JSON dump more in every request."""
    inner = flask_app.create_app(service)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        json.dumps(_DOCUMENT)
        return inner(environ, start_response)

    return app


def nothing(_service: Service) -> WSGIApplication:
    """An application that does nothing."""
    return _empty


def only_the_dump(_service: Service) -> WSGIApplication:
    """An application that does nothing but that dump."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        json.dumps(_DOCUMENT)
        return _empty(environ, start_response)

    return app


def _empty(_environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b""]
