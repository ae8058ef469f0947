"""How a user's model answers: alike each time or not, each row as it would be alone or not, pictures on which scale.

A model is asked often enough for what is said of it, and no more than a model that needs seconds for an answer allows;
how often, and with whose values, is part of each statement.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from servers.core.nested import whole
from servers.core.user_model_codec import SCALE_HINT, image_size
from servers.core.user_model_source import difference, flat_outputs, is_floating, tolerance
from servers.last_words import last_words
from servers.models.graph_facts import graph_facts
from servers.models.servable import load_signatures
from servers.models.signature import Scale, rows_of
from servers.models.user_model import UserModelError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from servers.core.mode import Arrays
    from servers.models.graph_facts import GraphFacts
    from servers.models.signature import Signature

_TIMES, _TIMES_IN_DOUBT = 5, 40
"""How often the first question is asked; in doubt where the graph holds operations of chance or state.

A coin that falls on one side two times in three shows only that side in 40 answers once in ten million.
"""

_AGAIN_S: Final = 15.0
_BATCHES: Final = (2, 3, 5)
_ROWS_S: Final = 20.0


class ModelRefusedError(Exception):
    """The model does not take these values; the message is its own last words."""


class AskedModel:
    """The loaded signature itself, with nothing of a mode around it. `spent_s` is how long it has been asked so far."""

    def __init__(self, servable: Path, signature: Signature) -> None:
        self._loaded = load_signatures(servable)
        self._concrete = self._loaded.signatures[signature.name]
        self._signature = signature
        self.facts = graph_facts(self._concrete, picture=image_size(signature.inputs[0]) is not None)
        self.spent_s = 0.0

    def ask(self, inputs: Arrays) -> Arrays:
        """Its outputs, as `Signature.flat_outputs` orders them. Raises ModelRefusedError."""
        named = zip(self._signature.inputs, inputs, strict=True)
        began = time.monotonic()
        try:
            answers = self._concrete(**{tensor.name: tf.constant(each) for tensor, each in named})
            found = [each.numpy() for each in flat_outputs(answers, self._signature)]
        # Not only what TensorFlow raises: an error's own text may fail to decode.
        except Exception as error:
            raise ModelRefusedError(last_words(str(error))) from error
        finally:
            self.spent_s += time.monotonic() - began
        return tuple(
            np.asarray(each, dtype=np.object_) if isinstance(each, bytes) else np.asarray(each) for each in found
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """What asking again has shown."""

    spread: float
    statements: tuple[str, ...]


def finite(answers: Arrays) -> bool:
    """Whether every number of an answer can be told in JSON."""
    return all(np.isfinite(each).all() for each in answers if is_floating(each.dtype))


def with_scale(signature: Signature, facts: GraphFacts, scale: str | None) -> tuple[Signature, tuple[str, ...]]:
    """The signature with what a picture's levels become: as the user says, or as type or graph show; never guessed."""
    pictures = [each for each in signature.inputs if image_size(each)]
    if len(signature.inputs) != 1 or not pictures:
        if scale is not None:
            raise UserModelError("--scale is for a model whose one input takes pictures", "leave it out")
        return signature, ()
    (tensor,) = pictures
    if scale is not None:
        try:
            given = Scale.parse(scale)
        except ValueError as error:
            raise UserModelError(f"--scale {error}", SCALE_HINT) from error
        if tensor.dtype == "uint8" and given != Scale.parse("0..255"):
            raise UserModelError(f"--scale {scale}: {tensor} takes levels from 0 to 255 by its type", "leave it out")
        if tensor.sizes[-1] == 1 and max(len(given.mean), len(given.deviation)) > 1:
            raise UserModelError(f"--scale {scale} is for three channels, and {tensor} has one", SCALE_HINT)
        return replace(signature, scale=scale), (f"pictures: levels become {scale}, as --scale says",)
    if tensor.dtype == "uint8":
        return replace(signature, scale="0..255"), ("pictures: levels stay 0..255, as the input's type says",)
    if facts.rescales:
        said = "pictures: levels stay 0..255: the graph brings them to its own scale first (say otherwise with --scale)"
        return replace(signature, scale="0..255"), (said,)
    return signature, (f"pictures are refused: nothing says on which scale the model takes them; {SCALE_HINT}",)


def ask_again(model: AskedModel, asked: list[Arrays], answers: list[Arrays], whose: str) -> Repeated:
    """Ask all questions once more, the first many times. Raises UserModelError where answers cannot be checked."""
    facts = model.facts
    operations = ", ".join((*facts.chance, *facts.state))
    times = _TIMES_IN_DOUBT if operations else _TIMES
    until = model.spent_s + _AGAIN_S
    spread, counted, other = 0.0, 1, 0
    for at in (*[0] * (times - 1), *range(1, len(asked))):
        if counted > 1 and model.spent_s > until:
            break
        try:
            again = model.ask(asked[at])
        except ModelRefusedError as error:
            raise UserModelError(
                f"the model refuses {whose} after {counted} answers to it: {error}", "it keeps state from call to call"
            ) from error
        counted += 1
        found = [difference(one, another) for one, another in zip(answers[at], again, strict=True)]
        other += any(each > tolerance(one) for each, one in zip(found, answers[at], strict=True))
        spread = max((spread, *found))
    if other:
        cause = f"the graph holds {operations}" if operations else "nothing in its graph says why"
        kept = "keeps state from call to call" if facts.state and not facts.chance else "draws random numbers"
        raise UserModelError(
            f"the model {kept if operations else 'answers one question in two ways'}, so that no answer of it can be"
            f" checked: {other} of {counted} answers to {whose} were others than before ({cause})",
            "export it for inference: no dropout, no random operations, no counters",
        )
    if spread:
        said = f"{counted} answers to {whose} differ by up to {spread:.2g} from call to call; all checks allow for it"
    else:
        said = f"{counted} answers to {whose} were alike each time"
    if operations:
        said += f", though the graph holds {operations}"
    return Repeated(spread=spread, statements=(said,))


def with_rows(
    signature: Signature, model: AskedModel, asked: list[Arrays], answers: list[Arrays], whose: str
) -> tuple[Signature, tuple[str, ...]]:
    """The signature with `by_row` and `independent` as they turn out, and what that rests on."""
    limits = rows_of(signature.inputs)
    sparse = any(tensor.name.endswith("/dense_shape") for tensor in signature.outputs)
    if limits is None or sparse or any(len(set(map(len, one))) > 1 for one in asked):
        return replace(signature, by_row=False, independent=False), ("its inputs have no number of rows in common",)
    if limits[0] == limits[1]:
        by_row = all(_has_rows(signature, answer, limits[0]) for answer in answers)
        return replace(signature, by_row=by_row, independent=False), (f"its shapes fix {limits[0]} rows a request",)
    singles = [tuple(each[at : at + 1] for each in one) for one in asked for at in range(len(one[0]))][: max(_BATCHES)]
    ragged = any(tensor.ragged for tensor in signature.outputs)
    until = model.spent_s + _ROWS_S
    by_row, independent, others = True, True, 0
    seen: list[str] = []
    for size in _BATCHES:
        if seen and model.spent_s > until:
            break
        rows, changed = _neighbours(model, singles, size)
        try:
            together = _together(model, rows, singles)
        except ModelRefusedError as error:
            if not seen:
                said = f"the model refuses {size} rows together, made of {whose}: {error}"
                return replace(signature, by_row=False, independent=False), (said,)
            break
        seen.append(str(size))
        others += changed
        if not _has_rows(signature, together, size):
            by_row = independent = False
            break
        independent = independent and not ragged and _as_alone(model, rows, together)
    told = f"asked in batches of {', '.join(seen)} of {whose}{' and values changed from them' if others else ''}"
    signature = replace(signature, by_row=by_row, independent=independent)
    return signature, (f"{_on_rows(signature)} ({told})",)


def _on_rows(signature: Signature) -> str:
    if not signature.by_row:
        return "answers have no row for each row of the input"
    if signature.independent:
        return "each row is answered as it would be alone"
    if any(tensor.ragged for tensor in signature.outputs):
        return "answers have a row for each row of the input, of different lengths"
    return "answers have a row for each row of the input, but rows depend on each other"


def _together(model: AskedModel, rows: list[Arrays], singles: list[Arrays]) -> Arrays:
    """The answer to all rows at once; where values that were made up spoil it, to rows as they came."""
    try:
        return model.ask(_joined(rows))
    except ModelRefusedError:
        rows[:] = [singles[at % len(singles)] for at in range(len(rows))]
        return model.ask(_joined(rows))


def _neighbours(model: AskedModel, singles: list[Arrays], size: int) -> tuple[list[Arrays], int]:
    """So many rows, neighbours that differ, or nothing would show that one plays a part in another's answer."""
    rows = [singles[at % len(singles)] for at in range(size)]
    changed = 0
    for at in range(1, size, 2):
        other = tuple(map(_otherwise, rows[at]))
        if all(map(np.array_equal, other, rows[at])):
            continue
        try:
            model.ask(other)
        except ModelRefusedError:
            # Values that we made up: no fault of the model's.
            continue
        rows[at] = other
        changed += 1
    return rows, changed


def _as_alone(model: AskedModel, rows: list[Arrays], together: Arrays) -> bool:
    """NaN beside NaN is alike: it says nothing of rows."""
    try:
        alone = _joined([model.ask(row) for row in rows])
    except (ModelRefusedError, ValueError):
        return False
    return all(
        difference(_no_nan(one), _no_nan(other)) <= tolerance(_no_nan(other)) and _same_nan(one, other)
        for one, other in zip(together, alone, strict=True)
    )


def _no_nan(array: NDArray[Any]) -> NDArray[Any]:
    return np.where(np.isfinite(array), array, np.zeros_like(array)) if is_floating(array.dtype) else array


def _same_nan(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return not is_floating(one.dtype) or bool(np.array_equal(np.isfinite(one), np.isfinite(other)))


def _otherwise(array: NDArray[Any]) -> NDArray[Any]:
    """Other values; strings stay."""
    if array.dtype == np.object_:
        return array
    return (array * 0.5).astype(array.dtype) if is_floating(array.dtype) else np.zeros_like(array)


def _has_rows(signature: Signature, answers: Arrays, rows: int) -> bool:
    return all(each.ndim and len(each) == rows for each in whole(answers, signature.outputs))


def _joined(parts: Iterable[Arrays]) -> Arrays:
    return tuple(map(np.concatenate, zip(*parts, strict=True)))
