"""Calls a WSGI application in process, under the standard library's validator (PEP 3333)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

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
    seen: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], _info: Any = None) -> Any:
        seen[:] = [int(status[:3]), headers]
        return lambda _data: None

    with warnings.catch_warnings():
        # The validator warns of methods that it does not know; unknown methods are what some cases send.
        warnings.simplefilter("ignore")
        result = (validator(app) if validated else app)(variables, start_response)
        try:
            whole = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
    status, headers = seen
    names = [name.lower() for name, _ in headers]
    assert len(set(names)) == len(names), f"a header is repeated: {names}"
    return Answer(status=status, headers={name.lower(): value for name, value in headers}, body=whole)
