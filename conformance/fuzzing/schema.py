"""Schemathesis with all its checks on `/openapi.json`: in process, or over a socket.

Two things no schema can say are told to it. What an image or a tensor is, by strategies for their media types and for
the format of an image in base64; and that a model may leave float32 although each number of its input fits, by a filter
that asks the model itself before it lets such a refusal pass.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import schemathesis
from hypothesis import strategies as st
from schemathesis import engine
from schemathesis.engine import events

from conformance import tensor_messages
from conformance.contract import BASE64_IMAGE
from conformance.expect import PROTOBUF
from conformance.recipes import DrawnPicture, build

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed.wsgi import WSGIApplication
    from numpy.typing import NDArray
    from schemathesis.core.failures import Failure
    from schemathesis.schemas import BaseSchema

_FEATURES: Final = {"/predict": ("feature",), "/advanced_predict": ("feature1", "feature2")}

ModelAnswers: TypeAlias = "Callable[[str, NDArray[np.float64]], NDArray[np.float64]]"
"""What the models behind the routes answer: a path and rows of features [N, features] to the predictions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaRun:
    """What one run found. `checks` counts the checks made by name, `failures` are in full, `errors` the run's own."""

    cases: int
    checks: Counter[str]
    failures: tuple[str, ...]
    errors: tuple[str, ...]


def over_socket(base_url: str, model: ModelAnswers, *, seed: int, examples: int) -> SchemaRun:
    """All checks on the server at `base_url`; at most `examples` generated cases an operation and phase."""
    # Its client is the only one here that would ask a proxy which the environment names.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    return _run(schemathesis.openapi.from_url(f"{base_url}/openapi.json", config=_config(seed, examples)), model)


def in_process(app: WSGIApplication, model: ModelAnswers, *, seed: int, examples: int) -> SchemaRun:
    """All checks on a WSGI callable."""
    return _run(schemathesis.openapi.from_wsgi("/openapi.json", app, config=_config(seed, examples)), model)


def _config(seed: int, examples: int) -> schemathesis.Config:
    generation = {"max-examples": examples, "database": "none"}
    return schemathesis.Config.from_dict({"seed": seed, "continue-on-failure": True, "generation": generation})


def _run(schema: BaseSchema, model: ModelAnswers) -> SchemaRun:
    _teach(schema, model)
    checks: Counter[str] = Counter()
    failures: list[str] = []
    errors: list[str] = []
    cases = 0
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            cases += len(event.recorder.cases)
            for nodes in event.recorder.checks.values():
                checks.update(node.name for node in nodes)
                failures += [_told(event.label, node) for node in nodes if node.failure_info]
        elif isinstance(event, events.NonFatalError):
            errors.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            errors.append(repr(event.exception))
    return SchemaRun(cases=cases, checks=checks, failures=tuple(failures), errors=tuple(errors))


def _told(label: str | None, node: Any) -> str:
    return f"{label}: {node.name}: {node.failure_info.failure.message}\n{node.failure_info.code_sample}"


def _teach(schema: BaseSchema, model: ModelAnswers) -> None:
    sides = st.integers(min_value=1, max_value=40)
    images = {
        kind: st.builds(_drawn, st.just(kind), st.sampled_from(("RGB", "L")), sides, sides) for kind in ("PNG", "JPEG")
    }
    for kind, strategy in images.items():
        schemathesis.openapi.media_type(f"image/{kind.lower()}", strategy)
    texts = st.one_of(*images.values()).map(lambda image: b64encode(image).decode())
    schemathesis.openapi.format(BASE64_IMAGE, texts)
    schemathesis.openapi.media_type(PROTOBUF, st.integers(min_value=1, max_value=2).flatmap(_drawn_tensors))

    @schema.hook
    def filter_case(_context: Any, case: Any) -> bool:
        # One media type, two widths: a tensor of the other endpoint's is not valid here.
        return case.media_type != PROTOBUF or not _is_the_other_endpoints(case)

    @schema.hook
    def filter_failure(_context: Any, failure: Failure, case: Any, response: Any) -> bool:
        refused = b"the prediction for these values is not finite" in response.content
        return not (refused and type(failure).__name__ == "RejectedPositiveData" and _leaves_float32(case, model))


def _drawn(kind: str, mode: str, width_px: int, height_px: int) -> bytes:
    return build(DrawnPicture(format=kind, mode=mode, width_px=width_px, height_px=height_px))


def _drawn_tensors(width: int) -> st.SearchStrategy[bytes]:
    numbers = st.floats(min_value=-(2.0**99), max_value=2.0**99, width=32)
    rows = st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1, max_size=20)
    return rows.map(
        lambda drawn: tensor_messages.tensor(
            shape=(len(drawn), width), content=tensor_messages.floats(*chain.from_iterable(drawn))
        )
    )


def _is_the_other_endpoints(case: Any) -> bool:
    try:
        width = tensor_messages.read(bytes(case.body))["tensor_shape"][1]
    except (tensor_messages.NotTensorError, TypeError):  # a negative case may hold anything
        return False
    return bool(width != len(_FEATURES[case.path]))


def _leaves_float32(case: Any, model: ModelAnswers) -> bool:
    names = _FEATURES[case.path]
    rows = case.body["instances"] if "instances" in case.body else [[case.body[name] for name in names]]
    wide = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    with np.errstate(over="ignore"):
        return not np.isfinite(model(case.path, wide).astype(np.float32)).all()
