"""Pictures as cameras and programs save them, and forms as HTTP clients write them: all whole, each of its kind.

The forms are written byte for byte as the named client writes them, with a boundary of its making.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64decode, encodebytes
from typing import Final

from conformance.case import Case, Topic
from conformance.expect import answered, invalid, post, refused, unsupported
from conformance.http_request import HttpRequest
from conformance.recipes import Base64, DigitJpeg, DigitPng, Escaped, Join, Recipe, Truncated, segment

_PATH: Final = "/classify"
_SECTION: Final = "docs/contract.md#pictures"
_case: Final = Topic(prefix="picture", endpoint="classify", clause=_SECTION).case
_client: Final = Topic(prefix="client", endpoint="classify", clause="RFC 7578 section 4.2").case

_GREY: Final = 0
_COLOUR: Final = 2
_PALETTE: Final = 3
_GREY_ALPHA: Final = 4
_COLOUR_ALPHA: Final = 6
_NAMES: Final = {
    _GREY: "grey",
    _COLOUR: "colour",
    _PALETTE: "palette",
    _GREY_ALPHA: "grey-alpha",
    _COLOUR_ALPHA: "colour-alpha",
}
_DEPTHS: Final = (
    *((_GREY, depth) for depth in (1, 2, 4, 8, 16)),
    *((_PALETTE, depth) for depth in (1, 2, 4, 8)),
    *((colour, depth) for colour in (_COLOUR, _GREY_ALPHA, _COLOUR_ALPHA) for depth in (8, 16)),
)
_PNG: Final = DigitPng(colour=_COLOUR, depth=8)
_JPEG: Final = DigitJpeg()
_EXIF: Final = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
"""Says that the picture lies on its side."""

_FRAME: Final = struct.pack(">IIIIIHHBB", 0, 28, 28, 0, 0, 1, 10, 0, 0)

# The same digit from a coder that few programs have, so the bytes stand here.
_ARITHMETIC: Final = b64decode(
    b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxO"
    b"UlNSMj5aYVpQYEpRUk//yQALCAAcABwBAREA/8wABgAQEAX/2gAIAQEAAD8A/wBoqssSRcLseP7lwC91qnAqfrqCnL/WSZ3NWwEe"
    b"X2355hOGWPSeINC/dsR5HjitJc1rUvh3BPDvDuGn+SsaPekFqqkuBnDHuh7bYFwv8tLr+QmMZkpYtPIF97zND/DIBCiwxRqxKc90"
    b"stClE7NWTAXlgDXXmhhomAXNrRyWWZtGJSjX1QAIWaowW3BxPpXZEdWT0s6pq3cBHyKr3P/Z"
)


def _same(name: str, proves: str, picture: Recipe, like: Recipe, kind: str = "image/png") -> Case:
    as_known = post(_PATH, like, "image/jpeg" if isinstance(like, DigitJpeg) else "image/png")
    return _case(name, proves, post(_PATH, picture, kind), answered(_PATH, same_as=as_known))


def _png(name: str, proves: str, picture: DigitPng) -> Case:
    """A PNG that is the same picture as one of 8 bits in colour, and nothing else."""
    return _same(name, proves, picture, DigitPng(colour=_COLOUR, depth=8, level_bits=picture.level_bits))


def _beside(name: str, what: str, *chunks: tuple[bytes, bytes], colour: int = _COLOUR) -> Case:
    return _png(f"png-{name}", f"{what} in a PNG changes no pixel.", DigitPng(colour=colour, depth=8, beside=chunks))


_PNGS: Final = (
    *(
        _png(
            f"png-{_NAMES[colour]}-{depth}",
            f"A PNG of colour type {colour} and {depth} bits is the picture that it is with 8.",
            DigitPng(colour=colour, depth=depth, level_bits=min(depth, 4)),
        )
        for colour, depth in _DEPTHS
    ),
    *(
        _png(
            f"png-interlaced-{_NAMES[colour]}-{depth}",
            f"An interlaced PNG of colour type {colour} and {depth} bits is the same picture.",
            DigitPng(colour=colour, depth=depth, level_bits=min(depth, 4), interlaced=True),
        )
        for colour, depth in ((_GREY, 1), (_GREY, 16), (_PALETTE, 4), (_COLOUR_ALPHA, 16))
    ),
    _beside("transparent-grey", "A level that is transparent", (b"tRNS", b"\0\xff"), colour=_GREY),
    _beside("transparent-palette", "A palette with transparency", (b"tRNS", bytes(16)), colour=_PALETTE),
    _beside("gamma", "A gamma", (b"gAMA", struct.pack(">I", 10_000))),
    _beside("large-profile", "A colour profile of 3 MB", (b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000), 9))),
    _beside("large-text", "A text of 3 MB", (b"zTXt", b"t\0\0" + zlib.compress(bytes(3_000_000), 9))),
    _beside("orientation", "An orientation", (b"eXIf", _EXIF[6:])),
    _beside("animation", "An animation's frames", (b"acTL", struct.pack(">II", 1, 0)), (b"fcTL", _FRAME)),
    _beside("unknown-chunk", "A chunk that nobody knows and nobody must", (b"teSt", b"x")),
    _png("png-pieces", "A PNG in several pieces is the same picture.", DigitPng(colour=_COLOUR, depth=8, pieces=7)),
    _same("png-trailing", "A PNG ends with its last chunk, whatever follows.", Join(parts=(_PNG, b"behind")), _PNG),
)


def _jpeg(name: str, proves: str, picture: Recipe) -> Case:
    return _same(f"jpeg-{name}", proves, picture, _JPEG, "image/jpeg")


_JPEGS: Final = (
    _jpeg("progressive", "A progressive JPEG is the same picture.", DigitJpeg(progressive=True)),
    _jpeg("grey", "A grey JPEG is the same picture.", DigitJpeg(mode="L")),
    _jpeg("full-colour", "A JPEG without subsampling is the same picture.", DigitJpeg(subsampling=0)),
    _jpeg("restarts", "A JPEG with restarts is the same picture.", DigitJpeg(restart_blocks=2)),
    _jpeg("arithmetic", "A JPEG in arithmetic coding is the same picture.", _ARITHMETIC),
    _jpeg("inverted-ink", "A JPEG of ink with Adobe's mark stores it inverted.", DigitJpeg(mode="CMYK")),
    _jpeg("ink", "A JPEG of ink without Adobe's mark stores it as it is.", DigitJpeg(mode="CMYK", adobe=False)),
    _jpeg("orientation", "An orientation in EXIF turns no JPEG.", DigitJpeg(segments=((0xE1, _EXIF),))),
    _jpeg(
        "several",
        "The first of several JPEGs in a file (MPO) counts.",
        Join(parts=(DigitJpeg(segments=((0xE2, b"MPF\0MM\0*\0\0\0\x08\0\0\0\0\0\0"),)), DigitJpeg(mode="L"))),
    ),
)


def _frame(marker: int, bits: int, height: int, *factors: int) -> bytes:
    """A JPEG up to its first scan, whose header is right; a factor a channel."""
    channels = b"".join(bytes((at, factor, 0)) for at, factor in enumerate(factors))
    frame = struct.pack(">BHHB", bits, height, 8, len(factors)) + channels
    return (
        b"\xff\xd8" + segment(marker, frame) + segment(0xDA, bytes((len(factors), *bytes(2 * len(factors)), 0, 63, 0)))
    )


_REFUSED: Final = tuple(
    _case(name, proves, post(_PATH, picture, kind), refused("invalid_image"))
    for name, proves, picture, kind in (
        ("jpeg-12-bits", "A JPEG of 12 bits is refused.", _frame(0xC1, 12, 8, 0x11), "image/jpeg"),
        ("jpeg-lossless", "A lossless JPEG is refused.", _frame(0xC3, 8, 8, 0x11), "image/jpeg"),
        ("jpeg-hierarchical", "A hierarchical JPEG is refused.", _frame(0xC5, 8, 8, 0x11), "image/jpeg"),
        ("jpeg-two-channels", "A JPEG of two channels is refused.", _frame(0xC0, 8, 8, 0x11, 0x11), "image/jpeg"),
        ("jpeg-late-height", "A JPEG whose height comes last is refused.", _frame(0xC0, 8, 0, 0x11), "image/jpeg"),
        (
            "png-critical-chunk",
            "A PNG with a critical chunk that nobody knows is refused.",
            DigitPng(colour=_COLOUR, depth=8, beside=((b"TeSt", b"x"),)),
            "image/png",
        ),
        ("png-no-end", "A PNG without its last chunk is cut short.", Truncated(of=_PNG, keep_bytes=-12), "image/png"),
    )
)

_NAMED: Final = b'Content-Disposition: form-data; name="image"'
_FILE: Final = b'; filename="digit.png"'
_TYPED: Final = b"\r\nContent-Type: image/png"
_OCTETS: Final = b"\r\nContent-Type: application/octet-stream"
_CURL: Final = "------------------------jVxR2tY8uWq1oPzK4sLm0n"
_GO: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f0"
_UUID: Final = "0b9a1c52-6a55-4f0e-9d6c-2b6c3f1f7f10"
_OKHTTP: Final = b"Content-Type: image/jpeg\r\nContent-Length: %d"
_TRANSFER: Final = b"\r\nContent-Transfer-Encoding: "


def _field(picture: Recipe) -> HttpRequest:
    """The picture as base64 in an urlencoded form."""
    return post(_PATH, Join(parts=(b"image=", Escaped(of=Base64(of=picture)))), "application/x-www-form-urlencoded")


_IN_FORMS: Final = (
    _case(
        "form-grey-16",
        "A PNG of 16 bits in a form is the picture that it is with 8.",
        _field(DigitPng(colour=_GREY, depth=16)),
        answered(_PATH, same_as=_field(_PNG)),
    ),
    _case(
        "form-ink",
        "A JPEG of ink without Adobe's mark is read as ink in a form, too.",
        _field(DigitJpeg(mode="CMYK", adobe=False)),
        answered(_PATH, same_as=_field(_JPEG)),
    ),
    _case(
        "form-large-text",
        "A text of 3 MB beside the pixels changes nothing in a form, either.",
        _field(DigitPng(colour=_COLOUR, depth=8, beside=((b"zTXt", b"t\0\0" + zlib.compress(bytes(3_000_000), 9)),))),
        answered(_PATH, same_as=_field(_PNG)),
    ),
)


def _form(boundary: str, head: bytes, content: Recipe) -> Recipe:
    mark = b"--" + boundary.encode()
    return Join(parts=(mark + b"\r\n" + head + b"\r\n\r\n", content, b"\r\n" + mark + b"--\r\n"))


def _sent(name: str, client: str, boundary: str, head: bytes, content: Recipe = _PNG, *, like: Recipe = _PNG) -> Case:
    """A form as a client writes it is the same picture; a boundary in quotes is sent in quotes."""
    kind = f"multipart/form-data; boundary={boundary}"
    known = _field(like)
    proves = f"A form is the same picture from {client}."
    return _client(
        name, proves, post(_PATH, _form(boundary.strip('"'), head, content), kind), answered(_PATH, same_as=known)
    )


_FORMS: Final = (
    _sent("curl-file", "curl -F image=@digit.png", _CURL, _NAMED + _FILE + _TYPED),
    _sent("curl-field", "curl -F 'image=<digit.png'", _CURL, _NAMED),
    _sent("curl-typed", "curl -F 'image=<digit.png;type=image/png'", _CURL, _NAMED + _TYPED),
    _sent("requests-file", "requests with an open file", "5f1d0c2a9b6e", _NAMED + _FILE),
    _sent("requests-typed", "requests with a type and no file name", "5f1d0c2a9b6e", _NAMED + _TYPED),
    _sent("httpx-bytes", "httpx with bytes", "7c9e6679f0b7", _NAMED + b'; filename="upload"' + _OCTETS),
    _sent(
        "aiohttp",
        "aiohttp, which writes the type first",
        "4bd3a1",
        _TYPED[2:] + b"\r\n" + _NAMED + b'; filename="digit.png"',
    ),
    _sent("fetch-blob", "fetch with a Blob", "----WebKitFormBoundaryTrZu0gW", _NAMED + b'; filename="blob"' + _TYPED),
    _sent("axios-buffer", "axios with a Buffer", "-" * 26 + "515890814546601021194782", _NAMED + _OCTETS),
    _sent("go-file", "Go's CreateFormFile", _GO, _NAMED + _FILE + _OCTETS),
    _sent("go-field", "Go's CreateFormField", _GO, _NAMED),
    _sent(
        "dotnet-file",
        ".NET, which quotes the boundary and nothing else",
        f'"{_UUID}"',
        _TYPED[2:] + b"\r\nContent-Disposition: form-data; name=image; filename=digit.png; filename*=utf-8''digit.png",
    ),
    _sent("dotnet-bytes", ".NET's ByteArrayContent", f'"{_UUID}"', b"Content-Disposition: form-data; name=image"),
    _sent(
        "dotnet-string",
        ".NET's StringContent with base64",
        f'"{_UUID}"',
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=image",
        Base64(of=_PNG),
    ),
    _sent(
        "okhttp",
        "OkHttp, with a length and without a file name",
        _UUID,
        _NAMED + b"\r\n" + _OKHTTP % len(_ARITHMETIC),
        _ARITHMETIC,
        like=_ARITHMETIC,
    ),
    _sent("httpclient", "Apache HttpClient", "kXz-0Qp_7s", _NAMED + _FILE + _TYPED + _TRANSFER + b"binary"),
    _sent("filename-star", "a client with a file name outside ASCII alone", "b", _NAMED + b"; filename*=UTF-8''%C3%A9"),
    _sent("latin-1", "a client with a file name in Latin-1", "b", _NAMED + b'; filename="\xe9.png"' + _OCTETS),
    _sent(
        "long-head",
        "a client with a file name of 6000 characters and twenty more headers",
        "b",
        _NAMED + b'; filename="' + b"x" * 6000 + b'"' + b"".join(b"\r\nX-%d: 1" % at for at in range(20)),
    ),
    _sent(
        "mail",
        "a mail program, in base64 of 76 columns by a transfer encoding",
        "b",
        _NAMED + _FILE + _TRANSFER + b"base64",
        encodebytes(_ARITHMETIC).replace(b"\n", b"\r\n"),
        like=_ARITHMETIC,
    ),
)

_SLIPS: Final = (
    _client(
        "quoted-printable",
        "A transfer encoding that is no form's is malformed.",
        post(
            _PATH, _form("b", _NAMED + _FILE + _TRANSFER + b"quoted-printable", _PNG), "multipart/form-data; boundary=b"
        ),
        refused("malformed_form"),
        "RFC 7578 section 4.7",
    ),
    _client(
        "columns",
        "A base64 text in lines of 76 characters is refused and not mended.",
        post(_PATH, Join(parts=(b'{"image":"', encodebytes(_ARITHMETIC).replace(b"\n", b"\\n"), b'"}'))),
        invalid("/image"),
        "RFC 4648 section 3.1",
    ),
    _client(
        "marked-text",
        "A byte order mark before base64 is no base64.",
        post(_PATH, Join(parts=(b'{"image":"\xef\xbb\xbf', Base64(of=_PNG), b'"}'))),
        invalid("/image"),
        "RFC 4648 section 3.3",
    ),
    _client(
        "jpg",
        "A media type image/jpg does not exist.",
        post(_PATH, _JPEG, "image/jpg"),
        unsupported(_PATH),
        "RFC 2046 section 4.2",
    ),
    _client(
        "utf8",
        "A charset utf8 does not exist.",
        post(_PATH, Join(parts=(b'{"image":"', Base64(of=_PNG), b'"}')), "application/json; charset=utf8"),
        unsupported(_PATH),
        "RFC 3629 section 8",
    ),
)

CASES: Final = (*_PNGS, *_JPEGS, *_REFUSED, *_IN_FORMS, *_FORMS, *_SLIPS)
