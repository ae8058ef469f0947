"""`POST /classify`: the article's second example, a CNN on an image that comes in one of five wrappings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from servers.core.form_fields import Base64Error, base64_bytes, multipart_part, urlencoded_field
from servers.core.images import decode_image, is_picture
from servers.core.json_text import parse
from servers.core.reply import JSON, Reply, invalid_input
from servers.core.service import Endpoint, Service

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.request import MediaType, Request

_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_RAW: Final = ("image/jpeg", "image/png")
ACCEPTS: Final = (JSON, _FORM, *_RAW, _MULTIPART)
_FIELD: Final = "image"
MODEL: Final = "digits_cnn"

BASE64_IMAGE: Final = "base64-image"
"""The `format` of a string that holds an image."""


def _handle(service: Service, request: Request) -> Reply:
    media, body = request.open(ACCEPTS)
    # Taking the form apart and decoding cost more than the answer. A server that does both for what it then refuses
    # has, under overload, nothing left for what it accepted; so the 400s found there come after `overloaded`.
    service.require_room(MODEL)
    image = decode_image(image_bytes(media, body), resize=service.resize)
    logits = service.predict(MODEL, image[np.newaxis])
    return reply(logits)


def reply(logits: NDArray[np.float32]) -> Reply:
    """The answer to logits [1, 10]."""
    return Reply(status=200, body=b'{"predicted_class":%d}' % int(np.argmax(logits[0])))


def image_bytes(media: MediaType, body: bytes) -> bytes:
    """The picture's file out of its wrapping; raises ApiError."""
    if media.essence in _RAW:
        return body
    if media.essence == _FORM:
        return _base64(urlencoded_field(body, _FIELD))
    if media.essence == _MULTIPART:
        content, is_file = multipart_part(body, media.parameters.get("boundary", ""), _FIELD)
        # No base64 begins as a picture does, so a field of clients that name neither file nor type is no riddle.
        return content if is_file or is_picture(content) else _base64(content)
    document = parse(body)
    if not isinstance(document, dict):
        raise invalid_input("", "must be an object")
    if _FIELD not in document:
        raise invalid_input(f"/{_FIELD}", "is required")
    text = document[_FIELD]
    if not isinstance(text, str):
        raise invalid_input(f"/{_FIELD}", "must be a string")
    return _base64(text.encode())


def _base64(text: bytes) -> bytes:
    try:
        return base64_bytes(text)
    except Base64Error as error:
        raise invalid_input(f"/{_FIELD}", str(error)) from None


_PIXELS: Final = (
    "At most 8192 pixels a side and 20 000 000 in all; a JPEG has 8 bits in 1, 3 or 4 channels. Of 16 bits the high 8 "
    "count; transparency, gamma, colour profiles and the orientation in EXIF are ignored."
)

_STRING_FIELD: Final = {
    "schema": {
        "type": "object",
        "properties": {
            _FIELD: {
                "type": "string",
                "contentEncoding": "base64",
                # JSON Schema cannot say "one of these media types"; a format of our own can be given a generator.
                "format": BASE64_IMAGE,
                "description": f"A JPEG or PNG in base64, standard alphabet, padded. {_PIXELS}",
            }
        },
        "required": [_FIELD],
    }
}

ENDPOINT: Final = Endpoint(
    name="classify",
    method="POST",
    handle=_handle,
    accepts=ACCEPTS,
    models=(MODEL,),
    clause="post-classify",
    operation={
        "summary": "Classify an image",
        "requestBody": {
            "required": True,
            "content": {
                JSON: _STRING_FIELD,
                _FORM: _STRING_FIELD,
                _MULTIPART: {
                    "schema": {
                        "type": "object",
                        "properties": {_FIELD: {"type": "string", "format": "binary", "description": _PIXELS}},
                        "required": [_FIELD],
                    },
                    "encoding": {_FIELD: {"contentType": ", ".join(_RAW)}},
                },
                **{media: {"schema": {"type": "string", "format": "binary", "description": _PIXELS}} for media in _RAW},
            },
        },
        "responses": {
            "200": {
                "description": "The index of the largest logit",
                "content": {
                    JSON: {
                        "schema": {
                            "type": "object",
                            "properties": {"predicted_class": {"type": "integer", "minimum": 0}},
                            "required": ["predicted_class"],
                            "additionalProperties": False,
                        }
                    }
                },
            }
        },
    },
)
