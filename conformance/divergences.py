"""What Flask and Bottle do by themselves where nothing stands between them and the client.

F is a framework's doing, S a development server's, and A is what both get wrong alike.
"""

from __future__ import annotations

from typing import Final

from conformance.divergence import Divergence
from conformance.outcome import Outcome

_ELSEWHERE: Final = "the article's code has nothing of the kind: "
_LOST_KEY: Final = "A predictable mistake of the client looks like a crash of the server."

_ROUTES: Final = (
    Divergence(
        id="F01",
        what="OPTIONS of a route",
        cases=("routing-options-predict",),
        consequences={
            Outcome.OTHER_ERROR: "Browsers ask by OPTIONS before they post JSON across origins, and are told no.",
            Outcome.REFUSED: "Browsers ask by OPTIONS before they post JSON across origins, and are told no.",
            Outcome.FORM: "OPTIONS has an answer, with an order of Allow that another run may change.",
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
            Outcome.ERROR_BODY: "The error is a page for people, and one that repeats the address is as long as that.",
        },
    ),
    Divergence(id="F04", what="A slash at the end of a path", cases=("routing-trailing-slash",)),
    Divergence(id="F05", what="A doubled slash within a path", untold=f"{_ELSEWHERE}no route has two segments"),
    Divergence(
        id="F06",
        what="A doubled slash before a path",
        cases=("routing-double-slash", "routing-encoded-slash"),
        consequences={Outcome.ACCEPTED: "A rule of a proxy that names the path can be walked around."},
    ),
    Divergence(id="F07", what="A target without its slash", cases=("head-no-slash",)),
    Divergence(
        id="F08",
        what="Bytes in a path that are no UTF-8",
        cases=("routing-invalid-utf-8", "routing-overlong-utf-8"),
        consequences={
            Outcome.ACCEPTED: "The bytes are dropped, so a rule of a proxy that names the path can be walked around.",
        },
    ),
    Divergence(
        id="F09",
        what="A line feed at the end of a path",
        cases=("routing-line-feed",),
        consequences={Outcome.ACCEPTED: "The path matches with a line feed in it, which forges lines in logs."},
    ),
    Divergence(id="F10", what="Signs in numeric routes", untold=f"{_ELSEWHERE}no route takes a number"),
    Divergence(id="F11", what="Endless numbers in numeric routes", untold=f"{_ELSEWHERE}no route takes a number"),
)

_MEDIA: Final = (
    Divergence(
        id="F12",
        what="JSON under another media type, or none",
        cases=("media-none", "media-text-plain", "media-text-json", "media-range", "media-form"),
        consequences={Outcome.SERVER_ERROR: "A forgotten Content-Type, the commonest mistake, looks like a crash."},
    ),
    Divergence(id="F13", what="A media type that ends in +json", cases=("media-json-suffix",)),
    Divergence(
        id="F14",
        what="A media type that begins like JSON's",
        cases=("media-json-prefix",),
        consequences={Outcome.ACCEPTED: "Another protocol's messages are taken for plain JSON."},
    ),
    Divergence(id="F15", what="A space before the semicolon", cases=("media-space-before-semicolon",)),
    Divergence(
        id="A07",
        what="A charset that JSON does not have",
        cases=("media-charset-latin-1", "media-charset-utf-16", "media-charset-unknown"),
        consequences={Outcome.ACCEPTED: "What the client says of its own bytes is ignored."},
    ),
    Divergence(id="A08", what="A compressed body", cases=("media-gzip",)),
)

_JSON: Final = (
    Divergence(id="F16", what="No body", cases=("json-empty", "json-blank")),
    Divergence(id="F17", what="A byte order mark", cases=("json-byte-order-mark",)),
    Divergence(id="F18", what="UTF-16 and UTF-32", cases=("json-utf-16", "json-utf-16-unmarked", "json-utf-32")),
    Divergence(id="F19", what="An encoded surrogate", cases=("json-encoded-surrogate",)),
    Divergence(
        id="F20",
        what="A JSON body over 102 400 bytes",
        cases=("length-long-body",),
        consequences={
            Outcome.SERVER_ERROR: "Every batch or picture over 100 kB fails, in a test with small bodies never.",
            Outcome.REFUSED: "Every batch or picture over 100 kB fails, in a test with small bodies never.",
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
        consequences={Outcome.ACCEPTED: "Nothing bounds a body: a few clients fill the memory."},
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
            Outcome.ACCEPTED: "The answer is no number, and often no JSON: the client's parser fails, not the request.",
        },
    ),
    Divergence(
        id="A03",
        what="A repeated member",
        cases=("json-duplicate",),
        consequences={
            Outcome.ACCEPTED: "Whoever checked the first of two members has checked nothing: the last one counts."
        },
    ),
    Divergence(
        id="A04",
        what="What is no number",
        cases=("predict-null", "predict-true", "predict-string", "predict-array", "predict-object"),
        consequences={Outcome.ACCEPTED: "A value that is no number is turned into one, and the prediction is of that."},
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
        consequences={Outcome.SERVER_ERROR: _LOST_KEY},
    ),
    Divergence(
        id="A06",
        what="The text of an error",
        cases=("advanced-echo", "advanced-missing-first"),
        consequences={
            Outcome.ERROR_BODY: "The error tells the whole schema, and repeats what was sent: a way to plant text."
        },
    ),
    Divergence(id="A09", what="A lone surrogate", cases=("json-lone-surrogate",)),
)

_FORMS: Final = (
    Divergence(
        id="F24",
        what="A form without the field",
        cases=("classify-form-missing",),
        consequences={Outcome.SERVER_ERROR: _LOST_KEY},
    ),
    Divergence(
        id="F25",
        what="A form under another media type, or none",
        cases=("form-as-octets", "classify-media-text", "classify-media-none", "form-as-json"),
        consequences={
            Outcome.ACCEPTED: "A page of another origin can post such a form without asking first (no CORS preflight).",
        },
    ),
    Divergence(
        id="F26",
        what="An urlencoded form over 102 400 bytes",
        cases=("form-long-field", "form-long-picture"),
        consequences={Outcome.SERVER_ERROR: "Pictures over 75 kB fail, in a test with small pictures never."},
    ),
    Divergence(
        id="F27",
        what="A multipart text field over 102 400 bytes",
        cases=("form-multipart-long-text",),
        consequences={Outcome.SERVER_ERROR: "Pictures over 75 kB fail: the field has silently become a file."},
    ),
    Divergence(id="F28", what="A multipart text field over 500 000 bytes", cases=("form-multipart-longer-field",)),
    Divergence(id="F29", what="Two fields of 60 kB", cases=("form-two-long-fields", "form-multipart-two-long-fields")),
    Divergence(
        id="F30",
        what="Many parts",
        cases=("form-multipart-thousand-parts", "form-too-many-fields"),
        consequences={Outcome.ACCEPTED: "Nothing bounds the number of parts, each of which costs more than its bytes."},
    ),
    Divergence(
        id="F31",
        what="A repeated field",
        cases=("form-repeated-unlike", "form-multipart-repeated-unlike"),
        consequences={
            Outcome.ACCEPTED: "The first of two fields wins, so a check of the last one can be walked around.",
            Outcome.SERVER_ERROR: "The last of two fields wins, so a check of the first one can be walked around.",
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
        consequences={Outcome.ACCEPTED: "Bytes that are no base64 are skipped, and another picture is classified."},
    ),
    Divergence(id="F43", what="A letter outside ASCII in a form", cases=("form-non-ascii",)),
    Divergence(id="F44", what="The body after the form was read", untold=f"{_ELSEWHERE}it reads a body once"),
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
            Outcome.ACCEPTED: "Every format that Pillow reads is let in, each with a decoder to attack.",
            Outcome.SERVER_ERROR: "A broken picture looks like a crash, after all the work that it claims to need.",
        },
    ),
)

_FRAMING: Final = (
    Divergence(
        id="F45",
        what="A chunked request",
        cases=("body-chunked",),
        consequences={Outcome.SERVER_ERROR: "Every client that streams its body fails: chunks are taken apart twice."},
    ),
    Divergence(
        id="F46",
        what="A body that ends too early",
        cases=("body-cut", "body-cut-chunks", "form-cut"),
        consequences={Outcome.ACCEPTED: "A request that broke off is answered as if it had come whole."},
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
            Outcome.ACCEPTED: "A proxy in front may read another length, and so another next request (smuggling)."
        },
    ),
    Divergence(
        id="F48",
        what="A body of 24 MiB",
        cases=("length-far-over-limit",),
        consequences={Outcome.SERVER_ERROR: "The whole body is read and parsed before it fails."},
    ),
    Divergence(
        id="F49",
        what="A Content-Length beyond all measure",
        cases=("length-astronomic", "body-endless"),
        consequences={Outcome.HANGS: "A thread waits for a body that never comes, as long as the client likes."},
    ),
    Divergence(id="A11", what="A Content-Length beside chunks", cases=("length-beside-chunks",)),
)

_ANSWERS: Final = (
    Divergence(
        id="F50",
        what="The bytes of a good answer",
        cases=("predict-number", "advanced-matrix"),
        consequences={Outcome.FORM: "The same value has other bytes in each framework, with digits that mean nothing."},
    ),
    Divergence(
        id="F51",
        what="The reason phrase",
        untold="no client may act on it (RFC 9112 section 4), so no case looks at it",
    ),
    *(
        Divergence(id=name, what=what, untold=f"{_ELSEWHERE}its views return dictionaries of numbers")
        for name, what in (
            ("F52", "Views that return lists"),
            ("F53", "Views that return None or False"),
            ("F54", "Views that return a body with a status"),
            ("F55", "Dates, decimals and dataclasses in answers"),
            ("F56", "Keys of mixed types in answers"),
        )
    ),
    Divergence(id="F57", what="Headers of an answer without content", untold=f"{_ELSEWHERE}it never answers 204"),
    Divergence(id="F58", what="abort()", untold=f"{_ELSEWHERE}it never aborts"),
    Divergence(id="F59", what="Error handlers that return dictionaries", untold=f"{_ELSEWHERE}it has no error handler"),
    Divergence(
        id="F60",
        what="MemoryError in a view",
        untold="no request brings it about on purpose without harm to the machine",
    ),
    Divergence(id="F61", what="Hooks on errors", untold=f"{_ELSEWHERE}it has no hooks"),
    Divergence(id="F63", what="Headers outside ASCII in answers", untold=f"{_ELSEWHERE}it sets no header"),
)

_HEADERS: Final = (
    Divergence(id="F62", what="A byte outside ASCII in a header", cases=("head-latin-1-value",)),
    Divergence(
        id="F64",
        what="X-Forwarded-Host from anybody",
        cases=("head-forwarded-echo",),
        consequences={Outcome.ERROR_BODY: "An error that repeats the header is a page that anybody can plant text in."},
    ),
    Divergence(id="F65", what="A Host that is no host", cases=("head-empty-host", "head-odd-host")),
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
    Divergence(id="S10", what="SystemExit in a view", untold=f"{_ELSEWHERE}it never exits"),
)

DIVERGENCES: Final = (*_ROUTES, *_MEDIA, *_JSON, *_FORMS, *_FRAMING, *_ANSWERS, *_HEADERS, *_DEVELOPMENT)
