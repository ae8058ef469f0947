"""The Open Inference Protocol, version 2, over a user's model, with Triton's extension for binary tensors.

Sources: https://github.com/kserve/open-inference-protocol (specification/protocol/inference_rest.md) and
https://github.com/triton-inference-server/server (docs/protocol/extension_binary_data.md). KServe's clients, and
Triton's for HTTP, are pointed here without a change; no media type is asked for, since Triton's client sends none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from servers.core import any_tensor, nested
from servers.core.json_text import parse
from servers.core.middleware import MAX_BODY_BYTES
from servers.core.reply import JSON, ApiError, Reply, encode, invalid_input, json_reply, told
from servers.core.service import Endpoint, Service
from servers.core.user_model_codec import UserModelCodec
from servers.models.signature import DATATYPES, elements

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Arrays
    from servers.core.request import Request
    from servers.models.signature import Signature, Tensor
    from servers.models.user_model import UserModel

CLAUSE: Final = "open-inference-protocol"
HEADER_LENGTH: Final = "Inference-Header-Content-Length"
OCTETS: Final = "application/octet-stream"
"""What an answer with binary tensors is."""

_NAME, _VERSION, _PLATFORM = "titrate", "2", "tensorflow_savedmodel"
_EXTENSIONS: Final = ("binary_tensor_data",)
_SIZE: Final = "binary_data_size"
_NOT_OFFERED: Final = ("shared_memory_region", "classification")
_DIGITS: Final = 18


def endpoints(name: str, model: UserModel) -> tuple[Endpoint, ...]:
    """Every route of the protocol: the server's, and the model's without and with its version.

    The protocol has no word for complex numbers, so a model of such has none of them.
    """
    places = (f"v2/models/{name}", f"v2/models/{name}/versions/{model.version}")
    return (*_of_server(), *(endpoint for place in places for endpoint in _of_model(place, name, model)))


def _of_server() -> Iterator[Endpoint]:
    def ready(service: Service, _request: Request) -> Reply:
        service.require_ready()
        return json_reply({"ready": True})

    facts = {"name": _NAME, "version": _VERSION, "extensions": list(_EXTENSIONS)}
    yield _told("v2", "The server", lambda _service, _request: json_reply(facts), *facts)
    yield _told("v2/health/live", "Liveness", lambda _service, _request: json_reply({"live": True}), "live")
    yield _told("v2/health/ready", "Readiness", ready, "ready")


def _of_model(place: str, name: str, model: UserModel) -> Iterator[Endpoint]:
    codec = UserModelCodec(signature=model.signature)
    signature = model.signature
    if any(tensor.dtype not in DATATYPES for tensor in (*signature.inputs, *signature.outputs)):
        return
    facts = {
        "name": name,
        "versions": [model.version],
        "platform": _PLATFORM,
        "inputs": list(map(_metadata, signature.inputs)),
        "outputs": list(map(_metadata, signature.outputs)),
    }

    def ready(service: Service, _request: Request) -> Reply:
        service.require_ready()
        return json_reply({"name": name, "ready": True})

    def infer(service: Service, request: Request) -> Reply:
        document, binary = _parts(request)
        # What is asked for is looked at first: a model is not run for an answer that cannot be given.
        wanted = _wanted(document, signature)
        inputs = _inputs(document, binary, signature)
        codec.check_rows(inputs, "/inputs")
        answer = {"model_name": name, "model_version": model.version}
        if "id" in document:
            answer["id"] = document["id"]
        return _reply(answer, service.run(name, inputs), signature, wanted)

    tensors = {"type": "array", "minItems": len(signature.inputs), "items": {"type": "object"}}
    asked = {"type": "object", "properties": {"inputs": tensors}, "required": ["inputs"]}
    answers = told("Its outputs", required=["model_name", "outputs"])
    answers["content"][OCTETS] = {"schema": {"type": "string", "format": "binary"}}
    operation = {
        "summary": f"Ask the model {name}",
        "requestBody": {"required": True, "content": {JSON: {"schema": asked}}},
        "responses": {"200": answers},
    }
    yield _endpoint(f"{place}/infer", "POST", infer, operation)
    yield _told(place, f"The tensors of the model {name}", lambda _service, _request: json_reply(facts), *facts)
    yield _told(f"{place}/ready", f"Whether the model {name} is ready", ready, "name", "ready")


def _endpoint(
    path: str, method: str, handle: Callable[[Service, Request], Reply], operation: dict[str, Any]
) -> Endpoint:
    return Endpoint(name=path, method=method, handle=handle, operation=operation, clause=CLAUSE, coded=False)


def _told(path: str, summary: str, handle: Callable[[Service, Request], Reply], *members: str) -> Endpoint:
    answer = told(
        summary, properties={name: {} for name in members}, required=list(members), additionalProperties=False
    )
    return _endpoint(path, "GET", handle, {"summary": summary, "responses": {"200": answer}})


def _metadata(tensor: Tensor) -> dict[str, Any]:
    # The protocol has no word for a rank that is open.
    shape = [-1 if size is None else size for size in tensor.shape or ()]
    return {"name": tensor.name, "datatype": DATATYPES[tensor.dtype], "shape": shape}


def _parts(request: Request) -> tuple[dict[str, Any], bytes]:
    """The JSON of a request, and the binary tensors behind it. Raises ApiError."""
    body = request.opened(MAX_BODY_BYTES)
    told_length = request.inference_header_length
    length = len(body)
    if told_length:
        if not told_length.isascii() or not told_length.isdigit() or len(told_length) > _DIGITS:
            raise ApiError(status=400, code="incomplete_body", text=f"{HEADER_LENGTH} is not a number of bytes")
        length = int(told_length)
        if length > len(body):
            raise ApiError(status=400, code="incomplete_body", text=f"{HEADER_LENGTH} is more than the body has")
    document = parse(body[:length], integers=True)
    if type(document) is not dict:
        raise invalid_input("", "must be an object")
    if type(document.get("id", "")) is not str:
        raise invalid_input("/id", "must be a string")
    return document, body[length:]


def _inputs(document: dict[str, Any], binary: bytes, signature: Signature) -> Arrays:
    """The model's inputs in the signature's order. Raises ApiError at what is wrong."""
    if type(listed := document.get("inputs")) is not list:
        raise invalid_input("/inputs", "must be an array of tensors")
    tensors = {tensor.name: tensor for tensor in signature.inputs}
    found: dict[str, NDArray[Any]] = {}
    for at, one in enumerate(listed):
        pointer = f"/inputs/{at}"
        if type(one) is not dict:
            raise invalid_input(pointer, "must be an object")
        name = one.get("name")
        if type(name) is not str or name not in tensors or name in found:
            raise invalid_input(f"{pointer}/name", f"must be one of the inputs, once: {', '.join(tensors)}")
        size = _parameters(one, pointer).get(_SIZE)
        taken = b""
        if size is not None:
            if type(size) is not int or not 0 <= size <= len(binary):
                raise invalid_input(f"{pointer}/parameters/{_SIZE}", "must be a number of bytes that follow the JSON")
            taken, binary = binary[:size], binary[size:]
        found[name] = _input(one, tensors[name], None if size is None else taken, pointer)
    if missing := [name for name in tensors if name not in found]:
        raise invalid_input("/inputs", f"must have every input; there is no {missing[0]}")
    if binary:
        raise invalid_input("/inputs", "must say of all bytes behind the JSON which tensor they are")
    return tuple(found[name] for name in tensors)


def _input(told_of: dict[str, Any], tensor: Tensor, binary: bytes | None, pointer: str) -> NDArray[Any]:
    if told_of.get("datatype") != DATATYPES[tensor.dtype]:
        raise invalid_input(f"{pointer}/datatype", f"must be {DATATYPES[tensor.dtype]}")
    shape = told_of.get("shape")
    sizes = tensor.sizes
    if (
        type(shape) is not list
        or len(shape) != len(sizes)
        or not all(
            type(size) is int and size >= 1 and wanted in (None, size)
            for size, wanted in zip(shape, sizes, strict=True)
        )
        or elements(tuple(shape)) > MAX_BODY_BYTES
    ):
        rule = ", ".join("?" if size is None else str(size) for size in sizes)
        raise invalid_input(f"{pointer}/shape", f"must be [{rule}], ? being any size from 1")
    if (binary is None) != ("data" in told_of):
        raise invalid_input(f"{pointer}/data", "is required, unless the tensor is binary")
    if binary is not None:
        return any_tensor.bare_array_of(binary, tuple(shape), tensor, f"{pointer}/parameters/{_SIZE}")
    data = told_of["data"]
    # Row by row in one list, or nested as the tensor is: the protocol allows both.
    flat = type(data) is list and not any(type(each) is list for each in data)
    wanted = (elements(tuple(shape)),) if flat else tuple(shape)
    return nested.array_of(data, wanted, tensor, f"{pointer}/data").reshape(shape)


def _parameters(told_of: dict[str, Any], pointer: str) -> dict[str, Any]:
    found = told_of.get("parameters", {})
    if type(found) is not dict:
        raise invalid_input(f"{pointer}/parameters", "must be an object")
    for name in _NOT_OFFERED:
        if name in found:
            raise invalid_input(f"{pointer}/parameters/{name}", "is of an extension that is not offered here")
    return found


def _wanted(document: dict[str, Any], signature: Signature) -> dict[str, bool]:
    """The outputs that are asked for, in that order, and whether each is to be binary. Raises ApiError."""
    names = [tensor.name for tensor in signature.outputs]
    usual = _flag(_parameters(document, ""), "binary_data_output", "", default=False)
    # Clients that ask for none in particular leave it out, or empty.
    listed = document.get("outputs") or [{"name": name} for name in names]
    if type(listed) is not list:
        raise invalid_input("/outputs", "must be an array of outputs")
    found: dict[str, bool] = {}
    for at, one in enumerate(listed):
        pointer = f"/outputs/{at}"
        if type(one) is not dict:
            raise invalid_input(pointer, "must be an object")
        name = one.get("name")
        if type(name) is not str or name not in names or name in found:
            raise invalid_input(f"{pointer}/name", f"must be one of the outputs, once: {', '.join(names)}")
        found[name] = _flag(_parameters(one, pointer), "binary_data", pointer, default=usual)
    return found


def _flag(parameters: dict[str, Any], name: str, pointer: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise invalid_input(f"{pointer}/parameters/{name}", "must be true or false")
    return value


def _reply(answer: dict[str, Any], outputs: Arrays, signature: Signature, wanted: dict[str, bool]) -> Reply:
    """The outputs that are wanted, the binary ones behind the JSON. Raises ApiError where one cannot be told."""
    arrays = {tensor.name: (tensor, array) for tensor, array in zip(signature.outputs, outputs, strict=True)}
    texts, behind = [], []
    for name, binary in wanted.items():
        tensor, array = arrays[name]
        told_of = f'"datatype":"{DATATYPES[tensor.dtype]}","name":{json.dumps(name, ensure_ascii=False)}'
        shape = f'"shape":{encode(list(array.shape)).decode()}'
        if binary:
            behind.append(any_tensor.bare_bytes_of(array, tensor, "/inputs"))
            texts.append(f'{{{told_of},"parameters":{{"{_SIZE}":{len(behind[-1])}}},{shape}}}')
        else:
            texts.append(f'{{"data":{nested.text_of(array.reshape(-1), tensor, "/inputs")},{told_of},{shape}}}')
    head = encode(answer).decode()[:-1]
    body = f'{head},"outputs":[{",".join(texts)}]}}'.encode()
    if not behind:
        return Reply(status=200, body=body)
    headers = (("Content-Type", OCTETS), (HEADER_LENGTH, str(len(body))))
    return Reply(status=200, body=body + b"".join(behind), headers=headers)
