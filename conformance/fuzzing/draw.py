"""One request from one random source: most are near a good one, so that they get far, and few are noise.

`at(seed, index)` is the request with that number of a run, so that any one of a million can be asked again alone.
"""

from __future__ import annotations

from random import Random
from typing import Final

from conformance.contract import BODY_LIMIT_BYTES, GET_PATHS, POST_PATHS
from conformance.expect import PROTOBUF
from conformance.fuzzing.form_bodies import base64_text, json_image, message, multipart, urlencoded
from conformance.fuzzing.image_bytes import picture
from conformance.fuzzing.json_texts import features_text
from conformance.fuzzing.mutate import chance, shuffled_items
from conformance.http_request import Framing, HttpRequest
from conformance.recipes import Join, Recipe, Repeat

_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_FEATURES: Final = {"/predict": ("feature",), "/advanced_predict": ("feature1", "feature2")}
_METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "QUERY",
    "PROPFIND",
    "BREW",
    "post",
    "Get",
    "M-SEARCH",
    "P0ST",
)
_TYPES: Final = (
    None,
    "",
    _JSON,
    _FORM,
    PROTOBUF,
    "image/png",
    "image/jpeg",
    "image/gif",
    "multipart/form-data",
    "multipart/mixed; boundary=b",
    "text/plain",
    "text/json",
    "application/json-rpc",
    "application/vnd.x+json",
    "*/*",
    "application/octet-stream",
    "json",
    "/",
    "application/json, text/plain",
    "application",
    "application/json/x",
)
_PARAMETERS: Final = (
    "; charset=utf-8",
    ";charset=UTF-8",
    " ; charset=utf-8",
    '; charset="utf-8"',
    "; charset=latin-1",
    "; charset=",
    "; charset",
    ";",
    ";;",
    "; a=b",
    '; a="b;c"',
    '; a="b',
    "; =b",
    "; charset=utf-8; charset=latin-1",
    "\t;\tcharset=utf-8",
    "; é=1",
    "; boundary=b",
    '; a="\\""',
)
_HEADERS: Final = (
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "identity"),
    ("Content-Encoding", "IDENTITY "),
    ("Content-Encoding", ""),
    ("Content-Encoding", "br, gzip"),
    ("Accept", "text/html"),
    ("Accept", "application/x-protobuf"),
    ("Accept-Encoding", "gzip"),
    ("Range", "bytes=0-3"),
    ("If-None-Match", "*"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Forwarded-Host", "a\u00e9"),
    ("X-Forwarded-For", "1.2.3.4, é"),
    ("X-Forwarded-Proto", "https"),
    ("Cookie", 'a="b; c=\xff'),
    ("Authorization", "Basic x"),
    ("Origin", "null"),
    ("X-Long", "x" * 4000),
    ("User-Agent", ""),
    ("Forwarded", "for=_x"),
    ("X-Script-Name", "/predict"),
    ("Content-Language", "xx"),
    ("Pragma", "no-cache"),
    ("X-Titrate", "\xff\xfe"),
)
_ENDS: Final = (
    "/",
    "//",
    "%2F",
    "%00",
    "%0A",
    "%FF",
    "%C0%AF",
    ";v=1",
    "%20",
    ".json",
    "/..",
    "/.",
    "%3F",
    "\xe9",
    "s",
    "/24.5",
    "%252F",
)
_QUERIES: Final = (
    "?",
    "?feature=1",
    "?a=%zz",
    "?image=AAAA",
    "?a=b&a=c",
    "?\xe9",
    "??",
    "?%00",
    "?/../",
    "?a=" + "x" * 500,
)


def at(seed: int, index: int) -> HttpRequest:
    """Request number `index` of the run with this seed."""
    return drawn(Random(seed << 40 | index))  # noqa: S311 - test data, to be drawn again


def drawn(random: Random) -> HttpRequest:
    """One request."""
    path = random.choice(POST_PATHS) if chance(random, 0.93) else random.choice(GET_PATHS)
    method = "GET" if path in GET_PATHS else "POST"
    body, content_type = b"", None
    if method == "POST":
        body, content_type = _body(random, path if chance(random, 0.96) else random.choice(POST_PATHS))
    if chance(random, 0.06):
        method = random.choice(_METHODS)
    if chance(random, 0.06):
        content_type = random.choice(_TYPES)
    if chance(random, 0.06) and content_type is not None:
        content_type = content_type.upper() if chance(random, 0.3) else content_type + random.choice(_PARAMETERS)
    headers: list[tuple[str, str]] = []
    while chance(random, 0.12):
        name, value = random.choice(_HEADERS)
        if all(taken != name for taken, _ in headers):
            headers.append((name, value))
    target = _target(random, path)
    return _framed(random, body, method=method, target=target, content_type=content_type, headers=tuple(headers))


def _body(random: Random, path: str) -> tuple[bytes, str]:
    if path in _FEATURES:
        names = _FEATURES[path]
        if chance(random, 0.3):
            return message(random, len(names) if chance(random, 0.95) else 3 - len(names)), PROTOBUF
        return features_text(random, names), _JSON
    image, kind = picture(random)
    match random.randint(0, 3):
        case 0:
            return image, kind
        case 1:
            return json_image(random, base64_text(random, image)), _JSON
        case 2:
            return urlencoded(random, base64_text(random, image)), _FORM
        case _:
            body, boundary = multipart(random, image, base64_text(random, image))
            quoted = f'"{boundary}"' if chance(random, 0.3) or not boundary.isalnum() else boundary
            return body, f"multipart/form-data; boundary={quoted if chance(random, 0.97) else 'other'}"


def _target(random: Random, path: str) -> str:
    if chance(random, 0.93):
        return path if chance(random, 0.97) else path + random.choice(_QUERIES)
    match random.randint(0, 4):
        case 0:
            return path + random.choice(_ENDS)
        case 1:
            return random.choice(("/", "//", "/%2F", "/.", "/x/..", "/%2e%2e", "/\xff", "/%")) + path
        case 2:
            letters = shuffled_items(random, list(path[1:]))
            return "/" + "".join(letters)
        case 3:
            at_letter = random.randint(1, len(path) - 1)
            return f"{path[:at_letter]}%{ord(path[at_letter]):02{random.choice('xX')}}{path[at_letter + 1 :]}"
        case _:
            return random.choice(("/", "/x", "/predict/x", path.upper(), path + path, "/favicon.ico", "/a?b"))


def _framed(
    random: Random,
    body: bytes,
    *,
    method: str,
    target: str,
    content_type: str | None,
    headers: tuple[tuple[str, str], ...],
) -> HttpRequest:
    part: Recipe = body
    framing = Framing.LENGTH if body or method != "GET" else Framing.NONE
    declared: int | None = None
    if chance(random, 0.05):
        framing = Framing.CHUNKED
    elif framing is Framing.LENGTH and chance(random, 0.015):
        declared = len(body) + random.choice((1, 2, 40, 100_000))
    elif chance(random, 0.0003):
        part = Join(parts=(body, Repeat(unit=b" ", times=BODY_LIMIT_BYTES + random.choice((0, 1)) - len(body))))
    return HttpRequest(
        method=method,
        target=target,
        content_type=content_type,
        headers=headers,
        body=part,
        framing=framing,
        declared_length=declared,
        half_close=declared is not None,
    )
