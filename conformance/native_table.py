"""What the native table is about: things that the frameworks do by themselves, and the cases that show each.

F is a framework's doing, S a development server's, and A is what all get wrong alike. One file, because it is one
table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from conformance.case import Case
from conformance.observation import Behaviour

ELSEWHERE: Final = "the article's code has nothing of the kind: "
"""How a reason begins where no case can show a divergence."""

LOST_KEY: Final = "A predictable mistake of the client looks like a crash of the server."


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One root cause. `cases` show it; `untold` says why none can, where there is none.

    `consequences` says what it means for a user, by what was observed, so that a sentence is never printed beside an
    observation that it was not written for; behaviours that are left out have the sentence of `consequence`.
    """

    id: str
    what: str
    cases: tuple[str, ...] = ()
    consequences: Mapping[Behaviour, str] = field(default_factory=dict)
    untold: str | None = None


_ERRORS: Final = {
    Behaviour.RIGHT: "None.",
    Behaviour.FORM: "Only bytes differ.",
    Behaviour.ERROR_BODY: "A client that reads errors as JSON with a code cannot read this one.",
    Behaviour.OTHER_ERROR: "The client is told of another fault than the one that it made.",
    Behaviour.REFUSED: "A good request is turned down.",
    Behaviour.DROPPED: "The client gets no answer and cannot tell why.",
    Behaviour.SERVER_ERROR: "A client's mistake counts as the server's: it is retried, and it wakes people up.",
    Behaviour.HANGS: "The client waits until it gives up.",
    Behaviour.STUCK: "One bad request takes the endpoint down: a lock stays held, and good requests wait for ever.",
    Behaviour.ACCEPTED: "A request that means nothing, or two things, is answered as if it were good.",
    Behaviour.WRONG_ANSWER: "The client gets an answer that looks right and is not.",
}


def consequence(case: Case, behaviour: Behaviour, divergence: Divergence | None = None) -> str:
    """What `behaviour` of `case` means for a user, in one sentence."""
    if divergence is not None and behaviour in divergence.consequences:
        return divergence.consequences[behaviour]
    if behaviour is Behaviour.SERVER_ERROR and case.expects.status < 400:
        return "A good request fails."
    return _ERRORS[behaviour]


def faults(divergences: Iterable[Divergence], cases: Iterable[Case]) -> list[str]:
    """One line for each breach: an id or a case twice, a case that does not exist, an entry that says nothing."""
    known = {case.id for case in cases}
    found, ids, used = [], set(), set()
    for one in divergences:
        if one.id in ids:
            found.append(f"{one.id}: the id is taken twice")
        ids.add(one.id)
        if bool(one.cases) == bool(one.untold):
            found.append(f"{one.id}: it needs cases, or a reason why there are none")
        for name in one.cases:
            if name not in known:
                found.append(f"{one.id}: no such case: {name}")
            if name in used:
                found.append(f"{one.id}: {name} is a row already")
            used.add(name)
    return found


# Divergences in what is a route, a method and a media type.
_ROUTES: Final = (
    Divergence(
        id="F01",
        what="OPTIONS of a route",
        cases=("routing-options-predict",),
        consequences={
            Behaviour.OTHER_ERROR: "Browsers ask by OPTIONS before they post JSON across origins, and are told no.",
            Behaviour.REFUSED: "Browsers ask by OPTIONS before they post JSON across origins, and are told no.",
            Behaviour.FORM: "OPTIONS has an answer, with an order of Allow that another run may change.",
        },
    ),
    Divergence(
        id="F02",
        what="The Allow of a wrong method",
        cases=("routing-get-predict", "routing-delete-predict", "routing-head-predict"),
    ),
    Divergence(
        id="F03",
        what="The page of an error",
        cases=("routing-unknown", "head-host-echo"),
        consequences={
            Behaviour.ERROR_BODY: (
                "The error has no code to act on, and one that repeats the address is as long as that."
            ),
        },
    ),
    Divergence(id="F04", what="A slash at the end of a path", cases=("routing-trailing-slash",)),
    Divergence(id="F05", what="A doubled slash within a path", untold=f"{ELSEWHERE}no route has two segments"),
    Divergence(
        id="F06",
        what="A doubled slash before a path",
        cases=("routing-double-slash", "routing-encoded-slash"),
        consequences={Behaviour.ACCEPTED: "A rule of a proxy that names the path can be walked around."},
    ),
    Divergence(id="F07", what="A target without its slash", cases=("head-no-slash",)),
    Divergence(
        id="F08",
        what="Bytes in a path that are no UTF-8",
        cases=("routing-invalid-utf-8", "routing-overlong-utf-8"),
        consequences={
            Behaviour.ACCEPTED: "The bytes are dropped, so a rule of a proxy that names the path can be walked around.",
        },
    ),
    Divergence(
        id="F09",
        what="A line feed at the end of a path",
        cases=("routing-line-feed",),
        consequences={Behaviour.ACCEPTED: "The path matches with a line feed in it, which forges lines in logs."},
    ),
    Divergence(id="F10", what="Signs in numeric routes", untold=f"{ELSEWHERE}no route takes a number"),
    Divergence(id="F11", what="Endless numbers in numeric routes", untold=f"{ELSEWHERE}no route takes a number"),
)

_MEDIA: Final = (
    Divergence(
        id="F12",
        what="JSON under another media type, or none",
        cases=("media-none", "media-text-plain", "media-text-json", "media-range", "media-form"),
        consequences={Behaviour.SERVER_ERROR: "A forgotten Content-Type, the commonest mistake, looks like a crash."},
    ),
    Divergence(id="F13", what="A media type that ends in +json", cases=("media-json-suffix",)),
    Divergence(
        id="F14",
        what="A media type that begins like JSON's",
        cases=("media-json-prefix",),
        consequences={Behaviour.ACCEPTED: "Another protocol's messages are taken for plain JSON."},
    ),
    Divergence(id="F15", what="A space before the semicolon", cases=("media-space-before-semicolon",)),
    Divergence(
        id="A07",
        what="A charset that JSON does not have",
        cases=("media-charset-latin-1", "media-charset-utf-16", "media-charset-unknown"),
        consequences={Behaviour.ACCEPTED: "What the client says of its own bytes is ignored."},
    ),
    Divergence(id="A08", what="A compressed body", cases=("media-gzip",)),
)

_ROUTES_AND_MEDIA: Final = (*_ROUTES, *_MEDIA)


# Divergences in how a JSON body is read.
_JSON_BODIES: Final = (
    Divergence(id="F16", what="No body", cases=("json-empty", "json-blank")),
    Divergence(id="F17", what="A byte order mark", cases=("json-byte-order-mark",)),
    Divergence(id="F18", what="UTF-16 and UTF-32", cases=("json-utf-16", "json-utf-16-unmarked", "json-utf-32")),
    Divergence(id="F19", what="An encoded surrogate", cases=("json-encoded-surrogate",)),
    Divergence(
        id="F20",
        what="A JSON body over 102 400 bytes",
        cases=("length-long-body",),
        consequences={
            Behaviour.SERVER_ERROR: "Every batch or picture over 100 kB fails, in a test with small bodies never.",
            Behaviour.REFUSED: "Every batch or picture over 100 kB fails, in a test with small bodies never.",
        },
    ),
    Divergence(id="F21", what="Deep nesting", cases=("json-over-depth", "json-far-over-depth", "json-open-brackets")),
    Divergence(
        id="F22",
        what="ujson beside Bottle",
        untold="it takes another package in the environment, which changes Bottle's codec",
    ),
    Divergence(
        id="F23",
        what="A body without a limit",
        cases=("body-over-limit", "body-chunked-over-limit"),
        consequences={Behaviour.ACCEPTED: "Nothing bounds a body: a few clients fill the memory."},
    ),
    Divergence(
        id="A02",
        what="What JSON and float32 cannot hold",
        cases=(
            "json-nan",
            "json-infinity",
            "predict-over-float64",
            "predict-over-float32",
            "predict-largest-float32",
            "advanced-over-float32",
        ),
        consequences={
            Behaviour.ACCEPTED: (
                "The answer is no number, and often no JSON: the client's parser fails, not the request."
            ),
        },
    ),
    Divergence(
        id="A03",
        what="A repeated member",
        cases=("json-duplicate",),
        consequences={
            Behaviour.ACCEPTED: "Whoever checked the first of two members has checked nothing: the last one counts."
        },
    ),
    Divergence(
        id="A04",
        what="What is no number",
        cases=("predict-null", "predict-true", "predict-string", "predict-array", "predict-object"),
        consequences={
            Behaviour.ACCEPTED: "A value that is no number is turned into one, and the prediction is of that."
        },
    ),
    Divergence(
        id="A05",
        what="What is no object, or lacks its member",
        cases=(
            "predict-missing",
            "predict-root-array",
            "predict-root-null",
            "predict-huge-integer",
            "predict-endless-integer",
        ),
        consequences={Behaviour.SERVER_ERROR: LOST_KEY},
    ),
    Divergence(
        id="A06",
        what="The text of an error",
        cases=("advanced-echo", "advanced-missing-first"),
        consequences={
            Behaviour.ERROR_BODY: "The error tells the whole schema, and repeats what was sent: a way to plant text."
        },
    ),
    Divergence(id="A09", what="A lone surrogate", cases=("json-lone-surrogate",)),
)


# Divergences in how a form with a picture is read.
_IMAGE_FORMS: Final = (
    Divergence(
        id="F24",
        what="A form without the field",
        cases=("classify-form-missing",),
        consequences={Behaviour.SERVER_ERROR: LOST_KEY},
    ),
    Divergence(
        id="F25",
        what="A form under another media type, or none",
        cases=("form-as-octets", "classify-media-text", "classify-media-none", "form-as-json"),
        consequences={
            Behaviour.ACCEPTED: (
                "A page of another origin can post such a form without asking first (no CORS preflight)."
            ),
        },
    ),
    Divergence(
        id="F26",
        what="An urlencoded form over 102 400 bytes",
        cases=("form-long-field", "form-long-picture"),
        consequences={Behaviour.SERVER_ERROR: "Pictures over 75 kB fail, in a test with small pictures never."},
    ),
    Divergence(
        id="F27",
        what="A multipart text field over 102 400 bytes",
        cases=("form-multipart-long-text",),
        consequences={Behaviour.SERVER_ERROR: "Pictures over 75 kB fail: the field has silently become a file."},
    ),
    Divergence(id="F28", what="A multipart text field over 500 000 bytes", cases=("form-multipart-longer-field",)),
    Divergence(id="F29", what="Two fields of 60 kB", cases=("form-two-long-fields", "form-multipart-two-long-fields")),
    Divergence(
        id="F30",
        what="Many parts",
        cases=("form-multipart-thousand-parts", "form-too-many-fields"),
        consequences={
            Behaviour.ACCEPTED: "Nothing bounds the number of parts, each of which costs more than its bytes."
        },
    ),
    Divergence(
        id="F31",
        what="A repeated field",
        cases=("form-repeated-unlike", "form-multipart-repeated-unlike"),
        consequences={
            Behaviour.ACCEPTED: "The first of two fields wins, so a check of the last one can be walked around.",
            Behaviour.SERVER_ERROR: "The last of two fields wins, so a check of the first one can be walked around.",
        },
    ),
    Divergence(id="F32", what="A field in the query string", cases=("form-query-beside", "form-query-instead")),
    Divergence(id="F33", what="A part with an empty file name", cases=("form-multipart-empty-filename",)),
    Divergence(id="F34", what="Bare line feeds in multipart", cases=("form-multipart-line-feeds",)),
    Divergence(id="F35", what="A charset of a part", cases=("form-multipart-part-charset",)),
    Divergence(id="F36", what="A charset of the whole form", cases=("form-multipart-charset",)),
    Divergence(id="F37", what="A semicolon after the boundary", cases=("form-multipart-trailing-semicolon",)),
    Divergence(id="F38", what="A media type in capitals", cases=("classify-multipart-upper-case",)),
    Divergence(id="F39", what="multipart/mixed", cases=("classify-media-mixed",)),
    Divergence(id="F40", what="A boundary line with a space at its end", cases=("form-multipart-padded-boundary",)),
    Divergence(id="F41", what="A Content-Length of a part", cases=("form-multipart-part-length",)),
    Divergence(
        id="F42",
        what="Bytes in a form that are no UTF-8",
        cases=("form-raw-bytes", "form-escaped-bytes", "form-escaped-bytes-inside"),
        consequences={Behaviour.ACCEPTED: "Bytes that are no base64 are skipped, and another picture is classified."},
    ),
    Divergence(id="F43", what="A letter outside ASCII in a form", cases=("form-non-ascii",)),
    Divergence(
        id="F67",
        what="A picture in a part without a file name",
        cases=("client-curl-typed", "client-dotnet-bytes", "client-okhttp"),
    ),
    Divergence(id="F68", what="A file name outside ASCII", cases=("client-filename-star", "client-latin-1")),
    Divergence(id="F69", what="A transfer encoding of a part", cases=("client-httpclient", "client-mail")),
    Divergence(
        id="A12",
        what="A picture of more than 8 bits, or of ink",
        cases=("picture-form-grey-16", "picture-form-ink"),
        consequences={Behaviour.WRONG_ANSWER: "A whole picture is taken for another one, and nobody is told."},
    ),
    Divergence(id="A13", what="A long text beside the pixels", cases=("picture-form-large-text",)),
    Divergence(id="F44", what="The body after the form was read", untold=f"{ELSEWHERE}it reads a body once"),
    Divergence(
        id="A01",
        what="What is no base64",
        cases=("classify-base64-raw-plus", "classify-base64-multipart", "form-empty-value"),
    ),
    Divergence(
        id="A10",
        what="What is no picture to be decoded",
        cases=("form-gif", "form-bomb", "form-cut-picture"),
        consequences={
            Behaviour.ACCEPTED: "Every format that Pillow reads is let in, each with a decoder to attack.",
            Behaviour.SERVER_ERROR: "A broken picture looks like a crash, after all the work that it claims to need.",
        },
    ),
)


# Divergences in framing, answers and headers, and those of development servers.
_FRAMING: Final = (
    Divergence(
        id="F45",
        what="A chunked request",
        cases=("body-chunked",),
        consequences={
            Behaviour.SERVER_ERROR: "Every client that streams its body fails: chunks are taken apart twice."
        },
    ),
    Divergence(
        id="F46",
        what="A body that ends too early",
        cases=("body-cut", "body-cut-chunks", "form-cut"),
        consequences={Behaviour.ACCEPTED: "A request that broke off is answered as if it had come whole."},
    ),
    Divergence(
        id="F47",
        what="A Content-Length that is no length",
        cases=(
            "length-letters",
            "length-negative",
            "length-signed",
            "length-underscore",
            "length-list",
            "length-repeated",
        ),
        consequences={
            Behaviour.ACCEPTED: "A proxy in front may read another length, and so another next request (smuggling)."
        },
    ),
    Divergence(
        id="F48",
        what="A body of 24 MiB",
        cases=("length-far-over-limit",),
        consequences={Behaviour.SERVER_ERROR: "The whole body is read and parsed before it fails."},
    ),
    Divergence(
        id="F49",
        what="A Content-Length beyond all measure",
        cases=("length-astronomic", "body-endless"),
        consequences={Behaviour.HANGS: "A thread waits for a body that never comes, as long as the client likes."},
    ),
    Divergence(id="A11", what="A Content-Length beside chunks", cases=("length-beside-chunks",)),
)

_ANSWERS: Final = (
    Divergence(
        id="F50",
        what="The bytes of a good answer",
        cases=("predict-number", "advanced-matrix"),
        consequences={
            Behaviour.FORM: "The same value has other bytes in each framework, with digits that mean nothing."
        },
    ),
    Divergence(
        id="F51",
        what="The reason phrase",
        untold="no client may act on it (RFC 9112 section 4), so no case looks at it",
    ),
    *(
        Divergence(id=name, what=what, untold=f"{ELSEWHERE}its views return dictionaries of numbers")
        for name, what in (
            ("F52", "Views that return lists"),
            ("F53", "Views that return None or False"),
            ("F54", "Views that return a body with a status"),
            ("F55", "Dates, decimals and dataclasses in answers"),
            ("F56", "Keys of mixed types in answers"),
        )
    ),
    Divergence(id="F57", what="Headers of an answer without content", untold=f"{ELSEWHERE}it never answers 204"),
    Divergence(id="F58", what="abort()", untold=f"{ELSEWHERE}it never aborts"),
    Divergence(id="F59", what="Error handlers that return dictionaries", untold=f"{ELSEWHERE}it has no error handler"),
    Divergence(
        id="F60",
        what="MemoryError in a view",
        untold="no request brings it about on purpose without harm to the machine",
    ),
    Divergence(id="F61", what="Hooks on errors", untold=f"{ELSEWHERE}it has no hooks"),
    Divergence(id="F63", what="Headers outside ASCII in answers", untold=f"{ELSEWHERE}it sets no header"),
)

_HEADERS: Final = (
    Divergence(id="F62", what="A byte outside ASCII in a header", cases=("head-latin-1-value",)),
    Divergence(
        id="F64",
        what="X-Forwarded-Host from anybody",
        cases=("head-forwarded-echo",),
        consequences={
            Behaviour.ERROR_BODY: "An error that repeats the header is a page that anybody can plant text in."
        },
    ),
    Divergence(id="F65", what="A Host that is no host", cases=("head-empty-host", "head-odd-host")),
    Divergence(
        id="F66",
        what="An offer to go on in another protocol",
        cases=("head-ignored-websocket", "head-ignored-h2c"),
    ),
)

_DEVELOPMENT: Final = (
    Divergence(id="S01", what="The version of HTTP", untold="it decides about the connection, not about an answer"),
    Divergence(id="S02", what="Expect: 100-continue", cases=("body-expect-continue",)),
    Divergence(id="S03", what="Other forms of a target", cases=("head-absolute-form", "head-fragment")),
    Divergence(id="S04", what="Chunk extensions and trailers", cases=("length-chunk-extension", "length-trailer")),
    Divergence(id="S05", what="Chunks that are none", cases=("length-chunk-size-letters", "length-chunk-cut")),
    Divergence(id="S06", what="A transfer coding that nobody knows", cases=("length-other-coding",)),
    Divergence(id="S07", what="A repeated Content-Type", cases=("head-two-content-types",)),
    Divergence(id="S08", what="An underscore in a header's name", cases=("head-underscore",)),
    Divergence(id="S09", what="A folded header", cases=("head-folded",)),
    Divergence(id="S10", what="SystemExit in a view", untold=f"{ELSEWHERE}it never exits"),
)

_WIRE_AND_ANSWERS: Final = (*_FRAMING, *_ANSWERS, *_HEADERS, *_DEVELOPMENT)

DIVERGENCES: Final = (
    *_ROUTES_AND_MEDIA,
    *_JSON_BODIES,
    *_IMAGE_FORMS,
    *_WIRE_AND_ANSWERS,
)
"""Every row's root cause, in the order of the table."""
