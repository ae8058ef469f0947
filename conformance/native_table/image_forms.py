"""Divergences in how a form with a picture is read."""

from __future__ import annotations

from typing import Final

from conformance.native_table.divergence import ELSEWHERE, LOST_KEY, Divergence
from conformance.observation import Behaviour

DIVERGENCES: Final = (
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
