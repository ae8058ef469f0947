"""Bodies that carry a picture in something else: base64, forms, JSON; and serialized tensors."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from random import Random
from typing import Final
from urllib.parse import quote_from_bytes

from conformance import tensor_messages
from conformance.fuzzing.json_texts import a_value, finished
from conformance.fuzzing.mutate import chance, damaged, shuffled_items

_BOUNDARIES: Final = ("b", "cut-here", "x" * 70, "x" * 71, "a b", "a'()+_,-./:=?", "----WebKitFormBoundary7MA4YWxk")
_NAMES: Final = (b"image", b"image", b"image", b"other", b"Image", b"image ", b"im\xc3\xa9ge", b"", b'im"age')
_KINDS: Final = (
    b"",
    b"image/png",
    b"text/plain; charset=utf-16",
    b"text/plain; charset=bogus",
    b"multipart/mixed; boundary=x",
)
_FILENAMES: Final = (b"", b'; filename="digit.png"', b'; filename=""', b"; filename=a", b"; filename*=UTF-8''a%FF.png")
_TRANSFERS: Final = (b"", b"", b"", b"\r\nContent-Transfer-Encoding: base64", b"\r\nContent-Length: 3", b"\r\nX: \xff")
_SIZES: Final = (0, 1, 2, 3, 1024, 1025, 2**31, 2**63 - 1, -1)
_FLOATS: Final = (0.0, 1.0, -24.5, 3.4e38, float("inf"), float("nan"), 1e-45)


def base64_text(random: Random, data: bytes) -> bytes:
    """A picture in base64, in a third of the draws not quite by the standard."""
    text = b64encode(data)
    if not chance(random, 0.35):
        return text
    match random.randint(0, 5):
        case 0:
            return urlsafe_b64encode(data)
        case 1:
            return text.rstrip(b"=")
        case 2:
            return text + random.choice((b"=", b"==", b"\n", b" ", b"A", b"AAAA"))
        case 3:
            return b"\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
        case 4:
            return b"data:image/png;base64," + text
        case _:
            return damaged(random, text)


def json_image(random: Random, text: bytes) -> bytes:
    """The picture as the one member that the classifier wants, or nearly so."""
    content = text.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
    value = [f'"{content}"'] if chance(random, 0.8) else a_value(random)
    tokens = ["{", '"image"', ":", *value, "}"]
    return finished(random, tokens)


def urlencoded(random: Random, text: bytes) -> bytes:
    """The picture as a form field, escaped well, badly or not at all."""
    value = text if chance(random, 0.15) else quote_from_bytes(text, safe="").encode()
    pairs = [b"image=" + value]
    while chance(random, 0.2):
        pairs.append(
            random.choice(_NAMES[:7]) + random.choice((b"=", b"", b"=x", b"=%41", b"=%zz", b"=%", b"==", b"=\xe9"))
        )
    if chance(random, 0.05):
        pairs += [b"x=1"] * random.choice((62, 63, 64))
    if chance(random, 0.2):
        pairs = shuffled_items(random, pairs)
    body = random.choice((b"&", b"&", b"&", b"&&", b";")).join(pairs)
    return damaged(random, body) if chance(random, 0.1) else body


def multipart(random: Random, image: bytes, text: bytes) -> tuple[bytes, str]:
    """The picture as a file part or text field, and the boundary that goes into the Content-Type."""
    boundary = random.choice(_BOUNDARIES)
    mark = b"--" + boundary.encode()
    end = b"\r\n" if chance(random, 0.93) else b"\n"
    parts = [_part(random, image, text)]
    while chance(random, 0.2):
        parts.append(_part(random, image, text))
    if chance(random, 0.03):
        parts += [b'Content-Disposition: form-data; name="x"\r\n\r\n1'] * random.choice((62, 63, 64))
    body = b"".join(mark + end + part + end for part in parts)
    if chance(random, 0.95):
        body += mark + b"--" + (end if chance(random, 0.8) else b"")
    if chance(random, 0.08):
        body = random.choice((b"preamble", b"\r\n", b" ", b"\n")) + end + body
    return (damaged(random, body) if chance(random, 0.15) else body), boundary


def _part(random: Random, image: bytes, text: bytes) -> bytes:
    odd = chance(random, 0.3)
    name = random.choice(_NAMES) if odd else b"image"
    filename = random.choice(_FILENAMES) if odd or chance(random, 0.5) else b""
    kind = random.choice(_KINDS) if odd else (b"image/png" if filename else b"")
    head = b'Content-Disposition: form-data; name="' + name + b'"' + filename
    head += (b"\r\nContent-Type: " + kind if kind else b"") + (random.choice(_TRANSFERS) if odd else b"")
    return head + b"\r\n\r\n" + (image if filename else text)


def message(random: Random, width: int) -> bytes:
    """A TensorProto of rows of this width, or one in which some field is not as it must be."""
    rows = random.choice((1, 1, 2, 3, 7)) if chance(random, 0.98) else random.choice((0, 1023, 1024, 1025))
    values = [random.uniform(-100, 100) for _ in range(rows * width)]
    if values and chance(random, 0.1):
        values[random.randint(0, len(values) - 1)] = random.choice(_FLOATS)
    wide = chance(random, 0.3)
    shape: list[int] | None = [rows, width]
    dtype: int | None = tensor_messages.DT_DOUBLE if wide else tensor_messages.DT_FLOAT
    if chance(random, 0.15):
        shape = random.choice(
            (None, [], [rows], [rows, width, 1], [random.choice(_SIZES), width], [rows, random.choice(_SIZES)])
        )
    if chance(random, 0.1):
        dtype = random.choice((None, 0, 1, 2, 3, 9, 2**31))
    content = tensor_messages.doubles(*values) if wide else tensor_messages.floats(*values)
    if chance(random, 0.7):
        data = tensor_messages.tensor(
            dtype=dtype, shape=shape, content=damaged(random, content) if chance(random, 0.05) else content
        )
    else:
        listed = values[: random.randint(0, len(values))] if chance(random, 0.5) else values
        floats, doubles = ([], listed) if wide else (listed, [])
        data = tensor_messages.tensor(dtype=dtype, shape=shape, float_val=floats, double_val=doubles)
    return damaged(random, data) if chance(random, 0.2) else data
