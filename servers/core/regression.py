"""What both regression endpoints share: one negotiation of three encodings, and the OpenAPI operation that tells it.

- `application/json` with the features by name: one row, answered as the article answers it.
- `application/json` with `instances`: 1 to 1024 rows, answered with as many `predictions`, in order. It is the row
  format of TensorFlow Serving's REST API, whose instances are plain values where a model has one input.
- `application/x-protobuf`: a serialized tensorflow.TensorProto of 1 to 1024 rows, answered with another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from servers.core.json_text import parse
from servers.core.padding import padded
from servers.core.reply import JSON, Reply
from servers.core.row_counts import MAX_ROWS
from servers.core.rows import INSTANCES, feature_row, instance_rows, prediction_text, prediction_texts
from servers.core.service import Endpoint, Service
from servers.core.tensor_proto import PROTOBUF, tensor_bytes, tensor_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from servers.core.request import Request

ACCEPTS: Final = (JSON, PROTOBUF)

_FLOAT32: Final = {"$ref": "#/components/schemas/Float32"}
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A regression behind an endpoint.

    `features` name the members of a single row. `opening` and `closing` are what stands around each prediction in JSON:
    nothing for a number, brackets for a row of a matrix.
    """

    model: str
    features: tuple[str, ...]
    opening: str = ""
    closing: str = ""

    def handle(self, service: Service, request: Request) -> Reply:
        """The answer in the encoding of the request; raises ApiError."""
        media, body = request.open(ACCEPTS)
        if media.essence == PROTOBUF:
            return self.tensor(self.predict(service, tensor_rows(body, len(self.features))))
        document = parse(body)
        if isinstance(document, dict) and INSTANCES in document:
            return self.several(self.predict(service, instance_rows(document, self.features)))
        return self.one(service.predict(self.model, feature_row(document, self.features)))

    def one(self, predictions: NDArray[np.float32]) -> Reply:
        """The JSON answer to a single row, from predictions [1, 1]."""
        text = prediction_text(predictions[0, 0])
        matrix = f"[{self.opening}{text}{self.closing}]" if self.opening else text
        return Reply(status=200, body=f'{{"prediction":{matrix}}}'.encode())

    def several(self, predictions: NDArray[np.float32]) -> Reply:
        """The JSON answer to `instances`, from predictions [N, 1]."""
        text = f"{self.closing},{self.opening}".join(prediction_texts(predictions))
        return Reply(status=200, body=f'{{"predictions":[{self.opening}{text}{self.closing}]}}'.encode())

    def tensor(self, predictions: NDArray[np.float32]) -> Reply:
        """The TensorProto answer, from predictions [N, 1]."""
        return Reply(status=200, body=tensor_bytes(predictions), headers=(("Content-Type", PROTOBUF),))

    def predict(self, service: Service, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The predictions [N, 1] of a batch [N, features], run in a padded size."""
        return service.predict(self.model, padded(batch))[: len(batch)]


def endpoint(name: str, regression: Regression, *, summary: str, answer: str) -> Endpoint:
    """The endpoint of a regression; `summary` says what it does, `answer` how a single row is answered."""
    return Endpoint(
        name=name,
        method="POST",
        handle=regression.handle,
        accepts=ACCEPTS,
        models=(regression.model,),
        clause=f"post-{name}",
        operation={
            "summary": summary,
            "description": (
                f"One row by its features, or 1 to {MAX_ROWS} rows: as `{INSTANCES}` in JSON, answered with "
                "`predictions` in the same order, or as a serialized tensorflow.TensorProto (DT_FLOAT or DT_DOUBLE, "
                f"shape [N, {len(regression.features)}]), answered with one of DT_FLOAT and shape [N, 1]."
            ),
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": _request_schema(regression.features)}, PROTOBUF: _BINARY},
            },
            "responses": {
                "200": {
                    "description": f"{answer}; each number the shortest decimal that reads back to the same float32",
                    "content": {JSON: {"schema": _answer_schema(matrix=bool(regression.opening))}, PROTOBUF: _BINARY},
                }
            },
        },
    )


def _request_schema(features: tuple[str, ...]) -> dict[str, Any]:
    instance = _FLOAT32 if len(features) == 1 else _array(_FLOAT32, len(features), len(features))
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": dict.fromkeys(features, _FLOAT32) | {INSTANCES: False},
                "required": list(features),
            },
            {
                "type": "object",
                "properties": {INSTANCES: _array(instance, 1, MAX_ROWS)} | dict.fromkeys(features, False),
                "required": [INSTANCES],
            },
        ]
    }


def _answer_schema(*, matrix: bool) -> dict[str, Any]:
    number = {"type": "number"}
    row = _array(number, 1, 1) if matrix else number
    single = _array(row, 1, 1) if matrix else number
    members = {"prediction": single, "predictions": _array(row, 1, MAX_ROWS)}
    return {
        "oneOf": [
            {"type": "object", "properties": {name: schema}, "required": [name], "additionalProperties": False}
            for name, schema in members.items()
        ]
    }


def _array(items: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "minItems": least, "maxItems": most, "items": items}
