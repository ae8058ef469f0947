"""`POST /advanced_predict`: the article's third example, a regression on two features behind a schema."""

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
_FEATURES: Final = ("feature1", "feature2")


def _handle(service: Service, request: Request) -> Reply:
    _, body = request.open(_ACCEPTS)
    row = feature_row(parse(body), _FEATURES)
    prediction = service.predict("advanced_regression", row)
    return Reply(status=200, body=f'{{"prediction":[[{prediction_text(prediction[0, 0])}]]}}'.encode())


ENDPOINT: Final = Endpoint(
    name="advanced_predict",
    method="POST",
    handle=_handle,
    accepts=_ACCEPTS,
    models=("advanced_regression",),
    operation={
        "summary": "Predict from two features",
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "properties": {name: {"$ref": "#/components/schemas/Float32"} for name in _FEATURES},
                        "required": list(_FEATURES),
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "The prediction as a matrix of one row and one column, as the article writes it",
                "content": {
                    JSON: {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "prediction": {
                                    "type": "array",
                                    "minItems": 1,
                                    "maxItems": 1,
                                    "items": {
                                        "type": "array",
                                        "minItems": 1,
                                        "maxItems": 1,
                                        "items": {"type": "number"},
                                    },
                                }
                            },
                            "required": ["prediction"],
                            "additionalProperties": False,
                        }
                    }
                },
            }
        },
    },
)
