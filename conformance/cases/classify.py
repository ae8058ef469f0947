"""`POST /classify`: one picture in any of its wrappings, one class out."""

from __future__ import annotations

from typing import Final

from conformance.case import Case, Topic
from conformance.contract import IMAGE_SIDE_PX
from conformance.expect import JSON, answered, invalid, post, refused, unsupported
from conformance.http_request import HttpRequest
from conformance.recipes import Base64, ClaimedPng, DrawnPicture, Escaped, Join, Recipe, Truncated

_PATH: Final = "/classify"
_FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data; boundary=cut-here"
_PNG: Final = DrawnPicture(format="PNG")
_JPEG: Final = DrawnPicture(format="JPEG")
_AS_PNG: Final = post(_PATH, _PNG, "image/png")
_AS_JPEG: Final = post(_PATH, _JPEG, "image/jpeg")
_TEXT: Final = Base64(of=_PNG)
_MARKER: Final = b"zq7marker"


def _json(text: Recipe) -> Recipe:
    return Join(parts=(b'{"image":"', text, b'"}'))


def _form(value: Recipe) -> Recipe:
    return Join(parts=(b"image=", value))


def _part(content: Recipe, *, name: bytes = b"image", file: bool = False, kind: bytes = b"image/png") -> Recipe:
    head = b'--cut-here\r\nContent-Disposition: form-data; name="' + name + b'"'
    if file:
        head += b'; filename="digit"\r\nContent-Type: ' + kind
    return Join(parts=(head + b"\r\n\r\n", content, b"\r\n"))


def _multipart(*parts: Recipe) -> Recipe:
    return Join(parts=(*parts, b"--cut-here--\r\n"))


_case: Final = Topic(prefix="classify", endpoint="classify", clause="docs/contract.md#post-classify").case


def _alike(name: str, proves: str, body: Recipe, kind: str, like: HttpRequest = _AS_PNG) -> Case:
    return _case(name, proves, post(_PATH, body, kind), answered(_PATH, same_as=like))


def _base64_fault(name: str, proves: str, body: Recipe, kind: str = JSON) -> Case:
    return _case(f"base64-{name}", proves, post(_PATH, body, kind), invalid("/image"), "RFC 4648 section 3")


def _image_fault(name: str, proves: str, image: Recipe, kind: str = "image/png") -> Case:
    return _case(name, proves, post(_PATH, image, kind), refused("invalid_image"), "docs/contract.md#pictures")


_GOOD: Final = (
    _case("figures", "Every reference picture is of the class that the reference gives.", None, answered(_PATH)),
    _case("png", "A PNG as it is gets a class.", _AS_PNG, answered(_PATH)),
    _case("jpeg", "A JPEG as it is gets a class.", _AS_JPEG, answered(_PATH)),
    _alike("form", "A picture in an urlencoded form is the same picture.", _form(Escaped(of=_TEXT)), _FORM),
    _alike(
        "multipart-text",
        "A picture in a multipart text field is the same picture.",
        _multipart(_part(_TEXT)),
        _MULTIPART,
    ),
    _alike(
        "multipart-file",
        "A picture in a multipart file part is the same picture.",
        _multipart(_part(_PNG, file=True)),
        _MULTIPART,
    ),
    _alike(
        "multipart-jpeg",
        "A JPEG in a multipart file part is the same picture.",
        _multipart(_part(_JPEG, file=True, kind=b"image/jpeg")),
        _MULTIPART,
        _AS_JPEG,
    ),
    _alike(
        "multipart-other-part",
        "A part of another name is ignored.",
        _multipart(_part(b"1", name=b"other"), _part(_PNG, file=True)),
        _MULTIPART,
    ),
    _alike(
        "multipart-upper-case",
        "The case of a media type changes nothing.",
        _multipart(_part(_TEXT)),
        "MULTIPART/FORM-DATA; boundary=cut-here",
    ),
    _alike(
        "multipart-quoted-boundary",
        "A quoted boundary is the same boundary.",
        _multipart(_part(_TEXT)),
        'multipart/form-data; boundary="cut-here"',
    ),
    _alike("json", "A picture in JSON is the same picture.", _json(_TEXT), JSON),
    _alike("json-jpeg", "A JPEG in JSON is the same picture.", _json(Base64(of=_JPEG)), JSON, _AS_JPEG),
    _alike(
        "form-other-field",
        "A form field of another name is ignored.",
        Join(parts=(b"other=1&image=", Escaped(of=_TEXT))),
        _FORM,
    ),
    _case(
        "one-pixel",
        "A picture of one pixel is a picture.",
        post(_PATH, DrawnPicture(format="PNG", width_px=1, height_px=1), "image/png"),
        answered(_PATH),
    ),
    _case(
        "grey",
        "A grey picture is a picture.",
        post(_PATH, DrawnPicture(format="PNG", mode="L"), "image/png"),
        answered(_PATH),
    ),
    _case(
        "palette",
        "A picture with a palette is a picture.",
        post(_PATH, DrawnPicture(format="PNG", mode="P"), "image/png"),
        answered(_PATH),
    ),
    _case(
        "alpha",
        "A picture with transparency is a picture.",
        post(_PATH, DrawnPicture(format="PNG", mode="RGBA"), "image/png"),
        answered(_PATH),
    ),
    _case(
        "oblong",
        "A picture need not be square.",
        post(_PATH, DrawnPicture(format="JPEG", width_px=90, height_px=20), "image/jpeg"),
        answered(_PATH),
    ),
)

_FORMS: Final = (
    _base64_fault(
        "junk", "A character outside the alphabet is refused and not skipped.", _json(Join(parts=(b"!", _TEXT)))
    ),
    _base64_fault(
        "line-break",
        "A line break within base64 is refused and not skipped.",
        _json(Join(parts=(Truncated(of=_TEXT, keep_bytes=40), b"\\r\\n", _TEXT))),
    ),
    _base64_fault("url-safe", "The URL-safe letters are refused.", _json(b"iVBORw0KGgo-_w==")),
    _base64_fault("unpadded", "A missing padding is refused.", _json(b"iVBORw0KGg")),
    _base64_fault("over-padded", "A padding too long is refused.", _json(b"iVBORw0KGgo===")),
    _base64_fault("after-padding", "A letter after the padding is refused.", _json(b"iVBORw0KGg==AAAA")),
    _base64_fault("data-url", "A data URL is not base64.", _json(Join(parts=(b"data:image/png;base64,", _TEXT)))),
    _base64_fault(
        "raw-plus", "A raw plus sign in a form is a space, and a space is not base64.", b"image=AAAA++++BBBB", _FORM
    ),
    _base64_fault(
        "multipart", "A multipart text field is held to the same base64.", _multipart(_part(b"!!!!")), _MULTIPART
    ),
    _case(
        "echo",
        "A refused base64 text is not repeated.",
        post(_PATH, _json(_MARKER + b"!")),
        invalid("/image", marker=_MARKER),
    ),
    _case(
        "form-missing",
        "A form without the field is an error at that field.",
        post(_PATH, b"other=1", _FORM),
        invalid("/image"),
    ),
    _case("form-empty", "An empty form is an error at the field.", post(_PATH, b"", _FORM), invalid("/image")),
    _case(
        "form-repeated",
        "A repeated form field is refused: no one can say which is meant.",
        post(_PATH, Join(parts=(b"image=", Escaped(of=_TEXT), b"&image=", Escaped(of=_TEXT))), _FORM),
        invalid("/image"),
        "RFC 7578 section 5.2",
    ),
    _case(
        "multipart-missing",
        "A multipart form without the part is an error at that field.",
        post(_PATH, _multipart(_part(b"1", name=b"other")), _MULTIPART),
        invalid("/image"),
    ),
    _case(
        "multipart-repeated",
        "A repeated part is refused: no one can say which is meant.",
        post(_PATH, _multipart(_part(_TEXT), _part(_TEXT)), _MULTIPART),
        invalid("/image"),
        "RFC 7578 section 5.2",
    ),
    _case(
        "multipart-no-boundary",
        "A multipart body without a boundary parameter is malformed.",
        post(_PATH, _multipart(_part(_TEXT)), "multipart/form-data"),
        refused("malformed_form"),
        "RFC 2046 section 5.1.1",
    ),
    _case(
        "multipart-cut",
        "A multipart body without its closing boundary is malformed.",
        post(_PATH, _part(_TEXT), _MULTIPART),
        refused("malformed_form"),
        "RFC 2046 section 5.1.1",
    ),
    _case(
        "json-missing",
        "A JSON object without the member is an error at that member.",
        post(_PATH, b"{}"),
        invalid("/image"),
    ),
    _case("json-number", "A number is not base64.", post(_PATH, b'{"image":1}'), invalid("/image")),
    _case("json-null", "A null is not base64.", post(_PATH, b'{"image":null}'), invalid("/image")),
    _case("json-array", "An array is no object, and the error points at the root.", post(_PATH, b"[]"), invalid("")),
    _case(
        "json-malformed",
        "A JSON body is held to the same grammar here.",
        post(_PATH, b'{"image":NaN}'),
        refused("malformed_json"),
        "RFC 8259 section 6",
    ),
)

_IMAGES: Final = (
    _image_fault("png-truncated", "A PNG cut short is refused.", Truncated(of=_PNG, keep_bytes=-30)),
    _image_fault(
        "jpeg-truncated",
        "A JPEG cut short is refused and not filled up with grey.",
        Truncated(of=_JPEG, keep_bytes=-60),
        "image/jpeg",
    ),
    _image_fault("png-header-only", "A PNG of its signature alone is refused.", Truncated(of=_PNG, keep_bytes=8)),
    _image_fault("empty", "An empty body is no picture.", b""),
    _image_fault("not-an-image", "A text under an image's media type is no picture.", b"not a picture"),
    _image_fault("gif-in-disguise", "A GIF under another media type is refused.", DrawnPicture(format="GIF")),
    _image_fault("gif-in-json", "A GIF in JSON is refused.", _json(Base64(of=DrawnPicture(format="GIF"))), JSON),
    _image_fault("bmp-in-json", "A BMP in JSON is refused.", _json(Base64(of=DrawnPicture(format="BMP"))), JSON),
    _image_fault(
        "bomb",
        "A header that claims many pixels is refused before any is decoded.",
        ClaimedPng(width_px=IMAGE_SIDE_PX, height_px=IMAGE_SIDE_PX),
    ),
    _image_fault(
        "bomb-largest",
        "A header that claims the most that PNG can is refused.",
        ClaimedPng(width_px=2**31 - 1, height_px=2**31 - 1),
    ),
    _image_fault(
        "side-over-limit",
        "A side of one pixel over the limit is refused.",
        DrawnPicture(format="PNG", mode="L", width_px=IMAGE_SIDE_PX + 1, height_px=1),
    ),
    _case(
        "side-at-limit",
        "A side at the limit is accepted.",
        post(_PATH, DrawnPicture(format="PNG", mode="L", width_px=IMAGE_SIDE_PX, height_px=1), "image/png"),
        answered(_PATH),
    ),
    _image_fault("no-sides", "A header that claims no pixels is refused.", ClaimedPng(width_px=0, height_px=0)),
    _image_fault(
        "file-truncated",
        "A truncated file part is refused.",
        _multipart(_part(Truncated(of=_PNG, keep_bytes=-30), file=True)),
        _MULTIPART,
    ),
)

_MEDIA: Final = tuple(
    _case(f"media-{name}", proves, post(_PATH, body, kind), unsupported(_PATH), "RFC 9110 section 15.5.16")
    for name, proves, body, kind in (
        (
            "gif",
            "A GIF's media type is refused with the list of what would do.",
            DrawnPicture(format="GIF"),
            "image/gif",
        ),
        ("text", "A form under text/plain is refused.", _form(Escaped(of=_TEXT)), "text/plain"),
        ("none", "A body without a media type is refused.", _form(Escaped(of=_TEXT)), None),
        (
            "mixed",
            "A multipart of another subtype is refused.",
            _multipart(_part(_TEXT)),
            "multipart/mixed; boundary=cut-here",
        ),
        ("any-image", "A range is no media type.", _PNG, "image/*"),
    )
)

CASES: Final = (*_GOOD, *_FORMS, *_IMAGES, *_MEDIA)
