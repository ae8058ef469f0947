"""The endpoint of a user's model: TensorFlow Serving's two formats, held against the signature before it is asked."""

from __future__ import annotations

import io
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from wsgi_callers import Answer, call

from conformance import tensor_messages
from servers.core.any_tensor import MAX_TENSOR_BYTES
from servers.core.openapi_document import document
from servers.core.user_model_endpoint import endpoint
from servers.models.signature import MAX_ROWS, Signature, Tensor
from servers.registry import FRAMEWORKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from servers.core.service import Service

_JSON = "application/json"
_PROTOBUF = "application/x-protobuf"
_CONTRACT = [name for name, framework in FRAMEWORKS.items() if framework.contract]


def _signature(
    inputs: dict[str, Any], outputs: dict[str, Any], *, by_row: bool = True, scale: str | None = None
) -> Signature:
    def named(specs: dict[str, Any]) -> tuple[Tensor, ...]:
        return tuple(Tensor(name=name, dtype=dtype, shape=shape) for name, (dtype, shape) in sorted(specs.items()))

    return Signature(
        name="serving_default",
        inputs=named(inputs),
        outputs=named(outputs),
        by_row=by_row,
        independent=by_row,
        scale=scale,
    )


_TWO = _signature(
    {"left": ("float32", (None, 2)), "right": ("int64", (None,))},
    {"sum": ("float32", (None,)), "twice": ("int64", (None,))},
)
_ONE = _signature({"x": ("float32", (None, 2))}, {"y": ("float32", (None, 2))})
_WORDS = _signature({"word": ("string", (None,))}, {"echo": ("string", (None,)), "long": ("bool", (None,))})
_WHOLE = _signature({"x": ("float64", (3,))}, {"mean": ("float64", ())}, by_row=False)
_STATIC = _signature({"x": ("uint8", (2, 2))}, {"y": ("uint8", (2, 2))})
_PICTURE = _signature({"pixels": ("float32", (None, 4, 6, 3))}, {"mean": ("float32", (None,))}, scale="0..1")


def _two(left: NDArray[Any], right: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    assert (left.dtype, right.dtype) == (np.float32, np.int64)
    return left.sum(axis=1), right * 2


def _words(word: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    return word, np.array([len(each) > 3 for each in word])


_RUNS: dict[str, tuple[Signature, Callable[..., tuple[NDArray[Any], ...]]]] = {
    "two": (_TWO, _two),
    "one": (_ONE, lambda x: (x / np.float32(3),)),
    "words": (_WORDS, _words),
    "whole": (_WHOLE, lambda x: (np.mean(x),)),
    "static": (_STATIC, lambda x: (x,)),
    "picture": (_PICTURE, lambda pixels: (pixels.mean(axis=(1, 2, 3), dtype=np.float32),)),
}


@pytest.fixture(name="services")
def _services(make_service: Callable[[], Service]) -> dict[str, Service]:
    made = {}
    for name in _CONTRACT:
        service = made[name] = make_service()
        service.endpoints += tuple(endpoint(model, signature) for model, (signature, _) in _RUNS.items())
        assert service.loaded is not None
        service.loaded.runs.update({model: run for model, (_, run) in _RUNS.items()})
    return made


@pytest.fixture(name="ask")
def _ask(services: dict[str, Service]) -> Callable[..., Answer]:
    apps = {
        name: import_module(f"servers.apps.{FRAMEWORKS[name].module}").create_app(service)
        for name, service in services.items()
    }

    def ask(model: str, body: Any, content_type: str = _JSON, method: str = "POST") -> Answer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        answers = [call(app, method, f"/{model}", sent, content_type) for app in apps.values()]
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    return ask


@pytest.mark.parametrize(
    ("model", "sent", "answered"),
    [
        ("one", {"instances": [[1, 2], [0.3, 4]]}, b'{"predictions":[[0.33333334,0.6666667],[0.1,1.3333334]]}'),
        ("one", {"instances": [{"x": [1, 2]}]}, b'{"predictions":[[0.33333334,0.6666667]]}'),
        ("one", {"inputs": [[1, 2]]}, b'{"outputs":[[0.33333334,0.6666667]]}'),
        (
            "one",
            {"inputs": {"x": [[1, 2]]}, "signature_name": "serving_default"},
            b'{"outputs":[[0.33333334,0.6666667]]}',
        ),
        (
            "two",
            {"instances": [{"left": [1, 2], "right": 3}, {"right": -4.0, "left": [0.5, 0]}]},
            b'{"predictions":[{"sum":3.0,"twice":6},{"sum":0.5,"twice":-8}]}',
        ),
        ("two", {"inputs": {"left": [[1, 2]], "right": [3]}}, b'{"outputs":{"sum":[3.0],"twice":[6]}}'),
        (
            "two",
            {"inputs": {"left": [[1, 2]], "right": [2**61 + 1]}},
            b'{"outputs":{"sum":[3.0],"twice":[4611686018427387906]}}',
        ),
        (
            "words",
            {"instances": ["caf\u00e9", {"b64": "AP8="}]},
            '{"predictions":[{"echo":"caf\u00e9","long":true},{"echo":{"b64":"AP8="},"long":false}]}'.encode(),
        ),
        ("whole", {"inputs": [1, 2, 6]}, b'{"outputs":3.0}'),
        ("static", {"instances": [[1, 2], [3, 255]]}, b'{"predictions":[[1,2],[3,255]]}'),
    ],
)
def test_both_formats_are_answered(ask: Callable[..., Answer], model: str, sent: Any, answered: bytes) -> None:
    """Rows are answered with rows and columns with columns, in the shortest digits, from every adapter alike."""
    answer = ask(model, sent)
    assert (answer.status, answer.body) == (200, answered)
    assert answer.headers["content-type"] == _JSON


@pytest.mark.parametrize(
    ("model", "sent", "pointer"),
    [
        ("one", [], ""),
        ("one", {}, ""),
        ("one", {"instances": [[1, 2]], "inputs": [[1, 2]]}, ""),
        ("one", {"instances": [[1, 2], [1]]}, "/instances/1"),
        ("one", {"instances": [[1, 2], 1]}, "/instances/1"),
        ("one", {"instances": [[1, 2], [1, True]]}, "/instances/1/1"),
        ("one", {"instances": [[1, 2], [1, "2"]]}, "/instances/1/1"),
        ("one", {"instances": [[1, 1e39]]}, "/instances/0/1"),
        ("one", {"instances": []}, "/instances"),
        ("one", {"instances": {}}, "/instances"),
        ("one", {"instances": [[1, 2]] * (MAX_ROWS + 1)}, "/instances"),
        ("one", {"instances": [{}]}, "/instances/0/x"),
        ("one", {"inputs": {}}, "/inputs/x"),
        ("one", {"inputs": {"x": [[[1, 2]]]}}, "/inputs/x/0/0"),
        ("one", {"inputs": []}, "/inputs"),
        ("one", {"inputs": [[1, 2]] * (MAX_ROWS + 1)}, "/inputs"),
        ("two", {"instances": [[1, 2]]}, "/instances/0"),
        ("two", {"instances": [{"left": [1, 2]}]}, "/instances/0/right"),
        ("two", {"instances": [{"left": [1, None], "right": 1}]}, "/instances/0/left/1"),
        ("two", {"inputs": {"left": [[1, 2]], "right": [1, 2]}}, "/inputs"),
        ("two", {"inputs": {"left": [[1, 2]], "right": [1.5]}}, "/inputs/right/0"),
        ("two", {"inputs": {"left": [[1, 2]], "right": [2**63]}}, "/inputs/right/0"),
        ("two", {"inputs": {"left": [[1, 2]], "right": [1e300]}}, "/inputs/right/0"),
        ("words", {"instances": [1]}, "/instances/0"),
        ("words", {"instances": [{"b64": "AP8"}]}, "/instances/0"),
        ("words", {"inputs": {}}, "/inputs/word"),
        ("whole", {"instances": [1, 2, 6]}, "/instances"),
        ("whole", {"inputs": [1, 2]}, "/inputs"),
        ("static", {"instances": [[1, 2]]}, "/instances"),
        ("static", {"inputs": [[1, 2]]}, "/inputs"),
        ("static", {"instances": [[1, 2], [3, 256]]}, "/instances/1/1"),
    ],
)
def test_what_the_signature_does_not_allow_is_refused_where_it_stands(
    ask: Callable[..., Answer], model: str, sent: Any, pointer: str
) -> None:
    """Wrong arity, shape, type or range is a 400 at its JSON Pointer, and the model is never asked."""
    answer = ask(model, sent)
    found = json.loads(answer.body)
    assert (answer.status, found["code"]) == (400, "invalid_input")
    # A shape that is wrong from one level on is told of the whole value.
    said = found["error"].removeprefix("Input validation error: ").partition(": ")[0]
    assert said == pointer or (pointer.startswith(said) and "nested arrays" in found["error"])


def test_what_json_cannot_hold_is_refused(ask: Callable[..., Answer], services: dict[str, Service]) -> None:
    """A prediction that is not finite is a 400, in JSON and as a tensor, and never NaN on the wire."""
    for service in services.values():
        assert service.loaded is not None
        service.loaded.runs["one"] = lambda x: (x * np.float32(np.inf),)
    good = tensor_messages.tensor(shape=(1, 2), content=tensor_messages.floats(1, 2))
    for answer in (ask("one", {"instances": [[1, 2]]}), ask("one", good, _PROTOBUF)):
        assert answer.status == 400
        assert "not finite" in json.loads(answer.body)["error"]


def test_a_tensor_is_answered_with_a_tensor(ask: Callable[..., Answer]) -> None:
    """A TensorProto gets the very numbers that JSON gets; where two inputs are asked for there is no such form."""
    sent = tensor_messages.tensor(shape=(2, 2), content=tensor_messages.floats(1, 2, 0.25, 4))
    answer = ask("one", sent, _PROTOBUF)
    assert answer.headers["content-type"] == _PROTOBUF
    found = tensor_messages.read(answer.body)["tensor_content"]
    named = json.loads(ask("one", {"instances": [[1, 2], [0.25, 4]]}).body)["predictions"]
    assert [[np.float32(each) for each in row] for row in named] == [
        [np.float32(each) for each in row] for row in found
    ]
    assert ask("two", sent, _PROTOBUF).status == 415


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"\xff", "malformed_protobuf", ""),
        (
            tensor_messages.tensor(dtype=2, shape=(1, 2), content=tensor_messages.doubles(1, 2)),
            "invalid_input",
            "/dtype",
        ),
        (tensor_messages.tensor(shape=(2,), content=tensor_messages.floats(1, 2)), "invalid_input", "/tensor_shape"),
        (
            tensor_messages.tensor(shape=(1, 3), content=tensor_messages.floats(1, 2, 3)),
            "invalid_input",
            "/tensor_shape",
        ),
        (tensor_messages.tensor(shape=(0, 2), content=b""), "invalid_input", "/tensor_shape"),
        (tensor_messages.tensor(shape=(-1, 2), content=tensor_messages.floats(1, 2)), "invalid_input", "/tensor_shape"),
        (tensor_messages.tensor(shape=(MAX_ROWS + 1, 2), float_val=[1]), "invalid_input", "/tensor_shape"),
        (tensor_messages.tensor(shape=(1, 2), content=tensor_messages.floats(1)), "invalid_input", "/tensor_content"),
        (tensor_messages.tensor(shape=(1, 2)), "invalid_input", "/tensor_content"),
        (
            tensor_messages.tensor(shape=(1, 2), content=tensor_messages.floats(1, float("nan"))),
            "invalid_input",
            "/tensor_content",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(
    ask: Callable[..., Answer], body: bytes, code: str, pointer: str
) -> None:
    """Type, shape and number of values are held against the signature, field by field."""
    found = json.loads(ask("one", body, _PROTOBUF).body)
    assert found["code"] == code
    assert pointer in found["error"]


def test_a_short_message_allocates_nothing_large(ask: Callable[..., Answer]) -> None:
    """A message of a few bytes that claims more than a body may hold is refused before anything is made for it."""
    rows = MAX_TENSOR_BYTES // (4 * 6 * 3 * 4)
    fits = tensor_messages.tensor(shape=(min(rows, MAX_ROWS), 4, 6, 3), float_val=[0.5])
    assert ask("picture", fits, _PROTOBUF).status == 200
    wide = _signature({"x": ("float32", (None, 4096))}, {"y": ("float32", (None, 4096))})
    from servers.core import any_tensor  # noqa: PLC0415 - the function under test
    from servers.core.reply import ApiError  # noqa: PLC0415

    claims = tensor_messages.tensor(shape=(1024, 4096), float_val=[0.5])
    assert len(claims) < 64
    with pytest.raises(ApiError, match="/tensor_shape"):
        any_tensor.array_of(claims, wide.inputs[0].sizes, wide.inputs[0])


def test_a_picture_is_taken_as_itself(ask: Callable[..., Answer]) -> None:
    """A PNG is resized to the input's sides and scaled to [0, 1]; a model of other inputs takes none."""
    sink = io.BytesIO()
    Image.new("RGB", (40, 30), (51, 51, 51)).save(sink, format="PNG")
    answer = ask("picture", sink.getvalue(), "image/png")
    assert json.loads(answer.body) == {"predictions": [pytest.approx(0.2)]}
    assert json.loads(ask("picture", sink.getvalue()[:60], "image/png").body)["code"] == "invalid_image"
    assert ask("one", sink.getvalue(), "image/png").status == 415


def test_the_order_of_refusals_is_the_contracts(ask: Callable[..., Answer], services: dict[str, Service]) -> None:
    """405 with Allow, 415 with Accept, then 400; and 503 while the model is not warm."""
    refused = ask("one", b"", method="PUT")
    assert (refused.status, refused.headers["allow"]) == (405, "OPTIONS, POST")
    refused = ask("one", b"{", "text/plain")
    assert (refused.status, refused.headers["accept"]) == (
        415,
        f"{_JSON}, {_PROTOBUF}, application/x-www-form-urlencoded",
    )
    assert json.loads(ask("one", b"{").body)["code"] == "malformed_json"
    for service in services.values():
        service.loaded = None
    assert ask("one", {"instances": [[1, 2]]}).status == 503


def test_openapi_is_true_of_the_endpoint(ask: Callable[..., Answer], services: dict[str, Service]) -> None:
    """What the document's schemas allow is answered in a shape that they name, and what they forbid is refused."""
    whole = document(services["wsgi"].endpoints)
    for model, good, bad in (
        ("one", [{"instances": [[1, 2]]}, {"inputs": {"x": [[1, 2]]}}, {"inputs": [[1, 2]]}], {"instances": [[1]]}),
        ("two", [{"instances": [{"left": [1, 2], "right": 3}]}], {"inputs": {"left": [[1, 2]]}}),
        ("words", [{"instances": ["a", {"b64": "AP8="}]}], {"instances": [1]}),
        ("whole", [{"inputs": [1, 2, 3]}], {"instances": [1, 2, 3]}),
        ("static", [{"instances": [[1, 2], [3, 4]]}], {"instances": [[1, 2]]}),
    ):
        operation = whole["paths"][f"/{model}"]["post"]
        asked = jsonschema.Draft202012Validator(operation["requestBody"]["content"][_JSON]["schema"])
        told = jsonschema.Draft202012Validator(operation["responses"]["200"]["content"][_JSON]["schema"])
        for body in good:
            assert asked.is_valid(body)
            assert told.is_valid(json.loads(ask(model, body).body))
        assert not asked.is_valid(bad)
        assert ask(model, bad).status == 400
