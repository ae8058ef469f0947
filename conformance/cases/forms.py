"""Forms of `POST /classify`: where parsers have limits, defaults and tolerances of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Case, Expectation
from conformance.expect import JSON, answered, invalid, post, refused, unsupported
from conformance.parts import Base64, ClaimedPng, Cut, Escaped, Join, Part, Picture, Repeat, build
from conformance.request import Request
from conformance.topic import Topic

_PATH: Final = "/classify"
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data; boundary=cut-here"
_PNG: Final = Picture(format="PNG")
_TEXT: Final = Base64(of=_PNG)
_LONG_TEXT: Final = Base64(of=Picture(format="JPEG", width_px=700, height_px=700))
_FIELD: Final = Join(parts=(b"image=", Escaped(of=_TEXT)))
_PLAIN: Final = post(_PATH, _FIELD, _FORM)
_LONG: Final = post(_PATH, Picture(format="JPEG", width_px=700, height_px=700), "image/jpeg")
_MAX_PARTS: Final = 64
_LONGEST_BOUNDARY: Final = 70


_case: Final = Topic(prefix="form", endpoint="classify").case


def _urlencoded(
    name: str, proves: str, body: Part, expects: Expectation, clause: str = "docs/contract.md#urlencoded-forms"
) -> Case:
    return _case(name, proves, post(_PATH, body, _FORM), expects, clause)


def _multipart(
    name: str, proves: str, body: Part, expects: Expectation, clause: str, *, kind: str = _MULTIPART
) -> Case:
    return _case(f"multipart-{name}", proves, post(_PATH, body, kind), expects, clause)


def _part(content: Part, *, name: bytes = b"image", about: bytes = b"", head: bytes = b"") -> Part:
    """A part; `about` goes on in its Content-Disposition, `head` is what other headers it has."""
    disposition = b'Content-Disposition: form-data; name="' + name + b'"' + about
    return Join(parts=(b"--cut-here\r\n" + disposition + b"\r\n" + head + b"\r\n", content, b"\r\n"))


def _whole(*parts: Part) -> Part:
    return Join(parts=(*parts, b"--cut-here--\r\n"))


def _long(name: bytes, size: int) -> Part:
    return _part(Repeat(unit=b"x", times=size), name=name)


def _wrapped(picture: Part) -> Part:
    return Join(parts=(b"image=", Escaped(of=Base64(of=picture))))


_NO_IMAGE: Final = refused("invalid_image")
_IMAGES: Final = "docs/contract.md#pictures"
_ALIKE: Final = answered(_PATH, same_as=_PLAIN)
_ONE: Final = _whole(_part(_TEXT))
_MALFORMED: Final = refused("malformed_form")
_PARTS: Final = "RFC 7578 section 4.2"
_SYNTAX: Final = "RFC 2046 section 5.1.1"
_PARAMETERS: Final = "RFC 9110 section 5.6.6"

_URLENCODED: Final = (
    _urlencoded("good", "A picture in an urlencoded form gets a class.", _FIELD, answered(_PATH)),
    _urlencoded(
        "long-field",
        "A field of 110 000 bytes beside the picture changes nothing.",
        Join(parts=(b"other=", Repeat(unit=b"x", times=110_000), b"&", _FIELD)),
        _ALIKE,
    ),
    _urlencoded(
        "two-long-fields",
        "Two fields of 60 000 bytes beside the picture change nothing.",
        Join(parts=(b"a=", Repeat(unit=b"x", times=60_000), b"&b=", Repeat(unit=b"x", times=60_000), b"&", _FIELD)),
        _ALIKE,
    ),
    _urlencoded(
        "long-picture",
        "A picture of 137 000 characters is the same picture.",
        Join(parts=(b"image=", Escaped(of=_LONG_TEXT))),
        answered(_PATH, same_as=_LONG),
    ),
    _urlencoded(
        "encoded-name",
        "A percent-encoded field name is the same name.",
        Join(parts=(b"im%61ge=", Escaped(of=_TEXT))),
        _ALIKE,
    ),
    _urlencoded(
        "most-fields",
        "A form of 64 fields is accepted.",
        Join(parts=(Repeat(unit=b"a=1&", times=_MAX_PARTS - 1), _FIELD)),
        _ALIKE,
    ),
    _urlencoded(
        "too-many-fields",
        "A form of 65 fields is malformed.",
        Join(parts=(Repeat(unit=b"a=1&", times=_MAX_PARTS), _FIELD)),
        _MALFORMED,
    ),
    _urlencoded("bad-escape", "A percent sign without its digits is malformed.", b"image=%zz", _MALFORMED),
    _urlencoded("cut-escape", "A percent sign with one digit is malformed.", b"image=AAAA%2", _MALFORMED),
    _urlencoded("raw-bytes", "A byte outside ASCII is malformed.", b"image=\xff\xfe", _MALFORMED),
    _urlencoded(
        "raw-bytes-last",
        "A byte outside ASCII after a good field is malformed.",
        Join(parts=(_FIELD, b"\n")),
        _MALFORMED,
    ),
    _urlencoded(
        "printable-ends",
        "A field of the first and the last printable character changes nothing.",
        Join(parts=(_FIELD, b"&a= ~")),
        _ALIKE,
    ),
    _urlencoded(
        "delete",
        "A delete character after a good field is malformed.",
        Join(parts=(_FIELD, b"&a=\x7f")),
        _MALFORMED,
    ),
    _urlencoded(
        "small-digits",
        "The digits of an escape may be small letters.",
        Join(parts=(b"image=", Escaped(of=_TEXT, small=True))),
        _ALIKE,
        "RFC 3986 section 2.1",
    ),
    _urlencoded("escaped-bytes", "An escaped byte that is no UTF-8 is no base64.", b"image=%FF%FE", invalid("/image")),
    _urlencoded(
        "escaped-bytes-inside",
        "An escaped byte within base64 is refused and not skipped.",
        Join(parts=(b"image=%FF%FE", Escaped(of=_TEXT))),
        invalid("/image"),
        "RFC 4648 section 3.3",
    ),
    _urlencoded("non-ascii", "A letter outside ASCII is no base64.", b"image=%C3%A9", invalid("/image")),
    _urlencoded("no-value", "A name without a value is an empty picture.", b"image", refused("invalid_image")),
    _urlencoded("empty-value", "An empty value is an empty picture.", b"image=", refused("invalid_image")),
    _urlencoded(
        "repeated-unlike",
        "A repeated field is refused where its values differ, and no winner is picked.",
        Join(parts=(_FIELD, b"&image=AAAA")),
        invalid("/image"),
        "RFC 7578 section 5.2",
    ),
    _urlencoded("gif", "A GIF in a form is refused.", _wrapped(Picture(format="GIF")), _NO_IMAGE, _IMAGES),
    _urlencoded(
        "bomb",
        "A header in a form that claims many pixels is refused before any is decoded.",
        _wrapped(ClaimedPng(width_px=8192, height_px=8192)),
        _NO_IMAGE,
        _IMAGES,
    ),
    _urlencoded(
        "cut-picture",
        "A picture in a form that is cut short is refused.",
        _wrapped(Cut(of=Picture(format="JPEG"), keep_bytes=-60)),
        _NO_IMAGE,
        _IMAGES,
    ),
    _case(
        "query-beside",
        "A query string of the field's name is not part of the form.",
        replace(_PLAIN, target=f"{_PATH}?image=AAAA"),
        _ALIKE,
        "docs/contract.md#paths",
    ),
    _case(
        "query-instead",
        "A field in the query string is no field of the form.",
        replace(_PLAIN, target=f"{_PATH}?image=AAAA", body=b""),
        invalid("/image"),
        "docs/contract.md#paths",
    ),
    _case(
        "as-octets",
        "A form under application/octet-stream is refused.",
        post(_PATH, _FIELD, "application/octet-stream"),
        unsupported(_PATH),
        "RFC 9110 section 15.5.16",
    ),
    _case(
        "as-json",
        "A form under application/json is no JSON text.",
        post(_PATH, _FIELD, JSON),
        refused("malformed_json"),
        "RFC 8259 section 2",
    ),
    _case(
        "cut",
        "A form that ends before its Content-Length is incomplete, though its picture is whole.",
        Request(target=_PATH, content_type=_FORM, body=_FIELD, declared_length=2000, half_close=True),
        refused("incomplete_body"),
        "RFC 9112 section 8",
        server_may_refuse=True,
    ),
)

_PARTED: Final = (
    _multipart("good", "A picture in a multipart text field gets a class.", _ONE, _ALIKE, _PARTS),
    _multipart(
        "long-text",
        "A text field of 137 000 characters is a text field.",
        _whole(_part(_LONG_TEXT)),
        answered(_PATH, same_as=_LONG),
        _PARTS,
    ),
    _multipart(
        "longer-field",
        "A text field of 600 000 bytes beside the picture changes nothing.",
        _whole(_long(b"other", 600_000), _part(_TEXT)),
        _ALIKE,
        _PARTS,
    ),
    _multipart(
        "two-long-fields",
        "Two text fields of 60 000 bytes beside the picture change nothing.",
        _whole(_long(b"a", 60_000), _long(b"b", 60_000), _part(_TEXT)),
        _ALIKE,
        _PARTS,
    ),
    _multipart(
        "most-parts",
        "A form of 64 parts is accepted.",
        _whole(Repeat(unit=build(_part(b"1", name=b"a")), times=_MAX_PARTS - 1), _part(_TEXT)),
        _ALIKE,
        _PARTS,
    ),
    _multipart(
        "too-many-parts",
        "A form of 65 parts is malformed.",
        _whole(Repeat(unit=build(_part(b"1", name=b"a")), times=_MAX_PARTS), _part(_TEXT)),
        _MALFORMED,
        _PARTS,
    ),
    _multipart(
        "thousand-parts",
        "A form of 1001 parts is malformed.",
        _whole(Repeat(unit=build(_part(b"1", name=b"a")), times=1000), _part(_TEXT)),
        _MALFORMED,
        _PARTS,
    ),
    _multipart(
        "repeated-unlike",
        "A repeated part is refused where its contents differ, and no winner is picked.",
        _whole(_part(_TEXT), _part(b"AAAA")),
        invalid("/image"),
        "RFC 7578 section 5.2",
    ),
    _multipart(
        "empty-filename",
        "A part with an empty file name is a file.",
        _whole(_part(_PNG, about=b'; filename=""', head=b"Content-Type: image/png\r\n")),
        _ALIKE,
        _PARTS,
    ),
    _multipart(
        "base64-as-file",
        "A file is taken as it is, so base64 in a file is no picture.",
        _whole(_part(_TEXT, about=b'; filename="digit"')),
        refused("invalid_image"),
        _PARTS,
    ),
    _multipart(
        "line-feeds",
        "A multipart body with bare line feeds is malformed.",
        Join(parts=(b'--cut-here\nContent-Disposition: form-data; name="image"\n\n', _TEXT, b"\n--cut-here--\n")),
        _MALFORMED,
        _SYNTAX,
    ),
    _multipart(
        "part-charset",
        "A charset of a part is ignored.",
        _whole(_part(_TEXT, head=b"Content-Type: text/plain; charset=utf-16\r\n")),
        _ALIKE,
        "RFC 7578 section 5.1.2",
    ),
    _multipart(
        "part-length",
        "A Content-Length of a part is never believed over its boundary.",
        _whole(_part(_TEXT, head=b"Content-Length: 4\r\n")),
        replace(_MALFORMED, or_else=_ALIKE),
        "RFC 7578 section 4.8",
    ),
    _multipart(
        "charset",
        "A charset of the form as a whole is ignored.",
        _ONE,
        _ALIKE,
        "RFC 9110 section 8.3.1",
        kind="multipart/form-data; charset=x-unknown; boundary=cut-here",
    ),
    _multipart(
        "trailing-semicolon",
        "An empty parameter after the boundary is lawful.",
        _ONE,
        _ALIKE,
        _PARAMETERS,
        kind=f"{_MULTIPART};",
    ),
    _multipart(
        "quoted-semicolon",
        "A quoted boundary may hold a space and an escape.",
        Join(
            parts=(
                b'--cut, here"\r\nContent-Disposition: form-data; name="image"\r\n\r\n',
                _TEXT,
                b'\r\n--cut, here"--\r\n',
            )
        ),
        _ALIKE,
        _PARAMETERS,
        kind='multipart/form-data; boundary="cut, here\\""',
    ),
    _multipart(
        "upper-case-parameter",
        "The case of a parameter's name changes nothing.",
        _ONE,
        _ALIKE,
        _PARAMETERS,
        kind="multipart/form-data; BOUNDARY=cut-here",
    ),
    _multipart(
        "first-boundary",
        "The first of two boundary parameters is the one that counts.",
        _ONE,
        _ALIKE,
        _PARAMETERS,
        kind="multipart/form-data; boundary=cut-here; boundary=elsewhere",
    ),
    *(
        _multipart(
            name,
            proves,
            Join(
                parts=(
                    b"--" + b"b" * length + b'\r\nContent-Disposition: form-data; name="image"\r\n\r\n',
                    _TEXT,
                    b"\r\n--" + b"b" * length + b"--\r\n",
                )
            ),
            expects,
            _SYNTAX,
            kind=f"multipart/form-data; boundary={'b' * length}",
        )
        for name, proves, length, expects in (
            ("shortest-boundary", "A boundary of one character is accepted.", 1, _ALIKE),
            ("longest-boundary", "A boundary of 70 characters is accepted.", _LONGEST_BOUNDARY, _ALIKE),
            ("boundary-too-long", "A boundary of 71 characters is malformed.", _LONGEST_BOUNDARY + 1, _MALFORMED),
        )
    ),
    _multipart(
        "empty-boundary",
        "An empty boundary is malformed.",
        _ONE,
        _MALFORMED,
        _SYNTAX,
        kind="multipart/form-data; boundary=",
    ),
    _multipart(
        "bad-parameter",
        "A parameter without a value is no media type.",
        _ONE,
        unsupported(_PATH),
        _PARAMETERS,
        kind="multipart/form-data; boundary",
    ),
    _multipart(
        "padded-boundary",
        "A boundary line with a space at its end is malformed.",
        Join(
            parts=(
                b'--cut-here \r\nContent-Disposition: form-data; name="image"\r\n\r\n',
                _TEXT,
                b"\r\n--cut-here--\r\n",
            )
        ),
        _MALFORMED,
        "docs/contract.md#multipart-forms",
    ),
    _multipart(
        "invalid-utf-8",
        "A byte that is no UTF-8 in a text field is no base64.",
        _whole(_part(b"\xff\xfe")),
        invalid("/image"),
        "RFC 4648 section 3.3",
    ),
    _multipart(
        "file-cut-short",
        "A file part without its closing boundary is malformed, though its picture is whole.",
        Cut(of=_whole(_part(_PNG, about=b'; filename="digit"')), keep_bytes=-16),
        _MALFORMED,
        _SYNTAX,
    ),
)

CASES: Final = (*_URLENCODED, *_PARTED)
