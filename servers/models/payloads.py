"""The requests that are sent, each with the answer that the float64 reference expects. Imports no TensorFlow.

Only held-out rows and digits are used: what the models never saw in training.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal
from urllib.parse import urlencode

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from servers.core.images import decode_image
from servers.models.catalog import MODELS, Model, model_for
from servers.models.datasets import dataset
from servers.models.reference import reference
from servers.models.renderings import Rendering, draw, encode

PROTOBUF: Final = "application/x-protobuf"

ENCODINGS: Final = {
    model.endpoint: ("form", "json", "multipart", "raw") if model.takes_pictures else ("json", "instances", "protobuf")
    for model in MODELS.values()
}
"""The encodings that each endpoint has payloads in; the first is the article's."""

BATCH_ROWS: Final = 16
"""Rows of a payload in `instances` or `protobuf`."""

MARGIN: Final = 1.0
"""Least lead, in logits, of the expected class over the next. Far beyond what float32 kernels (1e-4), TensorFloat-32 or
another version's JPEG decoder (a level of 255 here and there) change: every correct server answers this class."""

_BOUNDARY: Final = "titrate-7d1c9a50e4b84f2f"
_FORMATS: Final[tuple[Literal["JPEG", "PNG"], ...]] = ("JPEG", "PNG")
_RENDERINGS: Final = tuple(
    Rendering(side=side, format=form, mode="RGB", resample=Image.Resampling.BICUBIC)
    for side, form in itertools.product((28, 64, 160, 224, 320), _FORMATS)
)
_CANDIDATES_AT_ONCE: Final = 16

# Field number and wire type in one byte: dtype 1, tensor_shape 2, tensor_content 4; in the shape dim 2, in that size 1.
_DTYPE, _SHAPE, _CONTENT, _DIM, _SIZE = b"\x08", b"\x12", b"\x22", b"\x12", b"\x08"
_DT_FLOAT = b"\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What a picture shows and how it is stored."""

    digit: int
    """The digit that the writer meant, by the data set."""

    side: int
    """Width and height in pixels."""

    content_type: str
    """Media type of the picture itself, whatever carries it."""

    size_bytes: int
    """Length of the picture file."""

    margin: float
    """Lead of the expected class over the next, in logits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One request body and the answer it must get."""

    name: str
    content_type: str
    body: bytes

    features: tuple[float, ...]
    """The numbers sent to a regression, row after row; empty for pictures."""

    image: ImageFacts | None
    """The picture sent to the classifier; None for regressions."""

    expected_key: str
    """Member of the answer, a JSON object or a TensorProto, that holds the prediction."""

    expected: float | int | list[float] | list[list[float]]
    """The reference's prediction, nested as the answer nests it; float64, not rounded to float32."""


def payloads(endpoint: str, encoding: str, count: int = 32) -> tuple[Payload, ...]:
    """The first `count` distinct payloads of an endpoint in one encoding, the same on every call.

    Raises ValueError for an unknown endpoint or encoding, and where the held-out data hold fewer distinct ones.
    """
    if encoding not in ENCODINGS.get(endpoint, ()):
        raise ValueError(f"no payloads for {endpoint} as {encoding}")
    model = model_for(endpoint)
    made = _pictures(encoding, count) if model.takes_pictures else _rows(model, encoding, count)
    if len(made) < count:
        raise ValueError(f"{endpoint} has {len(made)} distinct payloads, not {count}")
    return made


def _rows(model: Model, encoding: str, count: int) -> tuple[Payload, ...]:
    """Held-out patients: body mass index, and blood pressure beside it for a model that takes two features.

    A batch begins at each patient in turn and goes on to the next ones.
    """
    inputs, _ = dataset("diabetes").part(held_out=True)
    width = model.input_shape[-1] or 1
    single = width == 1
    keys = ["feature"] if single else [f"feature{number}" for number in range(1, width + 1)]
    rows = list(dict.fromkeys(tuple(map(float, row[:width])) for row in inputs))
    if encoding != "json":
        starts = range(min(count, len(rows)))
        batches = [[rows[(start + step) % len(rows)] for step in range(BATCH_ROWS)] for start in starts]
        names = [f"{model.endpoint}-{encoding}-{at:03}" for at in starts]
        return tuple(_batch(name, model.name, encoding, batch) for name, batch in zip(names, batches, strict=True))
    made = []
    for index, features in enumerate(rows[:count]):
        answer: list[list[float]] = reference(model.name, [features]).tolist()
        made.append(
            Payload(
                name=f"{model.endpoint}-{index:03}",
                content_type="application/json",
                # json writes a Python float with its point or exponent: 24.0, never 24
                body=json.dumps(dict(zip(keys, features, strict=True))).encode(),
                features=features,
                image=None,
                expected_key="prediction",
                expected=answer[0][0] if single else answer,
            )
        )
    return tuple(made)


def _batch(name: str, model: str, encoding: str, rows: list[tuple[float, ...]]) -> Payload:
    """Many rows in one request."""
    answer: list[list[float]] = reference(model, rows).tolist()
    flat = tuple(itertools.chain.from_iterable(rows))
    if encoding == "protobuf":
        return Payload(
            name=name,
            content_type=PROTOBUF,
            body=tensor_bytes(rows),
            features=flat,
            image=None,
            expected_key="tensor_content",
            expected=answer,
        )
    single = len(rows[0]) == 1
    return Payload(
        name=name,
        content_type="application/json",
        body=json.dumps({"instances": flat if single else rows}).encode(),
        features=flat,
        image=None,
        expected_key="predictions",
        expected=[row[0] for row in answer] if single else answer,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    data: bytes
    facts: ImageFacts
    expected: int


@cache
def _pictures(encoding: str, count: int) -> tuple[Payload, ...]:
    return tuple(_carried(index, picture, encoding) for index, picture in enumerate(_chosen_pictures(count)))


@cache
def _chosen_pictures(count: int) -> tuple[_Picture, ...]:
    """The first held-out digits, each in the next of the renderings in turn, that have the margin."""
    return tuple(itertools.islice(_clear_pictures(), count))


def _clear_pictures() -> Iterator[_Picture]:
    inks, labels = dataset("digits").part(held_out=True)
    for start in range(0, len(inks), _CANDIDATES_AT_ONCE):
        rows = range(start, min(start + _CANDIDATES_AT_ONCE, len(inks)))
        drawn = [_RENDERINGS[row % len(_RENDERINGS)] for row in rows]
        files = [encode(draw(inks[row], rendering), rendering) for row, rendering in zip(rows, drawn, strict=True)]
        logits = reference("digits_cnn", np.stack([decode_image(file) for file in files]) / 255.0)
        ranked = np.sort(logits, axis=1)
        margins = ranked[:, -1] - ranked[:, -2]
        for at, row in enumerate(rows):
            if margins[at] < MARGIN:
                continue
            facts = ImageFacts(
                digit=int(labels[row]),
                side=drawn[at].side,
                content_type=drawn[at].content_type,
                size_bytes=len(files[at]),
                margin=float(margins[at]),
            )
            yield _Picture(data=files[at], facts=facts, expected=int(logits[at].argmax()))


def _carried(index: int, picture: _Picture, encoding: str) -> Payload:
    """The picture in one of the contract's four ways of sending it."""
    suffix = picture.facts.content_type.removeprefix("image/")
    content_type, body = picture.facts.content_type, picture.data
    if encoding == "form":
        content_type, body = "application/x-www-form-urlencoded", urlencode({"image": _base64(picture)}).encode()
    elif encoding == "json":
        content_type, body = "application/json", json.dumps({"image": _base64(picture)}).encode()
    elif encoding == "multipart":
        content_type, body = f"multipart/form-data; boundary={_BOUNDARY}", _multipart(picture, suffix)
    return Payload(
        name=f"classify-{encoding}-{index:03}-{suffix}-{picture.facts.side}",
        content_type=content_type,
        body=body,
        features=(),
        image=picture.facts,
        expected_key="predicted_class",
        expected=picture.expected,
    )


def _base64(picture: _Picture) -> str:
    return base64.b64encode(picture.data).decode("ascii")


def _multipart(picture: _Picture, suffix: str) -> bytes:
    """One file part named `image` (RFC 7578)."""
    if _BOUNDARY.encode() in picture.data:
        raise ValueError("the picture holds the multipart boundary")
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="image"; filename="digit.{suffix}"\r\n'
        f"Content-Type: {picture.facts.content_type}\r\n\r\n"
    )
    return head.encode() + picture.data + f"\r\n--{_BOUNDARY}--\r\n".encode()


def tensor_bytes(rows: ArrayLike) -> bytes:
    """Rows as a serialized `tensorflow.TensorProto` of DT_FLOAT, rounded to float32, values in `tensor_content`.

    Wire format: https://protobuf.dev/programming-guides/encoding; message: tensorflow/core/framework/tensor.proto.
    """
    values = np.asarray(rows, dtype="<f4")
    dims = b"".join(_delimited(_DIM, _SIZE + _varint(size)) for size in values.shape)
    return _DTYPE + _DT_FLOAT + _delimited(_SHAPE, dims) + _delimited(_CONTENT, values.tobytes())


def _delimited(key: bytes, data: bytes) -> bytes:
    return key + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    """Seven bits a byte, the least significant first, the high bit set on all but the last."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*written, value))
