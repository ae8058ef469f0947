"""Cases and the bodies of figures as JSON documents, in which bytes stay readable.

`{"text": ...}` holds bytes of ASCII, `{"base64": ...}` any others.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import msgspec

from conformance.case import Case, Figure, Reference
from conformance.http_request import HttpRequest


def document_of(value: Case | HttpRequest) -> Any:
    """A case, or its request, as a JSON object."""
    return _written(msgspec.to_builtins(value, builtin_types=(bytes,)))


def case_of(document: Any) -> Case:
    """The inverse of `document_of`. Raises msgspec.ValidationError."""
    return msgspec.convert(_read(document), Case)


def body_of(document: Any) -> Any:
    """The bytes of a body in a document; anything else stays what it is."""
    match document:
        case {"text": str(text), **rest} if not rest:
            return text.encode("ascii")
        case {"base64": str(text), **rest} if not rest:
            return base64.b64decode(text)
        case _:
            return document


def _written(value: Any) -> Any:
    match value:
        case bytes():
            return {"text": value.decode()} if value.isascii() else {"base64": base64.b64encode(value).decode()}
        case dict():
            return {name: _written(each) for name, each in value.items()}
        case list() | tuple():
            return [_written(each) for each in value]
        case _:
            return value


def _read(document: Any) -> Any:
    match document:
        case dict():
            return body_of({name: _read(each) for name, each in document.items()})
        case list():
            return [_read(each) for each in document]
        case _:
            return document


class FiguresError(ValueError):
    """A figures file that cannot be read; the message says what is wrong with it."""


def read_figures(path: Path) -> Reference:
    """The figures of a JSON object, endpoint to a list of `Figure`, whose body is a document. Raises FiguresError."""
    try:
        rows = msgspec.json.decode(path.read_bytes(), type=dict[str, list[dict[str, Any]]])
        told = {name: [{**row, "body": body_of(row.get("body"))} for row in each] for name, each in rows.items()}
        return msgspec.convert(told, dict[str, list[Figure]])
    except (OSError, ValueError) as error:
        raise FiguresError(f"{path} holds no figures: {error}") from error
