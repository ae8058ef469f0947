"""Requests that mean harm or are broken, without end, from a seed: the suite's own bad ones, and mutations.

Everything is bytes for a socket. What a request is for is in its name, so that a failure says what did it.
"""

from __future__ import annotations

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from PIL import Image

from conformance.cases import CASES
from conformance.http_request import Framing, HttpRequest
from conformance.recipes import ClaimedPng, DrawnPicture, build
from conformance.tensor_messages import tensor
from servers.models.payloads import ENCODINGS, PROTOBUF, Payload, payloads

_LARGE_BYTES: Final = 1_000_000
_LARGE_SHARE: Final = 0.01
"""How many of the requests may be megabytes long: each costs as much as some hundred others."""

_JSON: Final = "application/json"
_PATHS: Final = ("/predict", "/advanced_predict", "/classify")
_MEDIA: Final = (_JSON, PROTOBUF, "application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "image/png")
_METHODS: Final = ("GET", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "post", "BREW", "X" * 300)


class Ending(StrEnum):
    """What the client does with its connection."""

    ANSWERED = "waits for the answer"
    CLOSED = "closes it in the middle"
    RESET = "resets it in the middle"
    SLOW = "sends in small pieces, and waits for the answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One hostile request. `request.raw` holds all that is sent."""

    name: str
    request: HttpRequest
    ending: Ending = Ending.ANSWERED


def attacks(seed: int) -> Iterator[Attack]:
    """Endless; the same for the same seed. The suite's own bad requests come first, each once, by turns with others."""
    rng = random.Random(seed)  # noqa: S311 - a reproducible choice, not a secret
    recipes = rng.sample(_recipes(large=False), k=len(_recipes(large=False)))
    while True:
        if recipes:
            yield recipes.pop()
        if rng.random() < _LARGE_SHARE:
            yield rng.choice(_recipes(large=True))
            continue
        name, make = rng.choice(_KINDS)
        yield _ended(rng, name, make(rng))


def goods() -> tuple[tuple[str, Payload], ...]:
    """Endpoint and payload of good requests: every endpoint in every encoding, by turns."""
    kinds = [(endpoint, payloads(endpoint, name, 4)) for endpoint in ENCODINGS for name in ENCODINGS[endpoint]]
    return tuple((endpoint, made[at]) for at in range(4) for endpoint, made in kinds)


def good_request(endpoint: str, payload: Payload) -> HttpRequest:
    """The payload as a well-behaved client sends it."""
    return HttpRequest(target=f"/{endpoint}", content_type=payload.content_type, body=payload.body)


@cache
def _recipes(*, large: bool) -> list[Attack]:
    """The requests of the conformance suite that are refused, and those that are sent before a recovery."""
    found = {}
    for case in CASES:
        bad = [case.request] if case.request is not None and case.expects.status >= 400 else []
        for request in (*bad, *case.before):
            found[request] = Attack(name=case.id, request=request)
    return [one for one in found.values() if (len(one.request.wire("localhost")) > _LARGE_BYTES) is large]


def _ended(rng: random.Random, name: str, request: HttpRequest) -> Attack:
    """The request as it is, or broken off, or in pieces."""
    ending = rng.choices(tuple(Ending), weights=(80, 8, 8, 4))[0]
    if ending is Ending.ANSWERED:
        return Attack(name=name, request=request)
    wire = request.wire("localhost")
    # Mostly within the body: a cut head says little that a cut connection does not.
    head = wire.find(b"\r\n\r\n") + 4
    cut = rng.randrange(head, len(wire)) if head < len(wire) and rng.random() < 0.8 else rng.randrange(1, len(wire))
    sent = wire if ending is Ending.SLOW else wire[:cut]
    return Attack(name=f"{name}, {ending}", request=HttpRequest(method=request.method, raw=sent), ending=ending)


# -- mutations of what is good


def _good(rng: random.Random) -> HttpRequest:
    return good_request(*rng.choice(goods()))


def _damaged(rng: random.Random) -> HttpRequest:
    """A good body with some bytes changed, left out, doubled or put in."""
    request = _good(rng)
    body = bytearray(build(request.body))
    for _ in range(rng.randint(1, 8)):
        at, length = rng.randrange(len(body) + 1), rng.randint(1, 16)
        piece = rng.choice((b"", bytes(body[at : at + 2 * length]), rng.randbytes(length)))
        body[at : at + rng.choice((0, length))] = piece
    return HttpRequest(target=request.target, content_type=request.content_type, body=bytes(body))


def _truncated(rng: random.Random) -> HttpRequest:
    """A good body cut short under a length that agrees, or that claims the whole."""
    request = _good(rng)
    body = build(request.body)
    cut = body[: rng.randrange(len(body))]
    lies = rng.random() < 0.5
    return HttpRequest(
        target=request.target,
        content_type=request.content_type,
        body=cut,
        declared_length=len(body) if lies else None,
        half_close=lies,
    )


def _misdirected(rng: random.Random) -> HttpRequest:
    """A good body at another endpoint, under another media type, in other framing."""
    request = _good(rng)
    return HttpRequest(
        target=rng.choice(_PATHS),
        content_type=rng.choice((request.content_type, *_MEDIA)),
        body=request.body,
        framing=rng.choice((Framing.LENGTH, Framing.CHUNKED)),
    )


def _wrong_method(rng: random.Random) -> HttpRequest:
    request = _good(rng)
    return HttpRequest(
        method=rng.choice(_METHODS), target=request.target, content_type=request.content_type, body=request.body
    )


# -- wrong values, shapes and types


def _wrong_tensor(rng: random.Random) -> HttpRequest:
    """A TensorProto of any type, arity and shape, its values agreeing with the shape or not."""
    shape = rng.choice(
        (
            (),
            (1,),
            (2,),
            (1, 2),
            (2, 1),
            (2, 2),
            (1, 3),
            (2, 1, 1),
            (0, 1),
            (-1, 1),
            (1025, 1),
            (2**62, 1),
            (2**31, 2**33),
        )
    )
    count = rng.choice((0, 1, 2, 3, 4, 1025))
    values = [rng.choice((1.5, 0.0, float("nan"), float("inf"), -3e38)) for _ in range(count)]
    content = rng.choice((None, struct.pack(f"<{count}f", *values), rng.randbytes(rng.randrange(64))))
    body = tensor(
        dtype=rng.choice((None, 1, 1, 1, 2, 3, 7, 14, 99, -1)),
        shape=shape,
        content=content,
        float_val=values if rng.random() < 0.4 else (),
        double_val=[1e300 * value for value in values] if rng.random() < 0.2 else (),
        unknown_rank=rng.random() < 0.1,
    )
    return HttpRequest(target=rng.choice(_PATHS[:2]), content_type=PROTOBUF, body=body)


def _wrong_json(rng: random.Random) -> HttpRequest:
    """JSON of the right members with values that no model takes."""
    value = rng.choice(_VALUES)
    members = rng.choice(
        (
            b'{"feature":%b}',
            b'{"feature1":%b,"feature2":1.0}',
            b'{"instances":%b}',
            b'{"instances":[1.0,%b,2.0]}',
            b'{"instances":[[1.0,%b],[2.0]]}',
            b'{"image":%b}',
            b'{"feature":1.0,"instances":%b}',
            b"%b",
        )
    )
    return HttpRequest(target=rng.choice(_PATHS), content_type=_JSON, body=members % value)


_VALUES: Final = tuple(
    text.encode()
    for text in (
        *(
            "null",
            "true",
            '"30"',
            '"\\ud800"',
            '""',
            "{}",
            "[]",
            "[[]]",
            "[[[1.0]]]",
            "NaN",
            "-Infinity",
            "1e39",
            "1e999",
        ),
        *("9" * 5000, "-" + "9" * 400, "0." + "0" * 5000 + "1", "[" + "1.0," * 1024 + "1.0]", "[[1.0,2.0],[3.0]]"),
        *('{"__class__":"x"}', '"' + "A" * 10_000 + '"', '"data:image/png;base64,AAAA"', "[" * 64 + "]" * 64),
    )
)


def _deep(rng: random.Random) -> HttpRequest:
    """Brackets within brackets, closed or not."""
    depth = rng.choice((63, 64, 65, 66, 1000, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"feature":', b"}"), (b'[{"instances":', b"}]")))
    body = opening * depth + rng.choice((b"1.0" + closing * depth, b"1.0", b""))
    return HttpRequest(target=rng.choice(_PATHS), content_type=_JSON, body=body)


# -- pictures


def _bomb(rng: random.Random) -> HttpRequest:
    """A picture that claims more pixels than it has, or that has as many as are just allowed or forbidden."""
    side = rng.choice((1, 4000, 5656, 5657, 8192, 8193, 65535, 2**31 - 1))
    other = rng.choice((1, 224, 3900, 5656, 8192, 2**31 - 1))
    made = rng.choice((_claimed, _claimed, _claimed, _text_bomb, _flat))
    return _carried(rng, made(side, other))


def _claimed(side: int, other: int) -> bytes:
    return build(ClaimedPng(width_px=side, height_px=other))


def _text_bomb(_side: int, _other: int) -> bytes:
    """A small picture with a text that unpacks to fifty megabytes."""
    small = build(DrawnPicture(format="PNG"))
    text = b"Comment\0\0" + _packed_zeros()
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    return small[:33] + chunk + small[33:]


@cache
def _packed_zeros() -> bytes:
    return zlib.compress(bytes(50_000_000), 1)


@cache
def _flat(side: int, other: int) -> bytes:
    """A whole picture of one colour, small on the wire: up to 16 million pixels to decode."""
    sink = io.BytesIO()
    Image.new("L", (min(side, 4000), min(other, 4000))).save(sink, format="PNG")
    return sink.getvalue()


def _damaged_picture(rng: random.Random) -> HttpRequest:
    """A real file of some format with bytes changed or its end missing."""
    picture = DrawnPicture(
        format=rng.choice(("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")),
        mode=rng.choice(("RGB", "L")),
        width_px=rng.choice((1, 28, 300)),
        height_px=rng.choice((1, 28, 300)),
    )
    data = bytearray(build(picture))
    for _ in range(rng.randint(0, 12)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return _carried(rng, bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))


def _carried(rng: random.Random, picture: bytes) -> HttpRequest:
    """A picture in one of its wrappings, the base64 now and then damaged."""
    text = base64.b64encode(picture)
    if rng.random() < 0.2:
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice((b"!", b"=", b"-_", b"\n", b"")) + text[at + rng.randint(0, 2) :]
    kind, body = rng.choice(
        (
            ("image/png", picture),
            ("image/jpeg", picture),
            (_JSON, json.dumps({"image": text.decode()}).encode()),
            ("application/x-www-form-urlencoded", b"image=" + text.replace(b"+", b"%2B")),
            (
                "multipart/form-data; boundary=b",
                b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n'
                + picture
                + b"\r\n--b--\r\n",
            ),
        )
    )
    return HttpRequest(target="/classify", content_type=kind, body=body)


_KINDS: Final[tuple[tuple[str, Callable[[random.Random], HttpRequest]], ...]] = (
    ("damaged", _damaged),
    ("truncated", _truncated),
    ("misdirected", _misdirected),
    ("wrong method", _wrong_method),
    ("wrong tensor", _wrong_tensor),
    ("wrong JSON", _wrong_json),
    ("deep JSON", _deep),
    ("picture bomb", _bomb),
    ("damaged picture", _damaged_picture),
)
