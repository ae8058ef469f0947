"""The figures of the contract that several cases restate: routes, limits, codes and header values.

They are written out here and taken from no server, so that a server and its judge cannot be wrong together.
"""

from __future__ import annotations

from typing import Final

BODY_LIMIT_BYTES: Final = 8 * 1024 * 1024
"""Largest accepted body; one byte more is 413."""

JSON_DEPTH: Final = 64
"""Most arrays and objects that may stand inside one another."""

IMAGE_SIDE_PX: Final = 8192
"""Longest accepted side of an image."""

MAX_ROWS: Final = 1024
"""Most rows of one request to a regression."""

POST_PATHS: Final = ("/advanced_predict", "/classify", "/predict")
GET_PATHS: Final = ("/healthz", "/metadata", "/openapi.json", "/readyz")

POST_ALLOW: Final = "OPTIONS, POST"
GET_ALLOW: Final = "GET, HEAD, OPTIONS"

PREDICT_ACCEPT: Final = "application/json, application/x-protobuf"
CLASSIFY_ACCEPT: Final = (
    "application/json, application/x-www-form-urlencoded, image/jpeg, image/png, multipart/form-data"
)

BASE64_IMAGE: Final = "base64-image"
"""The `format` that the OpenAPI document gives to a string which holds a picture."""

CODES: Final = {
    "malformed_json": 400,
    "malformed_form": 400,
    "malformed_protobuf": 400,
    "incomplete_body": 400,
    "invalid_image": 400,
    "invalid_input": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "internal": 500,
    "overloaded": 503,
    "deadline_exceeded": 504,
}
"""Every code that an error body may carry, and its one status."""
