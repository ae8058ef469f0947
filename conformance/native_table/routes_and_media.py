"""Divergences in what is a route, a method and a media type."""

from __future__ import annotations

from typing import Final

from conformance.native_table.divergence import ELSEWHERE, Divergence
from conformance.observation import Behaviour

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

DIVERGENCES: Final = (*_ROUTES, *_MEDIA)
