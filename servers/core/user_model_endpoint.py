"""`POST /NAME`: a user's own SavedModel, asked as TensorFlow Serving's REST API is asked.

`{"instances": [...]}` is answered with `{"predictions": [...]}`, row by row; `{"inputs": ...}` with
`{"outputs": ...}`, tensor by tensor. Its path, its rules and its OpenAPI operation all follow from the signature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from servers.core.reply import JSON
from servers.core.service import Endpoint, Service
from servers.core.tensor_proto import PROTOBUF
from servers.core.user_model_codec import (
    IMAGES,
    INPUTS,
    INSTANCES,
    OUTPUTS,
    PREDICTIONS,
    SIGNATURE_NAME,
    UserModelCodec,
)

if TYPE_CHECKING:
    from servers.core.reply import Reply
    from servers.core.request import Request
    from servers.models.signature import Kind, Signature, Tensor

_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_BASE64: Final = {
    "type": "object",
    "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["b64"],
    "additionalProperties": False,
}
_ELEMENTS: Final[dict[Kind, dict[str, Any]]] = {
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "string": {"oneOf": [{"type": "string"}, _BASE64]},
}


def endpoint(name: str, signature: Signature, beside: tuple[Signature, ...] = ()) -> Endpoint:
    """The endpoint of a model with this signature; those `beside` it are asked by their names."""
    codec = UserModelCodec(signature=signature, beside=beside)

    def handle(service: Service, request: Request) -> Reply:
        chosen, inputs, form = codec.question(request, service.resize)
        return chosen.reply(service.run(codec.run_name(name, chosen), inputs), form)

    return Endpoint(
        name=name,
        method="POST",
        handle=handle,
        accepts=codec.accepts,
        models=(name,),
        clause="post-name",
        operation=operation(name, codec, *(media for media in (PROTOBUF, *IMAGES) if media in codec.accepts)),
    )


def operation(name: str, codec: UserModelCodec, *binary: str) -> dict[str, Any]:
    """The OpenAPI operation of asking a model in JSON, or in one of the `binary` media types."""
    signature = codec.signature
    inputs, outputs = (", ".join(map(str, tensors)) for tensors in (signature.inputs, signature.outputs))
    return {
        "summary": f"Ask the model {name}",
        "description": f"Inputs: {inputs}. Outputs: {outputs}.",
        "requestBody": {
            "required": True,
            "content": {JSON: {"schema": _request_schema(codec)}, **dict.fromkeys(binary, _BINARY)},
        },
        "responses": {
            "200": {
                "description": "Its outputs; each number the shortest decimal that reads back to the same one",
                "content": {
                    JSON: {"schema": _answer_schema(codec)},
                    **({PROTOBUF: _BINARY} if PROTOBUF in binary else {}),
                },
            }
        },
    }


def _request_schema(codec: UserModelCodec) -> dict[str, Any]:
    forms = _request_forms(codec.signature, [])
    return {"oneOf": forms + [form for one in codec.beside for form in _request_forms(one, [SIGNATURE_NAME])]}


def _request_forms(signature: Signature, named: list[str]) -> list[dict[str, Any]]:
    columns = _values(signature.inputs, 0)
    rows = None
    if signature.rows is not None:
        least, most = signature.rows
        rows = {"type": "array", "minItems": least, "maxItems": most, "items": _values(signature.inputs, 1)}
    return [
        {
            "type": "object",
            "properties": {name: schema, other: False, SIGNATURE_NAME: {"const": signature.name}},
            "required": [name, *named],
        }
        for name, schema, other in ((INPUTS, columns, INSTANCES), (INSTANCES, rows, INPUTS))
        if schema is not None
    ]


def _answer_schema(codec: UserModelCodec) -> dict[str, Any]:
    forms = []
    for signature in (codec.signature, *codec.beside):
        forms.append(_answer_form(OUTPUTS, _outputs(signature.outputs, 0)))
        if signature.rows is not None:
            forms.append(_answer_form(PREDICTIONS, {"type": "array", "items": _outputs(signature.outputs, 1)}))
    return {"anyOf": forms}


def _answer_form(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}


def _values(inputs: tuple[Tensor, ...], skipped: int) -> dict[str, Any]:
    """Every input by its name, or the value of the only one; `skipped` dimensions are those of the rows."""
    schemas = {tensor.name: _nested(tensor, tensor.sizes[skipped:]) for tensor in inputs}
    named = {"type": "object", "properties": schemas, "required": list(schemas)}
    return named if len(schemas) > 1 else {"anyOf": [named, *schemas.values()]}


def _outputs(outputs: tuple[Tensor, ...], skipped: int) -> dict[str, Any]:
    # An output may leave its rank open; then anything may come.
    schemas = {
        tensor.name: {} if tensor.shape is None else _nested(tensor, tensor.shape[skipped:]) for tensor in outputs
    }
    if len(schemas) == 1:
        return next(iter(schemas.values()))
    return {"type": "object", "properties": schemas, "required": list(schemas), "additionalProperties": False}


def _nested(tensor: Tensor, sizes: tuple[int | None, ...]) -> dict[str, Any]:
    schema = _ELEMENTS[tensor.kind]
    for size in reversed(sizes):
        bounds = {"minItems": 1} if size is None else {"minItems": size, "maxItems": size}
        schema = {"type": "array", **bounds, "items": schema}
    return schema
