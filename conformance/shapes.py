"""Rules for the value of an answer, by name, so that a case can ask for one and stay data.

A rule takes a value as `canonical.read` gives it, or `tensor_messages.read` where the shape is `tensor`, and returns
what is wrong with it, or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from conformance import tensor_messages
from conformance.canonical import Number
from conformance.contract import CODES, GET_PATHS, POST_PATHS

TEXT_ERROR, INFERENCE, INFERENCE_BYTES = "text_error", "inference", "inference_bytes"
INFERENCE_ID: Final = "42"
"""The `id` of the requests that have one."""

STATUSES: Final = {"/healthz": "alive", "/readyz": "ready"}
"""What the one member of these answers says."""


def _number(value: Any) -> str | None:
    return _members(value, "prediction") or _a_number(value["prediction"])


def _matrix(value: Any) -> str | None:
    fault = _members(value, "prediction")
    if fault:
        return fault
    match value["prediction"]:
        case [[inner]]:
            return _a_number(inner)
        case _:
            return "prediction is not a matrix of one row and one column"


def _numbers(value: Any) -> str | None:
    fault = _members(value, "predictions")
    if fault:
        return fault
    numbers = value["predictions"]
    whole = isinstance(numbers, list) and all(isinstance(each, Number) for each in numbers)
    return None if whole else "predictions is not a list of numbers"


def _rows(value: Any) -> str | None:
    fault = _members(value, "predictions")
    if fault:
        return fault
    rows = value["predictions"]
    whole = isinstance(rows, list) and all(
        isinstance(row, list) and len(row) == 1 and isinstance(row[0], Number) for row in rows
    )
    return None if whole else "predictions is not a matrix of one column"


def _tensor(value: Any) -> str | None:
    if value["tensor_shape"][1] != 1:
        return "the tensor has not one column"
    finite = all(math.isfinite(number) for row in value["tensor_content"] for number in row)
    return None if finite else "a prediction is not finite"


def _predictions(value: Any) -> str | None:
    fault = _members(value, "predictions")
    if fault:
        return fault
    return None if isinstance(value["predictions"], list) else "predictions is not a list"


def _outputs(value: Any) -> str | None:
    return _members(value, "outputs")


def _any_tensor(value: Any) -> str | None:
    return None if "tensor_content" in value else "not a tensor"


def _class(value: Any) -> str | None:
    fault = _members(value, "predicted_class")
    if fault:
        return fault
    index = value["predicted_class"]
    whole = isinstance(index, Number) and index.text.isdigit()
    return None if whole else "predicted_class is not a whole number from 0"


def _error(value: Any) -> str | None:
    fault = _members(value, "code", "error")
    if fault:
        return fault
    if not (isinstance(value["code"], str) and isinstance(value["error"], str)):
        return "code and error are not both strings"
    if value["code"] not in CODES:
        return f"no such code in the contract: {value['code'][:40]}"
    return None if value["error"] else "the error text is empty"


def _text_error(value: Any) -> str | None:
    fault = _members(value, "error")
    if fault:
        return fault
    return None if isinstance(value["error"], str) and value["error"] else "the error is no text"


def _serving_state(value: Any) -> str | None:
    fault = _members(value, "model_version_status")
    if fault:
        return fault
    match value["model_version_status"]:
        case [{"version": str(version), "state": "AVAILABLE", "status": status}] if version.isdigit():
            fine = status == {"error_code": "OK", "error_message": ""}
            return None if fine else "the status is not OK without a message"
        case _:
            return "not one version that is AVAILABLE"


def _serving_metadata(value: Any) -> str | None:
    match value:
        case {"model_spec": {"name": str(), "signature_name": "", "version": str()}, "metadata": metadata}:
            known = metadata.get("signature_def", {}).get("signature_def") if isinstance(metadata, dict) else None
            if not isinstance(known, dict) or not known:
                return "no signatures"
            whole = all(set(each) == {"inputs", "outputs", "method_name"} for each in known.values())
            return None if whole else "a signature without inputs, outputs and method_name"
        case _:
            return "no model_spec with its name and version"


def _flag(*names: str) -> Callable[[Any], str | None]:
    def rule(value: Any) -> str | None:
        fault = _members(value, *names)
        if fault:
            return fault
        return None if value[names[-1]] is True else f"{names[-1]} is not true"

    return rule


def _inference_server(value: Any) -> str | None:
    fault = _members(value, "name", "version", "extensions")
    if fault:
        return fault
    return None if "binary_tensor_data" in value["extensions"] else "binary tensors are no extension of it"


def _inference_model(value: Any) -> str | None:
    fault = _members(value, "name", "versions", "platform", "inputs", "outputs")
    if fault:
        return fault
    tensors = [*value["inputs"], *value["outputs"]]
    whole = all(isinstance(one, dict) and set(one) == {"name", "datatype", "shape"} for one in tensors)
    return None if whole and value["inputs"] else "a tensor without name, datatype and shape"


def _inference(value: Any) -> str | None:
    """With `id` where the request had one, which `equality` and the figure cannot tell."""
    if not isinstance(value, dict) or set(value) - {"id"} != {"model_name", "model_version", "outputs"}:
        return "not an object of model_name, model_version and outputs"
    for one in value["outputs"]:
        if not isinstance(one, dict) or set(one) != {"name", "datatype", "shape", "data"}:
            return "an output without name, datatype, shape and data"
        if len(one["data"]) != math.prod(one["shape"]):
            return f"the data of {one['name']} is not as many as its shape says"
    return None


def _inference_with_id(value: Any) -> str | None:
    return _inference(value) or (None if value.get("id") == INFERENCE_ID else "the id of the request is not returned")


def by_name(value: Any) -> dict[str, Any]:
    """The outputs of an inference by their names, so that a figure can be held against them."""
    return {"outputs": {one["name"]: one["data"] for one in value["outputs"]}}


def _metadata(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "not an object"
    kinds: dict[str, type | tuple[type, ...]] = {
        "target": str,
        "versions": dict,
        "models": dict,
        "device": (str, type(None)),
        "threads": dict,
    }
    wrong = [name for name, kind in kinds.items() if name not in value or not isinstance(value[name], kind)]
    return f"missing or of another type: {', '.join(wrong)}" if wrong else None


def _openapi(value: Any) -> str | None:
    if not isinstance(value, dict) or not str(value.get("openapi", "")).startswith("3.1."):
        return "not an OpenAPI 3.1 document"
    paths = value.get("paths")
    if not isinstance(paths, dict):
        return "no paths"
    wanted = {path: ("post", {"200", "400", "413", "415"}) for path in POST_PATHS}
    wanted |= {path: ("get", {"200"}) for path in GET_PATHS}
    for path, (method, statuses) in wanted.items():
        operation = paths.get(path, {}).get(method)
        if not isinstance(operation, dict):
            return f"no {method} {path}"
        missing = statuses - set(operation.get("responses", {}))
        if missing:
            return f"{method} {path} does not mention {', '.join(sorted(missing))}"
    return next((fault for path in GET_PATHS if (fault := _told(path, paths[path]["get"]["responses"]["200"]))), None)


def _told(path: str, answer: Any) -> str | None:
    """Whether the 200 answer of a GET path is told with its words, its media type and, where it is one, its status."""
    if not isinstance(answer, dict) or not isinstance(answer.get("description"), str):
        return f"the answer of {path} has no description"
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    if schema.get("type") != "object":
        return f"the answer of {path} is not told as a JSON object"
    if path not in STATUSES:
        return None
    exact = {"properties": {"status": {"const": STATUSES[path]}}, "required": ["status"], "additionalProperties": False}
    wrong = [name for name, value in exact.items() if schema.get(name) != value]
    return f"the answer of {path} is told with another {wrong[0]}" if wrong else None


def _members(value: Any, *names: str) -> str | None:
    if not isinstance(value, dict) or set(value) != set(names):
        return f"not an object of exactly {', '.join(names)}"
    return None


def _a_number(value: Any) -> str | None:
    return None if isinstance(value, Number) else "the prediction is not a number"


SHAPES: Final[dict[str, Callable[[Any], str | None]]] = {
    "number": _number,
    "matrix": _matrix,
    "numbers": _numbers,
    "rows": _rows,
    "tensor": _tensor,
    "predictions": _predictions,
    "outputs": _outputs,
    "any_tensor": _any_tensor,
    "class": _class,
    "error": _error,
    "metadata": _metadata,
    "openapi": _openapi,
    "text_error": _text_error,
    "serving_state": _serving_state,
    "serving_metadata": _serving_metadata,
    "inference_server": _inference_server,
    "inference_live": _flag("live"),
    "inference_ready": _flag("ready"),
    "inference_model": _inference_model,
    "inference_model_ready": _flag("name", "ready"),
    "inference": _inference,
    "inference_with_id": _inference_with_id,
    "inference_bytes": lambda value: None if value["outputs"] else "no outputs",
}
"""The rules; a case names one in `Expectation.shape`."""

FLOAT32_SHAPES: Final = frozenset({"number", "matrix", "numbers", "rows"})
"""The shapes whose numbers are float32 and are written as short as float32 allows."""

TENSOR_SHAPES: Final = {
    "tensor": tensor_messages.read,
    "any_tensor": tensor_messages.read_any,
    INFERENCE_BYTES: tensor_messages.read_inference,
}
"""The shapes that are no JSON, and what reads them."""

TENSOR_TYPES: Final = {
    "tensor": "application/x-protobuf",
    "any_tensor": "application/x-protobuf",
    INFERENCE_BYTES: "application/octet-stream",
}
"""Their media types."""

PREDICTION_KEYS: Final = {
    "number": "prediction",
    "matrix": "prediction",
    "numbers": "predictions",
    "rows": "predictions",
    "tensor": "tensor_content",
    "predictions": "predictions",
    "outputs": "outputs",
    "any_tensor": "tensor_content",
    "inference": "outputs",
    "inference_bytes": "outputs",
    "class": "predicted_class",
}
"""The member that holds the prediction in each shape that has one; it tells which figures a case stands for."""
