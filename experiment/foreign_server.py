"""A server that is up already and has the user's model: by which protocol it is asked, and how our requests become its.

What it is asked is what our own targets are asked, value for value, so that its answers can be held to the model's own.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, Literal

from conformance.tensor_messages import bare
from experiment.errors import usage
from servers.core.reply import JSON
from servers.models.signature import DATATYPES, SERVING
from servers.models.user_model import UserModel, UserModelPayload

Protocol = Literal["serving", "inference", "contract"]
"""TensorFlow Serving's REST API, the Open Inference Protocol, or the `POST /NAME` of our own contract."""

_PATHS: Final = {
    "serving": re.compile(r"(.*)/(v1/models/[^/:]+(?:/(?:versions|labels)/[^/:]+)?:predict)"),
    "inference": re.compile(r"(.*)/(v2/models/[^/:]+(?:/versions/[^/:]+)?/infer)"),
}
_LENGTH: Final = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where and by which protocol a foreign server is asked of the user's model; `path` begins behind the base URL."""

    protocol: Protocol
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignPayload(UserModelPayload):
    """A payload as a foreign server takes it, with `headers` beside its Content-Type."""

    headers: Mapping[str, str]
    protocol: Protocol

    def read(self, body: bytes) -> Any:
        """The prediction in an answer, as `expected` nests it. Raises ValueError, KeyError or TypeError."""
        answer = json.loads(body)[self.expected_key]
        return {one["name"]: _as_text(_flat(one["data"])) for one in answer} if self.protocol == "inference" else answer


def route_of(base_url: str, model: str) -> tuple[str, Route]:
    """The base URL alone, and the route that its path names; `POST /MODEL` where it names none."""
    for protocol, path in _PATHS.items():
        if found := path.fullmatch(base_url):
            named: Protocol = "serving" if protocol == "serving" else "inference"
            return found[1], Route(protocol=named, path=found[2])
    return base_url, Route(protocol="contract", path=model)


def refuse_without_model(name: str, base_url: str) -> None:
    """Raise ExpectedError for a URL of one of the protocols: without the model there is nothing to ask it."""
    if any(path.fullmatch(base_url) for path in _PATHS.values()):
        raise usage(
            f"--url {name}: a server of this protocol is asked of a model", hint="give it too: --model NAME=SAVED_MODEL"
        )


def translated(route: Route, model: UserModel) -> tuple[UserModelPayload, ...]:
    """The payloads of the model's own route as the foreign server takes them."""
    if route.protocol == "contract":
        return model.payloads
    own = _serving if route.protocol == "serving" else _inference
    return tuple(own(payload, model) for payload in model.payloads)


def _serving(payload: UserModelPayload, model: UserModel) -> ForeignPayload:
    """The same JSON; a tensor or a picture becomes columns."""
    if payload.content_type == JSON:
        document, key, expected = json.loads(payload.body), payload.expected_key, payload.expected
    else:
        columns = _expected(payload, model)
        document, key = {"inputs": model.sample}, "outputs"
        expected = columns if len(columns) > 1 else next(iter(columns.values()))
    if model.signature.name != SERVING:
        document["signature_name"] = model.signature.name
    return _payload(payload, "serving", json.dumps(document, separators=(",", ":")).encode(), key, expected)


def _inference(payload: UserModelPayload, model: UserModel) -> ForeignPayload:
    """Tensors in JSON; strings that are no text follow it as bytes, since JSON has no form for them."""
    inputs = _inputs(payload, model)
    tensors, behind = [], b""
    for tensor in model.signature.inputs:
        value, datatype = inputs[tensor.name], DATATYPES[tensor.dtype]
        told: dict[str, Any] = {"name": tensor.name, "datatype": datatype, "shape": _shape(value)}
        data = _flat(value)
        if any(isinstance(each, dict) for each in data):
            packed = bare(data, datatype)
            told["parameters"] = {"binary_data_size": len(packed)}
            behind += packed
        else:
            told["data"] = data
        tensors.append(told)
    head = json.dumps({"inputs": tensors}, separators=(",", ":")).encode()
    expected = {name: _as_text(_flat(column)) for name, column in _expected(payload, model).items()}
    made = _payload(payload, "inference", head + behind, "outputs", expected)
    return replace(made, headers={_LENGTH: str(len(head))}) if behind else made


def _as_text(values: list[Any]) -> list[Any]:
    """Strings as text where they are text: that protocol has no word for the bytes that others write in base64."""
    found = []
    for each in values:
        try:
            found.append(b64decode(each["b64"]).decode() if isinstance(each, dict) else each)
        except UnicodeDecodeError:
            found.append(each)
    return found


def _payload(payload: UserModelPayload, protocol: Protocol, body: bytes, key: str, expected: Any) -> ForeignPayload:
    return ForeignPayload(
        name=payload.name,
        content_type=JSON,
        body=body,
        expected_key=key,
        expected=expected,
        tolerance=payload.tolerance,
        headers={},
        protocol=protocol,
    )


def _inputs(payload: UserModelPayload, model: UserModel) -> Mapping[str, Any]:
    """The inputs by their names. A tensor or a picture is a file of the user's, and the sample is made from that."""
    if payload.content_type != JSON:
        return model.sample
    document = json.loads(payload.body)
    names = [tensor.name for tensor in model.signature.inputs]
    if "inputs" in document:
        return _named(document["inputs"], names)
    rows = [_named(row, names) for row in document["instances"]]
    return {name: [row[name] for row in rows] for name in names}


def _named(value: Any, names: list[str]) -> Mapping[str, Any]:
    named = isinstance(value, dict) and (len(names) > 1 or set(value) != {"b64"} or names == ["b64"])
    return value if named else {names[0]: value}


def _expected(payload: UserModelPayload, model: UserModel) -> Mapping[str, Any]:
    """The outputs by their names, each a column."""
    names = [tensor.name for tensor in model.signature.outputs]
    if len(names) == 1:
        return {names[0]: payload.expected}
    if payload.expected_key == "predictions":
        return {name: [row[name] for row in payload.expected] for name in names}
    found: Mapping[str, Any] = payload.expected
    return found


def _shape(value: Any) -> list[int]:
    return [len(value), *_shape(value[0])] if isinstance(value, list) else []


def _flat(value: Any) -> list[Any]:
    return list(chain.from_iterable(map(_flat, value))) if isinstance(value, list) else [value]
