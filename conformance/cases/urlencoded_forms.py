"""Urlencoded forms of `POST /classify`: where parsers have limits, defaults and tolerances of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Case, Expectation, Topic
from conformance.expect import JSON, answered, invalid, post, refused, unsupported
from conformance.http_request import HttpRequest
from conformance.recipes import Base64, ClaimedPng, DrawnPicture, Escaped, Join, Recipe, Repeat, Truncated

_PATH: Final = "/classify"
_FORM: Final = "application/x-www-form-urlencoded"
_PNG: Final = DrawnPicture(format="PNG")
_TEXT: Final = Base64(of=_PNG)
_LONG_TEXT: Final = Base64(of=DrawnPicture(format="JPEG", width_px=700, height_px=700))
_FIELD: Final = Join(parts=(b"image=", Escaped(of=_TEXT)))
_PLAIN: Final = post(_PATH, _FIELD, _FORM)
_LONG: Final = post(_PATH, DrawnPicture(format="JPEG", width_px=700, height_px=700), "image/jpeg")
_MOST_FIELDS: Final = 64


_case: Final = Topic(prefix="form", endpoint="classify").case


def _urlencoded(
    name: str, proves: str, body: Recipe, expects: Expectation, clause: str = "docs/contract.md#urlencoded-forms"
) -> Case:
    return _case(name, proves, post(_PATH, body, _FORM), expects, clause)


def _wrapped(picture: Recipe) -> Recipe:
    return Join(parts=(b"image=", Escaped(of=Base64(of=picture))))


_NO_IMAGE: Final = refused("invalid_image")
_IMAGES: Final = "docs/contract.md#pictures"
_ALIKE: Final = answered(_PATH, same_as=_PLAIN)
_MALFORMED: Final = refused("malformed_form")

CASES: Final = (
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
        Join(parts=(Repeat(unit=b"a=1&", times=_MOST_FIELDS - 1), _FIELD)),
        _ALIKE,
    ),
    _urlencoded(
        "too-many-fields",
        "A form of 65 fields is malformed.",
        Join(parts=(Repeat(unit=b"a=1&", times=_MOST_FIELDS), _FIELD)),
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
    _urlencoded("gif", "A GIF in a form is refused.", _wrapped(DrawnPicture(format="GIF")), _NO_IMAGE, _IMAGES),
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
        _wrapped(Truncated(of=DrawnPicture(format="JPEG"), keep_bytes=-60)),
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
        HttpRequest(target=_PATH, content_type=_FORM, body=_FIELD, declared_length=2000, half_close=True),
        refused("incomplete_body"),
        "RFC 9112 section 8",
        server_may_refuse=True,
    ),
)
