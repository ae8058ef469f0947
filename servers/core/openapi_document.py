"""The OpenAPI 3.1 document, put together from the endpoints and the one error shape."""

from __future__ import annotations

from typing import Any, Final

from servers.core.reply import JSON
from servers.core.rows import FLOAT32_BOUND
from servers.core.service import Endpoint

_ERROR_REF: Final = {"$ref": "#/components/responses/Error"}
_TEXT_ERROR_REF: Final = {"$ref": "#/components/responses/TextError"}
_NO_CONTENT: Final = {
    "description": "The allowed methods",
    "headers": {"Allow": {"required": True, "schema": {"type": "string"}}},
}

_RULES: Final = "Rules: docs/contract.md#{}"

_COMPONENTS: Final[dict[str, Any]] = {
    "schemas": {
        "Error": {
            "type": "object",
            "properties": {"code": {"type": "string"}, "error": {"type": "string"}},
            "required": ["code", "error"],
            "additionalProperties": False,
        },
        "TextError": {
            "type": "object",
            "properties": {"error": {"type": "string"}},
            "required": ["error"],
            "additionalProperties": False,
        },
        "Float32": {
            "type": "number",
            "exclusiveMinimum": -FLOAT32_BOUND,
            "exclusiveMaximum": FLOAT32_BOUND,
        },
    },
    "responses": {
        "Error": {
            "description": f"The request is refused; `code` says why. {_RULES.format('errors')}",
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
        },
        "TextError": {
            "description": "The request is refused, as TensorFlow Serving and the Open Inference Protocol write it",
            "content": {JSON: {"schema": {"$ref": "#/components/schemas/TextError"}}},
        },
    },
}


def document(endpoints: tuple[Endpoint, ...]) -> dict[str, Any]:
    """The whole document; true of every answer, errors too."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Titrate inference contract", "version": "1", "description": _RULES.format("answers")},
        "paths": {endpoint.path: _path_item(endpoint) for endpoint in endpoints},
        "components": _COMPONENTS,
    }


def _path_item(endpoint: Endpoint) -> dict[str, Any]:
    told = [endpoint.operation[name] for name in ("description",) if name in endpoint.operation]
    operation = endpoint.operation | {
        "description": " ".join([*told, _RULES.format(endpoint.clause)]),
        "operationId": endpoint.name,
        "responses": endpoint.operation["responses"] | _refusals(endpoint),
    }
    item: dict[str, Any] = {
        endpoint.method.lower(): operation,
        "options": {"operationId": f"{endpoint.name}_options", "responses": {"204": _NO_CONTENT}},
    }
    if endpoint.method == "GET":
        codes = operation["responses"]
        item["head"] = {
            "operationId": f"{endpoint.name}_head",
            "responses": {code: {"description": "As GET, without a body"} for code in codes},
        }
    return item


def _refusals(endpoint: Endpoint) -> dict[str, Any]:
    error = _ERROR_REF if endpoint.coded else _TEXT_ERROR_REF
    if endpoint.method == "GET":
        return {"500": error} if endpoint.coded else dict.fromkeys(("500", "503"), error)
    return dict.fromkeys(("400", "413", "415", "500", "503", "504"), error)
