"""A WSGI application that writes down what its server hands it: the witness of what servers decide by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The request as the application sees it; 204 without a body to OPTIONS."""
    if environ["REQUEST_METHOD"] == "OPTIONS":
        start_response("204 No Content", [])
        return []
    try:
        body, fault = environ["wsgi.input"].read(1_000_000), ""
    except Exception as error:  # noqa: BLE001 - whatever the server raises is what is asked for
        body, fault = b"", repr(error)
    seen = {
        "body": body.decode("latin-1"),
        "fault": fault,
        "content_type": environ.get("CONTENT_TYPE"),
        "targets": [environ.get(name) for name in ("PATH_INFO", "REQUEST_URI", "RAW_URI") if name in environ],
    }
    answer = json.dumps(seen).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
    return [answer]
