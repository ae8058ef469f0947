"""Divergences in how a JSON body is read."""

from __future__ import annotations

from typing import Final

from conformance.native_table.divergence import LOST_KEY, Divergence
from conformance.observation import Behaviour

DIVERGENCES: Final = (
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
