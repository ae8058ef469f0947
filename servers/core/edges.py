"""A mode held against mode `function` at the edges of what a model may be asked: the same refusals, the same answers.

Good values show that a mode computes the model. They do not show what it does with an index beyond a table, a number
that an assertion forbids, or text that is no number: there runtimes differ most, and a wrong answer looks right.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core.reply import ApiError
from servers.core.user_model_source import (
    LIMITS,
    UserModelSource,
    build_user_model,
    difference,
    is_floating,
    read_probes,
    tolerance,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers.core.mode import Arrays, Built, ModelCall

_LIMIT: Final = 1e30
_SUMS: Final = frozenset(
    {
        *(
            "MatMul",
            "BatchMatMul",
            "BatchMatMulV2",
            "BatchMatMulV3",
            "Einsum",
            "Sum",
            "Mean",
            "Cumsum",
            "AvgPool",
            "AddN",
        ),
        *(
            "Conv1D",
            "Conv2D",
            "Conv3D",
            "DepthwiseConv2dNative",
            "Conv2DBackpropInput",
            "SegmentSum",
            "UnsortedSegmentSum",
        ),
        *("FusedBatchNormV3", "L2Loss", "Prod", "Softmax", "LogSoftmax", "SparseTensorDenseMatMul"),
    }
)
_WIDE: Final = ("bfloat16", "float32", "float64")
"""Types that hold 3e38, which is near the end of the two smaller ones."""

_NUMBERS: Final = (0.0, -1.0, 1.0, 100.0, -100.0, 1e4, -1e4, 1e7, -1e7)
_ROUNDING: Final = 2.0**-20
"""Of the largest input: eight times a rounding of float32."""

_INTEGERS: Final = (-1, 0, 1, 2, 10, 100, 1000, 10**6)
_LONGEST_VALUE: Final = 40
_TEXTS: Final = (b"", b"\xff\xfe", b"-1", b"nan", b"word " * 200)

_LONGEST_S: Final = 20.0
"""Slow models are asked about fewer edges: first the ends of a type, which tell most."""

_LONGEST_CALL_S: Final = 10.0
"""A call that takes longer is taken for one that never ends."""

Answered = list[tuple[str, "Arrays", "Arrays | None"]]
"""What was asked in words, the inputs, and the answers; None for a refusal, as of what JSON cannot hold."""


class _EndlessError(Exception):
    """A call has not come back."""


@dataclass(slots=True)
class Edges:
    """The edges of one model, asked of mode `function` once and then of every other mode."""

    source: UserModelSource
    _known: Answered = field(default_factory=list)
    _built: ModelCall | None = None

    def disagreement(self, built: Built[ModelCall]) -> str | None:
        """What a mode answers that `function` refuses, refuses or answers otherwise; None for nothing."""
        until = time.monotonic() + _LONGEST_S
        for what, inputs, wanted in self.known:
            try:
                found = _outcome(built.predict, inputs)
            except _EndlessError:
                return f"it does not end at {what}"
            if (found is None) != (wanted is None):
                sides = ("function", "it") if wanted is None else ("it", "function")
                return f"{sides[0]} refuses {what}, and {sides[1]} answers"
            if found is not None and wanted is not None and _apart(found, wanted, inputs):
                return f"it answers {what} otherwise than function"
            if time.monotonic() > until:
                break
        return None

    def write_limits(self) -> None:
        """Keep how large the numbers of each input may be, once, for all modes.

        Where sums overflow depends on their order, which every runtime chooses for itself: near the end of float32 one
        answers and another has only infinity or NaN. So a model that sums is asked in no mode beyond a limit far below
        that end.
        """
        model = self.source.model
        if (model.folder / LIMITS).exists():
            return
        sums = bool(_operations(model.servable) & _SUMS)
        found = [_LIMIT if sums and tensor.dtype in _WIDE else None for tensor in model.signature.inputs]
        fresh = model.folder / f".{LIMITS}.{os.getpid()}"
        fresh.write_text(json.dumps(found), encoding="utf-8")
        fresh.replace(model.folder / LIMITS)

    def _function(self) -> ModelCall:
        if self._built is None:
            self._built = build_user_model("function", self.source).predict
        return self._built

    @property
    def known(self) -> Answered:
        """The edges and what `function` makes of them."""
        if not self._known:
            ask = self._function()
            until = time.monotonic() + _LONGEST_S
            # A loop may never end for values that are made up: then nothing more is asked, and nobody is blamed.
            with suppress(_EndlessError):
                for what, inputs in self._questions(ask):
                    self._known.append((what, inputs, _outcome(ask, inputs)))
                    if time.monotonic() > until:
                        break
        return self._known

    def _questions(self, ask: ModelCall) -> Iterator[tuple[str, Arrays]]:
        """One input at a time at an edge, the others good: all of it, and its last element alone."""
        good, _ = read_probes(self.source.model)[0]
        for at, tensor in enumerate(self.source.model.signature.inputs):
            for value in self._values(ask, good, at):
                said = repr(value) if len(repr(value)) < _LONGEST_VALUE else f"{value!r:.{_LONGEST_VALUE}}..."
                yield f"{tensor.name} = {said}", _filled(good, at, value, alone=False)
                if good[at].size > 1:
                    yield f"{tensor.name} = {said} in one place", _filled(good, at, value, alone=True)

    def _values(self, ask: ModelCall, good: Arrays, at: int) -> Iterator[Any]:
        tensor = self.source.model.signature.inputs[at]
        if tensor.kind == "string":
            yield from _TEXTS
        elif tensor.kind == "boolean":
            yield from (True, False)
        elif tensor.kind == "integer":
            bounds = np.iinfo(tensor.dtype)
            ends = (int(bounds.min), int(bounds.max))
            yield from ends
            yield from (each for each in _INTEGERS if bounds.min <= each <= bounds.max)
            first = int(good[at].flat[0]) if good[at].size else 0
            for end in ends:
                yield from _border(lambda value: _outcome(ask, _filled(good, at, value, alone=False)), first, end)
        else:
            most = _LIMIT if tensor.dtype in _WIDE else float(np.finfo(tensor.dtype).max)
            yield from (each for each in (*_NUMBERS, most, -most) if abs(each) <= most)


def _operations(servable: Path) -> set[str]:
    """The names of all operations of a SavedModel's graph and of its functions."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel  # noqa: PLC0415 - a generated module

    graph = SavedModel.FromString((servable / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    return {node.op for node in (*graph.node, *(node for one in graph.library.function for node in one.node_def))}


def _border(takes: Callable[[Any], object], good: int, end: int) -> tuple[int, ...]:
    """The last integer on the way from a good one to the end of its type that is taken, and the first that is not."""
    if takes(end) is not None or takes(good) is None:
        return ()
    while abs(end - good) > 1:
        middle = (good + end) // 2
        good, end = (middle, end) if takes(middle) is not None else (good, middle)
    return good, end


def _filled(good: Arrays, at: int, value: Any, *, alone: bool) -> Arrays:
    """The good inputs with `value` in the last place of one of them, or in all of its places."""
    found = good[at].copy()
    if alone:
        found.flat[-1] = value
    else:
        found[...] = value
    return (*good[:at], found, *good[at + 1 :])


def _outcome(ask: ModelCall, inputs: Arrays) -> Arrays | None:
    """The answers, None for a refusal. Raises _EndlessError: such a call goes on, as nothing can stop it."""
    found: list[Arrays | None] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            found.append(_told(ask(*inputs)))
        except ApiError:
            found.append(None)
        except Exception as error:  # noqa: BLE001 - raised again in the thread that waits
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(_LONGEST_CALL_S)
    if failed:
        raise failed[0]
    if not found:
        raise _EndlessError
    return found[0]


def _told(answers: Arrays) -> Arrays | None:
    """The answers, None where JSON cannot hold them."""
    numbers = (each for each in answers if is_floating(each.dtype))
    return answers if all(np.isfinite(each).all() for each in numbers) else None


def _apart(found: Arrays, wanted: Arrays, inputs: Arrays) -> bool:
    """Beyond the tolerance, which grows with numbers that are larger than models are trained on."""
    largest = max((float(np.abs(each).max(initial=0)) for each in inputs if is_floating(each.dtype)), default=1.0)
    scale = max(1.0, largest)
    return any(difference(one, other) > scale * tolerance(other) for one, other in zip(found, wanted, strict=True))
