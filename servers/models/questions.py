"""What a user's model is asked, and what its own signature answers: payloads and probes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from servers.core.middleware import MAX_BODY_BYTES
from servers.core.nested import nested_of, whole
from servers.core.reply import JSON, ApiError
from servers.core.request import Request
from servers.core.tensor_proto import PROTOBUF
from servers.core.user_model_codec import (
    IMAGES,
    INPUTS,
    INSTANCES,
    OUTPUTS,
    PREDICTIONS,
    SCALE_HINT,
    UserModelCodec,
)
from servers.core.user_model_source import tolerance
from servers.models.probing import AskedModel, ModelRefusedError, ask_again, finite, with_rows, with_scale
from servers.models.signature import rows_of
from servers.models.synthesis import made_up
from servers.models.user_model import UserModelError, UserModelPayload

if TYPE_CHECKING:
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

_MOST_PROBES: Final = 16
_MAKING_S, _PROBING_S = 8.0, 25.0
"""Seconds that the model may have been asked for before no more requests are made up, and no more probes kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A signature that knows how it treats rows, and what it was asked and answered.

    `statements` are what was found out, each with what it rests on; `spread` is the largest difference between two
    answers to one question, and `request_s` what one takes by now, its JSON read and the signature called.
    """

    signature: Signature
    payloads: tuple[UserModelPayload, ...]
    probes: tuple[tuple[Arrays, Arrays], ...]
    sample: dict[str, Any]
    statements: tuple[str, ...]
    spread: float
    request_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    name: str
    content_type: str
    body: bytes
    inputs: Arrays
    form: str


def questions(
    servable: Path, signature: Signature, payload: Path | None, scale: str | None = None, *, fix: bool = False
) -> Asked:
    """Ask the model. Raises UserModelError where it cannot be asked, or answers what cannot be served or checked.

    What is said of it rests on the user's own `payload`, or on values that are made up here; which, is said too.
    """
    model = AskedModel(servable, signature)
    signature, said = with_scale(signature, model.facts, scale)
    whose = f"your {payload.name}" if payload else "made-up values"
    if payload:
        asked = [_read(signature, payload)]
        if fix:
            signature = signature.fixed(tuple(each.shape for each in asked[0].inputs))
            said += (f"sizes are those of {whose}: {', '.join(map(str, signature.inputs))}",)
        answers = [_own_answer(model, asked[0], payload)]
    else:
        asked, answers, left_out = _made(signature, model)
        said += left_out
    repeated = ask_again(model, [question.inputs for question in asked], answers, whose)
    if repeated.spread and any(question.form == PROTOBUF for question in asked):
        raise UserModelError(
            f"{payload}: the model's answers differ by up to {repeated.spread:.2g} from call to call, and answers in"
            " bytes cannot be held to that",
            f'send it as JSON: {{"{INPUTS}": ...}}',
        )
    signature, rows = with_rows(signature, model, [question.inputs for question in asked], answers, whose)
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
            # Two answers may lie on either side of the one that is kept.
            tolerance=max(map(tolerance, answer), default=0.0) + 2 * repeated.spread,
            spread=repeated.spread,
        )
        for question, answer in zip(asked, answers, strict=True)
    )
    return Asked(
        signature=signature,
        payloads=payloads,
        probes=_probes(signature, model, [question.inputs for question in asked], answers),
        sample=_named(signature, asked[0].inputs),
        statements=(*said, *repeated.statements, *rows),
        spread=repeated.spread,
        request_s=_request_s(model, asked[0]),
    )


def _request_s(model: AskedModel, question: _Question) -> float:
    """Seconds: the median of three, of a model that is warm by now."""
    took = []
    for _ in range(3):
        began = time.monotonic()
        if question.content_type == JSON:
            json.loads(question.body)
        model.ask(question.inputs)
        took.append(time.monotonic() - began)
    return median(took)


def _own_answer(model: AskedModel, question: _Question, payload: Path) -> Arrays:
    try:
        answer = model.ask(question.inputs)
    except ModelRefusedError as error:
        raise UserModelError(f"--payload {payload}: the model refuses it: {error}", "try another request") from error
    if not finite(answer):
        raise UserModelError(
            f"--payload {payload}: the model answers it with NaN or infinity, which JSON cannot hold",
            "try another request",
        )
    return answer


def _made(signature: Signature, model: AskedModel) -> tuple[list[_Question], list[Arrays], tuple[str, ...]]:
    """Questions with values that are made up, their answers, and a statement on those that had to be left out."""
    form = _rows if rows_of(signature.inputs) else _columns
    asked: list[_Question] = []
    answers: list[Arrays] = []
    tried, why = 0, ""
    for family in made_up(signature.inputs):
        for inputs in family:
            # A slow model is asked less.
            if asked and model.spent_s > _MAKING_S:
                break
            tried += 1
            try:
                answer = model.ask(inputs)
            except ModelRefusedError as error:
                why = f"refuses them: {error}"
                continue
            if not finite(answer):
                why = "answers them with NaN or infinity"
                continue
            asked.append(form(signature, f"made-up-{len(asked):02}", inputs))
            answers.append(answer)
        if asked:
            break
    if not asked:
        raise UserModelError(
            f"of {tried} requests that were made up from the signature, none could be used: the model {why}",
            "this says nothing of the model: give a request of yours: --payload request.json",
        )
    if len(asked[0].body) > MAX_BODY_BYTES:
        raise UserModelError(
            f"one request in JSON takes {len(asked[0].body)} bytes, over the limit of {MAX_BODY_BYTES}",
            "give one in another encoding: --payload request.pb, or a picture",
        )
    dropped = tried - len(asked)
    said = (
        f"of {tried} made-up requests {dropped} were left out: the model {why}; that says nothing of requests of yours"
    )
    return asked, answers, (said,) if dropped else ()


def _read(signature: Signature, payload: Path) -> _Question:
    """The user's own request, taken apart as the endpoint will."""
    kind = CONTENT_TYPES.get(payload.suffix.lower())
    if kind is None:
        known = ", ".join(CONTENT_TYPES)
        raise UserModelError(f"--payload {payload}: its suffix says nothing of what it is", f"name it {known}")
    body = payload.read_bytes()
    # Whether its inputs have one number of rows is what the request itself may tell.
    codec = UserModelCodec(signature=signature, unasked=True)
    if kind in IMAGES and codec.lacks_scale:
        raise UserModelError(
            f"--payload {payload}: nothing says on which scale {signature.inputs[0]} takes the levels of a picture",
            SCALE_HINT,
        )
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


def _probes(
    signature: Signature, model: AskedModel, inputs: list[Arrays], answers: list[Arrays]
) -> tuple[tuple[Arrays, Arrays], ...]:
    """Single rows where rows are independent, else whole requests."""
    if not signature.batched:
        return tuple(zip(inputs, answers, strict=True))[:_MOST_PROBES]
    found: list[tuple[Arrays, Arrays]] = []
    for one in inputs:
        for at in range(len(one[0])):
            if len(found) == _MOST_PROBES or (found and model.spent_s > _PROBING_S):
                return tuple(found)
            row = tuple(each[at : at + 1] for each in one)
            found.append((row, model.ask(row)))
    return tuple(found)


def _expected(signature: Signature, answers: Arrays, form: str) -> Any:
    """The answer's value, nested as the endpoint nests it."""
    outputs = whole(answers, signature.outputs)
    columns = {tensor.name: nested_of(each, tensor) for each, tensor in zip(outputs, signature.outputs, strict=True)}
    if len(columns) == 1:
        return next(iter(columns.values()))
    if form == OUTPUTS:
        return columns
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
