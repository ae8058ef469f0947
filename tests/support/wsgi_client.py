"""Calls a WSGI application in process, under the standard library's validator (PEP 3333)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults

from conformance import wsgi_connection

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


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
