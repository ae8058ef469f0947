"""One request from one random source: most are near a good one, so that they get far, and few are noise.

`at(seed, index)` is the request with that number of a run, so that any one of a million can be asked again alone.
"""

from __future__ import annotations

from dataclasses import replace
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
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-Forwarded-Host", "a\u00e9"),
    ("X-Forwarded-For", "1.2.3.4, é"),
    ("Cookie", 'a="b; c=\xff'),
    ("X-Long", "x" * 4000),
    ("X-Titrate", "\xff\xfe"),
)
_REGISTERED: Final = """
A-IM Accept Accept-Additions Accept-CH Accept-Charset Accept-Datetime Accept-Encoding Accept-Features Accept-Language
Accept-Patch Accept-Post Accept-Ranges Accept-Signature Access-Control-Allow-Credentials Access-Control-Allow-Headers
Access-Control-Allow-Methods Access-Control-Allow-Origin Access-Control-Expose-Headers Access-Control-Max-Age Access-
Control-Request-Headers Access-Control-Request-Method Age Allow ALPN Alt-Svc Alt-Used Alternates AMP-Cache-Transform
Apply-To-Redirect-Ref Authentication-Control Authentication-Info Authorization Available-Dictionary C-Ext C-Man C-Opt
C-PEP C-PEP-Info Cache-Control Cache-Status Cal-Managed-ID CalDAV-Timezones Capsule-Protocol CDN-Cache-Control CDN-
Loop Cert-Not-After Cert-Not-Before Clear-Site-Data Client-Cert Client-Cert-Chain Close Connection Content-Base
Content-Digest Content-Disposition Content-ID Content-Language Content-Location Content-MD5 Content-Range Content-
Script-Type Content-Security-Policy Content-Style-Type Content-Version Content_Language Cookie Cookie2 Cross-Origin-
Embedder-Policy Cross-Origin-Opener-Policy Cross-Origin-Resource-Policy DASL Date DAV Default-Style Delta-Base
Deprecation Depth Derived-From Destination Differential-ID Digest DPoP DPoP-Nonce Early-Data EDIINT-Features ETag
Expect Expect-CT Expires Ext Forwarded From Front-End-Https GetProfile Hobareg Host HTTP2-Settings If If-Match If-
Modified-Since If-None-Match If-Range If-Schedule-Tag-Match If-Unmodified-Since IM Include-Referred-Token-Binding-ID
Isolation Keep-Alive Label Last-Event-ID Last-Modified Link Link-Template Location Lock-Token Man Max-Forwards
Memento-Datetime Meter Method-Check Method-Check-Expires MIME-Version Negotiate NEL OData-EntityId OData-Isolation
OData-MaxVersion OData-Version Opt Optional-WWW-Authenticate Ordering-Type Origin Origin-Agent-Cluster OSCORE OSLC-
Core-Version Overwrite P3P PATH_INFO PEP PEP-Info PICS-Label Ping-From Ping-To Position Pragma Prefer Preference-
Applied Priority ProfileObject Protocol Protocol-Info Protocol-Query Protocol-Request Proxy Proxy-Authenticate Proxy-
Authentication-Info Proxy-Authorization Proxy-Connection Proxy-Features Proxy-Instruction Proxy-Status Public Public-
Key-Pins Range Redirect-Ref Referer Referrer-Policy REMOTE_USER Replay-Nonce Repr-Digest REQUEST_METHOD Retry-After
Safe Schedule-Reply Schedule-Tag SCRIPT_NAME Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site Sec-Fetch-User Sec-GPC Sec-
Purpose Sec-Token-Binding Sec-WebSocket-Accept Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol Sec-
WebSocket-Version Security-Scheme Server Server-Timing SERVER_NAME Set-Cookie Set-Txn Signature Signature-Input SLUG
SoapAction Status-URI Strict-Transport-Security Sunset Surrogate-Capability Surrogate-Control TCN TE Timeout Timing-
Allow-Origin Topic Traceparent Tracestate Trailer TTL Upgrade Urgency URI Use-As-Dictionary User-Agent Variant-Vary
Vary Via Want-Content-Digest Want-Digest Want-Repr-Digest Warning wsgi.url_scheme WWW-Authenticate X-Accel-Internal
X-Content-Type-Options X-Forwarded-For X-Forwarded-Host X-Forwarded-Path X-Forwarded-Port X-Forwarded-Prefix
X-Forwarded-Proto X-Forwarded-Protocol X-Forwarded-Ssl X-Frame-Options X-HTTP-Method X-HTTP-Method-Override X-Method-
Override X-Original-URL X-Real-IP X-Request-ID X-Requested-With X-Rewrite-URL X-Script-Name X-Sendfile
"""
"""Every registered field (IANA, HTTP Field Name Registry) but those that frame or type a body, and what proxies add."""

_NAMES: Final = tuple(_REGISTERED.split())

_VALUES: Final = (
    *("", "*", "0", "1", "-1", "?1", ", ,", "null", "close", "keep-alive", "Upgrade", "TE, close", "websocket", "h2c"),
    *("100-continue", "200-ok", "trailers", "bytes=0-0", "bytes=9-", "bytes 0-1/2", "no-cache", "max-age=0", "gzip"),
    *('"x"', 'W/"x"', "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "text/html", "utf-16", "de"),
    *("DELETE", "GET", "/predict", "/pre", "/x/..", "http://a/b", "https", "on", "127.0.0.1", "for=_x;proto=https"),
    *("a=b; c=d", "Basic Og==", "Bearer x", 'Digest username="a"', "return=minimal", "\xff\xfe", "x" * 4000, "\t"),
)
_OFFERS: Final = (
    (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ),
    (("Connection", "upgrade"), ("Upgrade", "WebSocket")),
    (("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")),
    (("Connection", "Upgrade"), ("Upgrade", "TLS/1.0, HTTP/1.1")),
    (("Range", "bytes=0-3"), ("If-Range", '"x"')),
    (("If-None-Match", "*"), ("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT")),
    (("Origin", "http://a"), ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x")),
    (("TE", "trailers, deflate"), ("Connection", "TE"), ("Trailer", "Content-Type")),
)
_CODINGS: Final = ("identity", "gzip", "gzip, chunked", "chunked, chunked", "chunked;a=b", "xchunked", "CHUNKED", "")
"""Transfer codings beside a length: what is to be made of them, servers may decide."""

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
    target, headers = _target(random, path), _headers(random)
    request = _framed(random, body, method=method, target=target, content_type=content_type, headers=headers)
    if request.framing is Framing.LENGTH and chance(random, 0.01):
        # Who waits for chunks that do not come hears that no more will.
        coding = ("Transfer-Encoding", random.choice(_CODINGS))
        return replace(request, headers=(*headers, coding), half_close=True)
    return request


def _headers(random: Random) -> tuple[tuple[str, str], ...]:
    """Some headers, none of them twice."""
    drawn: list[tuple[str, str]] = []
    while chance(random, 0.3):
        match random.randint(0, 3):
            case 0:
                drawn.append(random.choice(_HEADERS))
            case 1:
                drawn += random.choice(_OFFERS)
            case _:
                drawn.append((random.choice(_NAMES), random.choice(_VALUES)))
    names = [name.lower() for name, _ in drawn]
    return tuple(one for at, one in enumerate(drawn) if one[0].lower() not in names[:at])


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
