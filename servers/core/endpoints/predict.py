"""`POST /predict`: the article's first example, a regression on one feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from servers.core.endpoint import Endpoint
from servers.core.json_text import parse
from servers.core.reply import JSON, Reply
from servers.core.rows import feature_row, prediction_text

if TYPE_CHECKING:
    from servers.core.request import Request
    from servers.core.service import Service

_ACCEPTS: Final = (JSON,)
_FEATURES: Final = ("feature",)


def _handle(service: Service, request: Request) -> Reply:
    _, body = request.open(_ACCEPTS)
    row = feature_row(parse(body), _FEATURES)
    prediction = service.predict("linear_regression", row)
    return Reply(status=200, body=f'{{"prediction":{prediction_text(prediction[0, 0])}}}'.encode())


ENDPOINT: Final = Endpoint(
    name="predict",
    method="POST",
    handle=_handle,
    accepts=_ACCEPTS,
    models=("linear_regression",),
    operation={
        "summary": "Predict from one feature",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {"feature": {"$ref": "#/components/schemas/Float32"}},
                        "required": ["feature"],
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "The prediction, the shortest decimal that reads back to the same float32",
                "content": {
                    JSON: {
                        "schema": {
                            "type": "object",
                            "properties": {"prediction": {"type": "number"}},
                            "required": ["prediction"],
                            "additionalProperties": False,
                        }
                    }
                },
            }
        },
    },
)
