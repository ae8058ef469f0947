"""Multipart forms of `POST /classify`: where parsers have limits, defaults and tolerances of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from conformance.case import Case, Expectation, Topic
from conformance.expect import answered, invalid, post, refused, unsupported
from conformance.recipes import Base64, DrawnPicture, Escaped, Join, Recipe, Repeat, Truncated, build

_PATH: Final = "/classify"
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data; boundary=cut-here"
_PNG: Final = DrawnPicture(format="PNG")
_TEXT: Final = Base64(of=_PNG)
_LONG_TEXT: Final = Base64(of=DrawnPicture(format="JPEG", width_px=700, height_px=700))
_FIELD: Final = Join(parts=(b"image=", Escaped(of=_TEXT)))
_PLAIN: Final = post(_PATH, _FIELD, _FORM)
_LONG: Final = post(_PATH, DrawnPicture(format="JPEG", width_px=700, height_px=700), "image/jpeg")
_MOST_PARTS: Final = 64
_LONGEST_BOUNDARY: Final = 70


_case: Final = Topic(prefix="form", endpoint="classify").case


def _multipart(
    name: str, proves: str, body: Recipe, expects: Expectation, clause: str, *, kind: str = _MULTIPART
) -> Case:
    return _case(f"multipart-{name}", proves, post(_PATH, body, kind), expects, clause)


def _part(content: Recipe, *, name: bytes = b"image", about: bytes = b"", head: bytes = b"") -> Recipe:
    """A part; `about` goes on in its Content-Disposition, `head` is what other headers it has."""
    disposition = b'Content-Disposition: form-data; name="' + name + b'"' + about
    return Join(parts=(b"--cut-here\r\n" + disposition + b"\r\n" + head + b"\r\n", content, b"\r\n"))


def _whole(*parts: Recipe) -> Recipe:
    return Join(parts=(*parts, b"--cut-here--\r\n"))


def _long(name: bytes, size: int) -> Recipe:
    return _part(Repeat(unit=b"x", times=size), name=name)


_ALIKE: Final = answered(_PATH, same_as=_PLAIN)
_ONE: Final = _whole(_part(_TEXT))
_MALFORMED: Final = refused("malformed_form")
_PARTS: Final = "RFC 7578 section 4.2"
_SYNTAX: Final = "RFC 2046 section 5.1.1"
_PARAMETERS: Final = "RFC 9110 section 5.6.6"

CASES: Final = (
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
        _whole(Repeat(unit=build(_part(b"1", name=b"a")), times=_MOST_PARTS - 1), _part(_TEXT)),
        _ALIKE,
        _PARTS,
    ),
    _multipart(
        "too-many-parts",
        "A form of 65 parts is malformed.",
        _whole(Repeat(unit=build(_part(b"1", name=b"a")), times=_MOST_PARTS), _part(_TEXT)),
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
        Truncated(of=_whole(_part(_PNG, about=b'; filename="digit"')), keep_bytes=-16),
        _MALFORMED,
        _SYNTAX,
    ),
)
