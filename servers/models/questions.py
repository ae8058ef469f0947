"""What a user's model is asked, and what its own signature answers: payloads, probes, and how it treats rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import tensorflow as tf

from servers.core.middleware import MAX_BODY_BYTES
from servers.core.nested import nested_of
from servers.core.reply import JSON, ApiError
from servers.core.request import Request
from servers.core.tensor_proto import PROTOBUF
from servers.core.user_model_codec import INPUTS, INSTANCES, OUTPUTS, PREDICTIONS, UserModelCodec
from servers.core.user_model_source import difference, serving_signature, tolerance
from servers.models.signature import rows_of
from servers.models.synthesis import made_up
from servers.models.user_model import UserModelError, UserModelPayload

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from servers.core.mode import Arrays
    from servers.models.signature import Signature

CONTENT_TYPES: Final = {
    ".json": JSON,
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".pb": PROTOBUF,
}
"""What a payload's file is, by its suffix."""

_BATCH: Final = 3
_MOST_PROBES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A signature that knows how it treats rows, and what it was asked and answered."""

    signature: Signature
    payloads: tuple[UserModelPayload, ...]
    probes: tuple[tuple[Arrays, Arrays], ...]
    sample: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    name: str
    content_type: str
    body: bytes
    inputs: Arrays
    form: str


def questions(saved_model: Path, signature: Signature, payload: Path | None) -> Asked:
    """Ask the model. Raises UserModelError where it cannot be asked, or answers what cannot be served or checked."""
    ask = _asker(saved_model, signature)
    asked = [_read(signature, payload)] if payload else _made(signature)
    answers = [ask(question.inputs) for question in asked]
    for question, answer in zip(asked, answers, strict=True):
        _refuse_moods(ask, question, answer)
    signature = _with_rows(signature, ask, asked[0].inputs)
    if any(question.form == PREDICTIONS for question in asked) and signature.rows is None:
        if payload:
            raise UserModelError(
                f"{payload}: this model does not answer row by row", f'send {{"{INPUTS}": ...}} in place of {INSTANCES}'
            )
        asked = [_columns(signature, question.name, question.inputs) for question in asked]
    payloads = tuple(
        UserModelPayload(
            name=question.name,
            content_type=question.content_type,
            body=question.body,
            expected_key="tensor_content" if question.form == PROTOBUF else question.form,
            expected=_expected(signature, answer, question.form),
            tolerance=max(map(tolerance, answer)),
        )
        for question, answer in zip(asked, answers, strict=True)
    )
    return Asked(
        signature=signature,
        payloads=payloads,
        probes=_probes(signature, ask, [question.inputs for question in asked]),
        sample=_named(signature, asked[0].inputs),
    )


def _asker(saved_model: Path, signature: Signature) -> Callable[[Arrays], Arrays]:
    """The loaded signature itself, with nothing of a mode around it."""
    concrete = serving_signature(saved_model, signature.name)

    def ask(inputs: Arrays) -> Arrays:
        named = {tensor.name: tf.constant(each) for tensor, each in zip(signature.inputs, inputs, strict=True)}
        try:
            answers = concrete(**named)
        except tf.errors.OpError as error:
            line = str(error).splitlines()[0]
            raise UserModelError(f"the model refuses its payload: {line}", "try another --payload FILE") from error
        found = tuple(answers[tensor.name].numpy() for tensor in signature.outputs)
        return tuple(
            np.asarray(each, dtype=np.object_) if isinstance(each, bytes) else np.asarray(each) for each in found
        )

    return ask


def _read(signature: Signature, payload: Path) -> _Question:
    """The user's own request, taken apart as the endpoint will."""
    kind = CONTENT_TYPES.get(payload.suffix.lower())
    if kind is None:
        known = ", ".join(CONTENT_TYPES)
        raise UserModelError(f"--payload {payload}: its suffix says nothing of what it is", f"name it {known}")
    body = payload.read_bytes()
    # Whether its inputs have one number of rows is what the request itself may tell.
    codec = UserModelCodec(signature=replace(signature, independent=False))
    if kind not in codec.accepts:
        raise UserModelError(
            f"--payload {payload}: the model takes no {kind}; its inputs are {', '.join(map(str, signature.inputs))}",
            f"it takes {', '.join(codec.accepts)}",
        )
    if len(body) > MAX_BODY_BYTES:
        raise UserModelError(f"--payload {payload} is over {MAX_BODY_BYTES} bytes", "servers accept no more")
    try:
        inputs, form = codec.inputs(Request(method="POST", content_type=kind, content_encoding="", body=body))
    except ApiError as error:
        raise UserModelError(
            f"--payload {payload}: {error.text}",
            f'inputs: {", ".join(map(str, signature.inputs))}; send {{"{INSTANCES}": [...]}} or {{"{INPUTS}": ...}}',
        ) from error
    return _Question(name=payload.name, content_type=kind, body=body, inputs=inputs, form=form)


def _made(signature: Signature) -> list[_Question]:
    found = []
    for number, inputs in enumerate(made_up(signature.inputs)):
        name = f"made-up-{number:02}"
        form = _rows if rows_of(signature.inputs) else _columns
        found.append(form(signature, name, inputs))
    if len(found[0].body) > MAX_BODY_BYTES:
        raise UserModelError(
            f"one request in JSON takes {len(found[0].body)} bytes, over the limit of {MAX_BODY_BYTES}",
            "give one in another encoding: --payload request.pb, or a picture",
        )
    return found


def _rows(signature: Signature, name: str, inputs: Arrays) -> _Question:
    columns = [nested_of(each, tensor) for each, tensor in zip(inputs, signature.inputs, strict=True)]
    if len(columns) == 1:
        instances = columns[0]
    else:
        names = [tensor.name for tensor in signature.inputs]
        instances = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return _Question(name=name, content_type=JSON, body=_json({INSTANCES: instances}), inputs=inputs, form=PREDICTIONS)


def _columns(signature: Signature, name: str, inputs: Arrays) -> _Question:
    body = _json({INPUTS: _named(signature, inputs)})
    return _Question(name=name, content_type=JSON, body=body, inputs=inputs, form=OUTPUTS)


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _named(signature: Signature, inputs: Arrays) -> dict[str, Any]:
    return {tensor.name: nested_of(each, tensor) for each, tensor in zip(inputs, signature.inputs, strict=True)}


def _refuse_moods(ask: Callable[[Arrays], Arrays], question: _Question, answers: Arrays) -> None:
    """Refuse a model whose answers JSON cannot hold, or that answers one question in two ways."""
    if any(np.issubdtype(each.dtype, np.floating) and not np.isfinite(each).all() for each in answers):
        raise UserModelError(
            f"the model answers {question.name} with NaN or infinity, which JSON cannot hold",
            "give a request of yours: --payload request.json",
        )
    again = ask(question.inputs)
    if any(difference(one, other) > tolerance(one) for one, other in zip(answers, again, strict=True)):
        raise UserModelError(
            f"the model answers {question.name} in two ways, so that no answer of it can be checked",
            "export it for inference: no dropout, no random operations",
        )


def _with_rows(signature: Signature, ask: Callable[[Arrays], Arrays], inputs: Arrays) -> Signature:
    """The signature with `by_row` and `independent` as they turn out."""
    limits = rows_of(signature.inputs)
    if limits is None:
        return replace(signature, by_row=False, independent=False)
    if limits[0] == limits[1]:
        return replace(signature, by_row=_has_rows(ask(inputs), limits[0]), independent=False)
    if len(set(map(len, inputs))) > 1:
        # One input's rows are not another's, so that none of them can be padded or taken by itself.
        return replace(signature, by_row=False, independent=False)
    rows = [tuple(each[at % len(each) :][:1] for each in inputs) for at in range(_BATCH)]
    # Neighbours that differ, or nothing would show that one plays a part in another's answer.
    rows[1] = tuple(map(_otherwise, rows[1]))
    alone = [ask(row) for row in rows]
    together = ask(_joined(rows))
    by_row = _has_rows(together, _BATCH) and all(_has_rows(answer, 1) for answer in alone)
    independent = by_row and all(
        difference(one, other) <= tolerance(other) for one, other in zip(together, _joined(alone), strict=True)
    )
    return replace(signature, by_row=by_row, independent=independent)


def _otherwise(array: NDArray[Any]) -> NDArray[Any]:
    """Other values that the model surely takes where it takes these; strings stay."""
    if array.dtype == np.object_:
        return array
    return (array * 0.5).astype(array.dtype) if np.issubdtype(array.dtype, np.floating) else np.zeros_like(array)


def _has_rows(answers: Arrays, rows: int) -> bool:
    return all(each.ndim and len(each) == rows for each in answers)


def _probes(
    signature: Signature, ask: Callable[[Arrays], Arrays], inputs: list[Arrays]
) -> tuple[tuple[Arrays, Arrays], ...]:
    """Single rows where rows are independent, else whole requests."""
    if signature.batched:
        inputs = [
            tuple(each[at : at + 1] for each in one) for one in inputs for at in range(min(len(one[0]), _MOST_PROBES))
        ]
    return tuple((one, ask(one)) for one in inputs[:_MOST_PROBES])


def _expected(signature: Signature, answers: Arrays, form: str) -> Any:
    """The answer's value, nested as the endpoint nests it."""
    columns = {tensor.name: nested_of(each, tensor) for each, tensor in zip(answers, signature.outputs, strict=True)}
    if len(columns) == 1:
        return next(iter(columns.values()))
    if form == OUTPUTS:
        return columns
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _joined(parts: list[Arrays]) -> Arrays:
    return tuple(map(np.concatenate, zip(*parts, strict=True)))
