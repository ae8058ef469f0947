"""`POST /NAME`: a user's own SavedModel, asked as TensorFlow Serving's REST API is asked.

`{"instances": [...]}` is answered with `{"predictions": [...]}`, row by row; `{"inputs": ...}` with
`{"outputs": ...}`, tensor by tensor. Its path, its rules and its OpenAPI operation all follow from the signature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from servers.core.reply import JSON
from servers.core.service import Endpoint, Service
from servers.core.tensor_proto import PROTOBUF
from servers.core.user_model_codec import IMAGES, INPUTS, INSTANCES, OUTPUTS, PREDICTIONS, UserModelCodec

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


def endpoint(name: str, signature: Signature) -> Endpoint:
    """The endpoint of a model with this signature."""
    codec = UserModelCodec(signature=signature)

    def handle(service: Service, request: Request) -> Reply:
        inputs, form = codec.inputs(request, service.resize)
        return codec.reply(service.run(name, inputs), form)

    return Endpoint(
        name=name,
        method="POST",
        handle=handle,
        accepts=codec.accepts,
        models=(name,),
        clause="post-name",
        operation={
            "summary": f"Ask the model {name}",
            "description": (
                f"Inputs: {', '.join(map(str, signature.inputs))}. Outputs: {', '.join(map(str, signature.outputs))}."
            ),
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {"schema": _request_schema(signature)},
                    **{media: _BINARY for media in (PROTOBUF, *IMAGES) if media in codec.accepts},
                },
            },
            "responses": {
                "200": {
                    "description": "Its outputs; each number the shortest decimal that reads back to the same one",
                    "content": {
                        JSON: {"schema": _answer_schema(signature)},
                        **({PROTOBUF: _BINARY} if PROTOBUF in codec.accepts else {}),
                    },
                }
            },
        },
    )


def _request_schema(signature: Signature) -> dict[str, Any]:
    forms = [_request_form(INPUTS, _values(signature.inputs, 0), INSTANCES)]
    if signature.rows is not None:
        least, most = signature.rows
        rows = {"type": "array", "minItems": least, "maxItems": most, "items": _values(signature.inputs, 1)}
        forms.append(_request_form(INSTANCES, rows, INPUTS))
    return {"oneOf": forms}


def _request_form(name: str, schema: dict[str, Any], other: str) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema, other: False}, "required": [name]}


def _answer_schema(signature: Signature) -> dict[str, Any]:
    forms = [_answer_form(OUTPUTS, _outputs(signature.outputs, 0))]
    if signature.rows is not None:
        forms.append(_answer_form(PREDICTIONS, {"type": "array", "items": _outputs(signature.outputs, 1)}))
    return {"oneOf": forms}


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
