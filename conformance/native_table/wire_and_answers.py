"""Divergences in framing, answers and headers, and those of development servers."""

from __future__ import annotations

from typing import Final

from conformance.native_table.divergence import ELSEWHERE, Divergence
from conformance.observation import Behaviour

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

DIVERGENCES: Final = (*_FRAMING, *_ANSWERS, *_HEADERS, *_DEVELOPMENT)
