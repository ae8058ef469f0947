"""TensorFlow Serving's REST API over a user's model: https://www.tensorflow.org/tfx/serving/api_rest.

Its clients are pointed here without a change. What they send is parsed by the codec of `POST /NAME`, whatever its
Content-Type says, since `curl -d` says that JSON is a form.

`:classify` and `:regress` take features as JSON to a signature whose one input takes each example as a serialized
`tensorflow.Example`, and whose outputs are `classes` and `scores`, or `outputs`
(https://www.tensorflow.org/tfx/serving/signature_defs).
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core import nested
from servers.core.json_text import parse
from servers.core.middleware import MAX_BODY_BYTES
from servers.core.reply import JSON, Reply, invalid_input, json_reply, told
from servers.core.row_counts import MAX_ROWS
from servers.core.service import Endpoint, Service
from servers.core.user_model_codec import UserModelCodec
from servers.core.user_model_endpoint import operation
from servers.models.signature import CLASSIFY, REGRESS

if TYPE_CHECKING:
    from servers.core.mode import Arrays
    from servers.core.request import Request
    from servers.models.signature import Signature
    from servers.models.user_model import UserModel

CLAUSE: Final = "tensorflow-servings-rest-api"

_METHODS: Final = {"classify": CLASSIFY, "regress": REGRESS}
"""By the end of the path, the method that a signature must have."""

_EXAMPLES, _CONTEXT = "examples", "context"
_INT64: Final = 2**63
_MATRIX: Final = 2

_ASKED: Final = {"required": True, "content": {JSON: {"schema": {"type": "object", "required": ["examples"]}}}}
_RESULTS: Final = told("A result for each example", properties={"results": {"type": "array"}}, required=["results"])


def endpoints(name: str, model: UserModel) -> tuple[Endpoint, ...]:
    """Every route of the API for `model`, once without its version and once with it."""
    return tuple(
        endpoint
        for place in (f"v1/models/{name}", f"v1/models/{name}/versions/{model.version}")
        for endpoint in _endpoints(place, name, model)
    )


def _endpoints(place: str, name: str, model: UserModel) -> Iterator[Endpoint]:
    codec = UserModelCodec(signature=model.signature, beside=model.beside)

    def predict(service: Service, request: Request) -> Reply:
        chosen, inputs, form = codec.question_in_json(request.opened(MAX_BODY_BYTES))
        return chosen.reply(service.run(codec.run_name(name, chosen), inputs), form)

    def by_examples(method: str) -> Callable[[Service, Request], Reply]:
        def handle(service: Service, request: Request) -> Reply:
            document = _document_of(request.opened(MAX_BODY_BYTES))
            chosen = codec.chosen(document)
            inputs = _examples(document, chosen.signature, model.method(chosen.signature.name), method)
            outputs = service.run(codec.run_name(name, chosen), inputs)
            return _results(outputs, chosen.signature, method)

        return handle

    def status(service: Service, _request: Request) -> Reply:
        state = "LOADING" if service.loaded is None else "AVAILABLE"
        error = {"error_code": "OK", "error_message": ""}
        return json_reply({"model_version_status": [{"version": model.version, "state": state, "status": error}]})

    def metadata(_service: Service, _request: Request) -> Reply:
        spec = {"name": name, "signature_name": "", "version": model.version}
        return json_reply({"model_spec": spec, "metadata": {"signature_def": {"signature_def": model.signature_defs}}})

    yield _endpoint(f"{place}:predict", "POST", predict, operation(name, codec))
    for method in _METHODS:
        told_of = {"summary": f"{method.capitalize()} examples by the model {name}", "requestBody": _ASKED}
        yield _endpoint(f"{place}:{method}", "POST", by_examples(method), {**told_of, "responses": {"200": _RESULTS}})
    yield _endpoint(place, "GET", status, _told(f"The state of the model {name}", "model_version_status"))
    yield _endpoint(
        f"{place}/metadata", "GET", metadata, _told(f"The signatures of the model {name}", "metadata", "model_spec")
    )


def _endpoint(
    path: str, method: str, handle: Callable[[Service, Request], Reply], operation: dict[str, Any]
) -> Endpoint:
    return Endpoint(name=path, method=method, handle=handle, operation=operation, clause=CLAUSE, coded=False)


def _told(summary: str, *members: str) -> dict[str, Any]:
    answer = told(
        summary, properties={name: {} for name in members}, required=list(members), additionalProperties=False
    )
    return {"summary": summary, "responses": {"200": answer}}


def _document_of(body: bytes) -> dict[str, Any]:
    """The request. Raises ApiError where it is no JSON object."""
    document = parse(body, integers=True)
    if not isinstance(document, dict):
        raise invalid_input("", "must be an object")
    return document


def _examples(document: dict[str, Any], signature: Signature, method: str, asked: str) -> Arrays:
    """The examples of a request, serialized, as the input of `signature`, whose method is `method`. Raises ApiError.

    `asked` is `classify` or `regress`. Features of the `context` are those of every example.
    """
    if method != _METHODS[asked]:
        raise invalid_input("/signature_name", f"must be a signature with the method {_METHODS[asked]}")
    if [tensor.kind for tensor in signature.inputs] != ["string"]:
        raise invalid_input("/signature_name", "must be a signature whose one input takes serialized examples")
    told = document.get(_EXAMPLES)
    if type(told) is not list or not 1 <= len(told) <= MAX_ROWS:
        raise invalid_input(f"/{_EXAMPLES}", f"must be an array of 1 to {MAX_ROWS} examples")
    context = _features(document.get(_CONTEXT, {}), f"/{_CONTEXT}")
    found = np.empty(len(told), dtype=np.object_)
    for at, one in enumerate(told):
        where = f"/{_EXAMPLES}/{at}"
        own = _features(one, where)
        for name in own.keys() & context.keys():
            raise invalid_input(nested.pointer_to(where, name), f"must not be in {_CONTEXT} too")
        found[at] = _serialized(context | own)
    return (found,)


def _results(outputs: Arrays, signature: Signature, asked: str) -> Reply:
    """The answer to the examples. Raises ApiError where an output cannot be told, or is not of the method's shape."""
    by_name = {
        tensor.name: nested.nested_of(array.reshape(len(array), -1), tensor)
        for tensor, array in zip(signature.outputs, outputs, strict=True)
        if 0 < array.ndim <= _MATRIX
    }
    if asked == "regress":
        if not (values := by_name.get("outputs")) or {len(row) for row in values} != {1}:
            raise invalid_input(f"/{_EXAMPLES}", "the model answers them without one value each")
        return json_reply({"results": [value for (value,) in values]})
    classes, scores = by_name.get("classes"), by_name.get("scores")
    if not (either := classes or scores):
        raise invalid_input(f"/{_EXAMPLES}", "the model answers them with neither classes nor scores")
    labels = classes or [[""] * len(row) for row in either]
    numbers = scores or [[0.0] * len(row) for row in either]
    if [len(row) for row in labels] != [len(row) for row in numbers]:
        raise invalid_input(f"/{_EXAMPLES}", "the model answers them with other numbers of classes than of scores")
    rows = [list(map(list, zip(*row, strict=True))) for row in zip(labels, numbers, strict=True)]
    return json_reply({"results": rows})


def _features(told: Any, pointer: str) -> dict[str, tuple[str, list[Any]]]:
    """Each feature's list of `tensorflow.Feature`, and the values in it."""
    if type(told) is not dict:
        raise invalid_input(pointer, "must be an object of features")
    return {name: _feature(value, nested.pointer_to(pointer, name)) for name, value in told.items()}


def _feature(value: Any, pointer: str) -> tuple[str, list[Any]]:
    values = value if type(value) is list else [value]
    kinds = set(map(type, values))
    if kinds <= {str, dict}:
        try:
            return "bytes_list", [each.encode() if type(each) is str else nested.from_base64(each) for each in values]
        except (binascii.Error, TypeError, ValueError):
            raise invalid_input(pointer, 'must be strings, or {"b64": "..."} with base64') from None
    if kinds <= {int, bool} and all(-_INT64 <= each < _INT64 for each in values):
        return "int64_list", list(map(int, values))
    if kinds == {float}:
        with np.errstate(over="ignore"):
            narrow = np.array(values, dtype=np.float64).astype(np.float32)
        if np.isfinite(narrow).all():
            return "float_list", narrow.tolist()
    raise invalid_input(
        pointer, "must be one value or a list: strings, integers of 64 bits, or numbers with a point that fit float32"
    )


def _serialized(features: dict[str, tuple[str, list[Any]]]) -> bytes:
    from tensorflow.core.example.example_pb2 import Example  # noqa: PLC0415 - a serving process has it by now

    example = Example()
    for name, (kind, values) in features.items():
        getattr(example.features.feature[name], kind).value.extend(values)
    written: bytes = example.SerializeToString(deterministic=True)
    return written
