"""Where a request is cut inside the core: validation, decode, inference, encode, and the codec around all four.

The pieces are the functions that the endpoints are made of, called here on their own. That they still make up the
endpoint is checked when a cut is made: put together they must give the endpoint's answer, to the byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core.endpoints import ENDPOINTS, REGRESSIONS, classify
from servers.core.images import decode_image
from servers.core.json_text import parse
from servers.core.regression import ACCEPTS
from servers.core.request import MediaType, Request
from servers.core.rows import feature_row, instance_rows
from servers.core.tensor_proto import tensor_rows
from servers.models.payloads import Payload
from servers.models.reference import ATOL, RTOL
from servers.rungs.calls import TimedPiece

if TYPE_CHECKING:
    from servers.core.reply import Reply
    from servers.core.service import Service

PARTS: Final = ("validation", "decode", "inference", "encode")
"""The codec's pieces, timed as laps of one call: on its own and repeated, a piece would find warm caches that it does
not find in a request."""


class CutError(Exception):
    """The pieces do not make up the endpoint any more; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPieces:
    """The pieces of one endpoint in one encoding.

    Validation is `open`, which holds the media type to the contract, and `to_rows`, which holds the values to it and
    gives the model's rows. `decode` takes the bytes apart in between. A TensorProto is decoded and checked value by
    value in one go; that counts as decoding, and so do the caps on a picture's size.
    """

    open: Callable[[Request], tuple[MediaType, bytes]]
    decode: Callable[[Service, MediaType, bytes], Any]
    to_rows: Callable[[Any], Any]
    infer: Callable[[Service, Any], Any]
    encode: Callable[[Any], Reply]


def pieces_of(endpoint: str, encoding: str) -> EndpointPieces:
    """The pieces of an endpoint in an encoding."""
    if endpoint == "classify":
        return EndpointPieces(
            open=lambda request: request.open(classify.ACCEPTS),
            decode=lambda service, media, body: decode_image(classify.image_bytes(media, body), resize=service.resize),
            to_rows=lambda pixels: pixels[np.newaxis],
            infer=lambda service, batch: service.predict(classify.MODEL, batch),
            encode=classify.reply,
        )
    regression = REGRESSIONS[endpoint]
    if encoding == "protobuf":
        return EndpointPieces(
            open=lambda request: request.open(ACCEPTS),
            decode=lambda _service, _media, body: tensor_rows(body, len(regression.features)),
            to_rows=lambda rows: rows,
            infer=regression.predict,
            encode=regression.tensor,
        )
    single = encoding == "json"
    to_rows = feature_row if single else instance_rows
    return EndpointPieces(
        open=lambda request: request.open(ACCEPTS),
        decode=lambda _service, _media, body: parse(body),
        to_rows=lambda document: to_rows(document, regression.features),
        infer=(lambda service, rows: service.predict(regression.model, rows)) if single else regression.predict,
        encode=regression.one if single else regression.several,
    )


def requests_of(payloads: Sequence[Payload]) -> list[Request]:
    """The requests as the middleware hands them over."""
    return [
        Request(method="POST", content_type=one.content_type, content_encoding="", body=one.body) for one in payloads
    ]


def steps(
    service: Service, endpoint: str, encoding: str, payloads: Sequence[Payload], wait: Callable[[], object]
) -> dict[str, TimedPiece]:
    """The steps `core`, `codec` and PARTS, by rung; `wait` is done before each call. Raises CutError.

    The four of PARTS are one step.
    """
    pieces = pieces_of(endpoint, encoding)
    row = next(one for one in ENDPOINTS if one.path == f"/{endpoint}")
    requests = requests_of(payloads)
    rows = [pieces.to_rows(pieces.decode(service, *pieces.open(one))) for one in requests]
    replies = [service.answer(row, one) for one in requests]

    def in_pieces(request: Request) -> tuple[tuple[int, ...], Reply]:
        clock = time.perf_counter_ns
        began = clock()
        media, body = pieces.open(request)
        opened = clock()
        found = pieces.decode(service, media, body)
        decoded = clock()
        batch = pieces.to_rows(found)
        checked = clock()
        predictions = pieces.infer(service, batch)
        inferred = clock()
        reply = pieces.encode(predictions)
        encoded = clock()
        return (opened - began + checked - decoded, decoded - opened, inferred - checked, encoded - inferred), reply

    for payload, request, whole in zip(payloads, requests, replies, strict=True):
        _, reply = in_pieces(request)
        if whole != reply:
            raise CutError(f"{payload.name}: the endpoint answers {whole}, its pieces {reply}")

    def one(ready: Sequence[Any], call: Callable[[Any], Any], agrees: Callable[[int, Any], bool]) -> TimedPiece:
        return TimedPiece(payloads=len(payloads), prepare=lambda at: (wait(), ready[at])[1], call=call, agrees=agrees)

    laps = one(requests, in_pieces, lambda at, found: bool(found[1] == replies[at]))
    return {
        "core": one(
            rows,
            lambda batch: pieces.infer(service, batch),
            lambda at, found: is_expected(payloads[at], found),
        ),
        "codec": one(
            requests, lambda request: service.answer(row, request), lambda at, found: bool(found == replies[at])
        ),
        **dict.fromkeys(PARTS, replace(laps, laps=PARTS)),
    }


def is_expected(payload: Payload, predictions: Any) -> bool:
    """Whether a model's output is the float64 reference's: the class of a picture, the numbers of rows."""
    if payload.image is not None:
        return bool(int(np.argmax(predictions[0])) == payload.expected)
    return bool(np.allclose(np.ravel(predictions), np.ravel(payload.expected), rtol=RTOL, atol=ATOL))
