"""What a user's model is held to over the Open Inference Protocol, version 2, with Triton's binary tensors.

Sources: https://github.com/kserve/open-inference-protocol, https://github.com/triton-inference-server/server. The cases
follow from what the model takes, as those of its own route do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, Final

from conformance.case import Case, Expectation, Figure, Topic
from conformance.contract import BODY_LIMIT_BYTES, GET_ALLOW, POST_ALLOW
from conformance.expect import MARKER, get, json_text, not_allowed_in_text, packed, post, refused_in_text
from conformance.http_request import HttpRequest
from conformance.model_cases import ModelEndpoint
from conformance.recipes import Repeat
from conformance.shapes import INFERENCE, INFERENCE_BYTES, INFERENCE_ID
from conformance.tensor_messages import DATATYPES, bare

_INFERENCE: Final = "docs/contract.md#open-inference-protocol"
_TENSORS: Final = "docs/contract.md#tensors-in-json"
_BYTES: Final = "docs/contract.md#binary-tensors"
_LENGTH: Final = "Inference-Header-Content-Length"


def inference_cases(model: ModelEndpoint) -> Iterator[Case]:
    """The cases of the protocol; none for a model of types that it has no word for."""
    if not model.inputs or not {*model.inputs.values(), *model.outputs.values()} <= {*DATATYPES, "BYTES"}:
        return
    case = Topic(prefix="oip", endpoint=model.name, clause=_TENSORS).case
    place = f"/v2/models/{model.name}"
    infer = f"{place}/infer"
    tensors = _tensors(model)
    body = json_text({"inputs": tensors})
    plain = post(infer, body)
    expected = _expected(model)
    answered = Expectation(status=200, shape=INFERENCE, figure=expected)
    alike = replace(answered, same_as=plain)
    name = next(iter(model.outputs))

    yield case("json", "A request in JSON is answered as the model's own signature answers it.", plain, answered)
    nested = [{**one, "data": model.sample[one["name"]]} for one in tensors if one["shape"]]
    scalars = [one for one in tensors if not one["shape"]]
    for kind, proves, request in (
        ("nested", "The data of a tensor may be nested as its shape is.",
         post(infer, json_text({"inputs": nested + scalars}))),
        ("order", "The inputs may come in any order.", post(infer, json_text({"inputs": tensors[::-1]}))),
        ("version", "The version may stand in the path.",
         post(f"{place}/versions/{model.version}/infer", body)),
        ("no-type", "A request without a Content-Type is answered, since Triton's client sends none.",
         post(infer, body, None)),
        ("octets", "A request in JSON that says to be octets is answered alike.",
         post(infer, body, "application/octet-stream")),
        ("gzip", "A body that is packed with gzip is unpacked.",
         packed(infer, body)),
        ("parameters", "A parameter that nobody knows is ignored.",
         post(infer, json_text({"inputs": tensors, "parameters": {"priority": 1}}))),
        ("header", "The length of the JSON may be told where nothing follows it.",
         replace(plain, headers=((_LENGTH, str(len(body))),))),
    ):  # fmt: skip
        yield case(kind, proves, request, alike)
    yield case(
        "id",
        "The id of a request comes back.",
        post(infer, json_text({"id": INFERENCE_ID, "inputs": tensors})),
        Expectation(status=200, shape="inference_with_id"),
    )
    only = None if expected is None else replace(expected, expected={name: expected.expected[name]})
    yield case(
        "one-output",
        "An output that is asked for comes alone.",
        post(infer, json_text({"inputs": tensors, "outputs": [{"name": name}]})),
        replace(answered, figure=only),
    )
    yield from _wrong_tensors(model, tensors)
    yield from _binary(model, tensors, alike, expected)
    yield from _inference_routes(model)
    yield case(
        "recovery",
        "The next good request after bad ones is answered on the same connection.",
        plain,
        alike,
        before=(post(infer, b"{"), post(infer, b'{"inputs":[]}'), post(infer, b'{"inputs":1}')),
    )


def _wrong_tensors(model: ModelEndpoint, tensors: Sequence[dict[str, Any]]) -> Iterator[Case]:
    case = Topic(prefix="oip", endpoint=model.name, clause=_TENSORS).case
    infer = f"/v2/models/{model.name}/infer"
    first = tensors[0]
    other = "FP64" if first["datatype"] != "FP64" else "FP32"
    shape = first["shape"]

    def changed(**members: Any) -> Any:
        return {"inputs": [{**first, **members}, *tensors[1:]]}

    wrong: tuple[tuple[str, str, Any, str], ...] = (
        ("root-array", "An array is no request.", [], ""),
        ("nothing", "A request without inputs is an error.", {}, "/inputs"),
        ("inputs-object", "An object is no list of tensors.", {"inputs": {}}, "/inputs"),
        ("missing-input", "A request that lacks an input is an error.", {"inputs": list(tensors[1:])}, "/inputs"),
        ("not-tensor", "A number is no tensor.", {"inputs": [1]}, "/inputs/0"),
        ("unknown-input", "An input that the model does not have is an error, and is not repeated.",
         changed(name=MARKER), "/inputs/0/name"),
        ("twice", "An input that comes twice is an error.", {"inputs": [first, first]}, "/inputs/1/name"),
        ("datatype", "A datatype that is not the input's is an error.", changed(datatype=other), "/inputs/0/datatype"),
        ("no-datatype", "A tensor without its datatype is an error.", changed(datatype=None), "/inputs/0/datatype"),
        ("rank", "A shape of another rank is an error.", changed(shape=[*shape, 1]), "/inputs/0/shape"),
        ("negative", "A negative size is no size.", changed(shape=[-1] * (len(shape) or 1)), "/inputs/0/shape"),
        ("shape-text", "A text is no shape.", changed(shape=MARKER), "/inputs/0/shape"),
        ("huge", "A shape larger than any body is refused before anything is allocated.",
         changed(shape=[2**60] * (len(shape) or 1)), "/inputs/0/shape"),
        ("no-data", "A tensor without data is an error.",
         {"inputs": [{key: value for key, value in first.items() if key != "data"}, *tensors[1:]]}, "/inputs/0/data"),
        ("more-data", "A list of more values than the shape says is an error.",
         changed(data=[*first["data"], *first["data"], *first["data"]]), "/inputs/0/data"),
        ("element", "An element of no type that a tensor has is an error.",
         changed(data=[{MARKER: 1}, *first["data"][1:]]), "/inputs/0/data/0"),
        ("id-number", "A number is no id.", {"id": 42, "inputs": list(tensors)}, "/id"),
        ("unknown-output", "An output that the model does not have is an error, and is not repeated.",
         {"inputs": list(tensors), "outputs": [{"name": MARKER}]}, "/outputs/0/name"),
        ("outputs-object", "An object is no list of outputs.",
         {"inputs": list(tensors), "outputs": {"name": "x"}}, "/outputs"),
        ("parameters-list", "A list is no object of parameters.", changed(parameters=[]), "/inputs/0/parameters"),
        ("shared-memory", "A tensor in shared memory is of an extension that is not offered.",
         changed(parameters={"shared_memory_region": "x"}), "/inputs/0/parameters/shared_memory_region"),
    )  # fmt: skip
    for name, proves, sent, pointer in wrong:
        yield case(name, proves, post(infer, json_text(sent)), refused_in_text("invalid_input", pointer))
    yield case(
        "malformed", "A text cut short is no JSON.", post(infer, b'{"inputs":'), refused_in_text("malformed_json")
    )
    yield case("empty", "An empty body is no JSON.", post(infer, b""), refused_in_text("malformed_json"))
    yield case(
        "too-large",
        "A body over the limit is refused before it is parsed.",
        post(infer, Repeat(unit=b" ", times=BODY_LIMIT_BYTES + 1)),
        refused_in_text("body_too_large"),
        server_may_refuse=True,
    )


def _binary(
    model: ModelEndpoint, tensors: Sequence[dict[str, Any]], alike: Expectation, expected: Figure | None
) -> Iterator[Case]:
    case = Topic(prefix="oip", endpoint=model.name, clause=_BYTES).case
    infer = f"/v2/models/{model.name}/infer"
    parts = [bare(one["data"], one["datatype"]) for one in tensors]
    described = [_described(one, len(part)) for one, part in zip(tensors, parts, strict=True)]
    behind = b"".join(parts)

    def sent(inputs: Any, bytes_: bytes = behind, length: str | None = None, parameters: Any = None) -> HttpRequest:
        head = json_text({"inputs": inputs} | ({"parameters": parameters} if parameters else {}))
        return replace(post(infer, head + bytes_, None), headers=((_LENGTH, length or str(len(head))),))

    every = {"binary_data_output": True}
    out = post(infer, json_text({"inputs": list(tensors), "parameters": every}), None)
    told = Expectation(status=200, shape=INFERENCE_BYTES, figure=expected)
    yield case("bytes-in", "A request of binary tensors is answered as one in JSON.", sent(described), alike)
    yield case(
        "bytes-out", "A request for binary outputs has them behind the JSON, its length in the header.", out, told
    )
    yield case(
        "bytes-both",
        "The request that Triton's client makes by default is answered with binary outputs.",
        sent(described, parameters=every),
        replace(told, same_as=out),
    )
    yield case(
        "bytes-mixed",
        "A binary tensor may stand beside one in JSON.",
        sent([described[0], *tensors[1:]], parts[0]),
        alike,
    )
    name = next(iter(model.outputs))
    asked = [{"name": name, "parameters": {"binary_data": True}}]
    only = None if expected is None else replace(expected, expected={name: expected.expected[name]})
    yield case(
        "bytes-one-output",
        "An output may ask for bytes by itself.",
        post(infer, json_text({"inputs": list(tensors), "outputs": asked})),
        replace(told, figure=only),
    )
    first, *rest = described
    size = "/inputs/0/parameters/binary_data_size"
    both = {**tensors[0], **first}
    for kind, proves, request, pointer in (
        ("size-beyond", "A size beyond the body is an error.", sent([_described(tensors[0], 2**40), *rest]), size),
        ("size-negative", "A negative size is an error.", sent([_described(tensors[0], -1), *rest]), size),
        ("size-short", "A size that shape and datatype do not come to is an error.",
         sent([_described(tensors[0], len(parts[0]) - 1), *rest]), size),
        ("bytes-left", "A byte that no tensor takes is an error.", sent(described, behind + b"\0"), "/inputs"),
        ("bytes-and-data", "A tensor with both bytes and data is an error.", sent([both, *rest]), "/inputs/0/data"),
        ("flag", "A number is no answer to whether outputs are binary.",
         sent(described, parameters={"binary_data_output": 1}), "/parameters/binary_data_output"),
    ):  # fmt: skip
        yield case(kind, proves, request, refused_in_text("invalid_input", pointer))
    for kind, proves, length in (
        ("length-beyond", "A length of the JSON beyond the body is an error.", str(10**9)),
        ("length-word", "A word is no length of the JSON.", "x"),
        ("length-negative", "A negative length of the JSON is an error.", "-1"),
    ):
        yield case(kind, proves, sent(described, length=length), refused_in_text("incomplete_body"))
    yield case(
        "length-short",
        "A length within the JSON cuts it.",
        sent(described, length="5"),
        refused_in_text("malformed_json"),
    )


def _inference_routes(model: ModelEndpoint) -> Iterator[Case]:
    case = Topic(prefix="oip", endpoint=model.name, clause=_INFERENCE).case
    place = f"/v2/models/{model.name}"
    versioned = f"{place}/versions/{model.version}"
    for name, target, shape in (
        ("server", "/v2", "inference_server"),
        ("live", "/v2/health/live", "inference_live"),
        ("ready", "/v2/health/ready", "inference_ready"),
        ("model", place, "inference_model"),
        ("model-ready", f"{place}/ready", "inference_model_ready"),
    ):
        there = Expectation(status=200, shape=shape)
        yield case(
            name, f"A GET of {target.replace(model.name, 'NAME')} has the protocol's members.", get(target), there
        )
        yield case(
            f"{name}-head",
            f"HEAD of {target.replace(model.name, 'NAME')} is answered with the headers of the GET.",
            get(target, "HEAD"),
            Expectation(status=200, same_as=get(target)),
        )
    for name, target, own in (
        ("model-version", versioned, place),
        ("model-ready-version", f"{versioned}/ready", f"{place}/ready"),
    ):
        proves = f"A GET of {own.replace(model.name, 'NAME')} is answered alike with the version in its path."
        yield case(name, proves, get(target), Expectation(status=200, same_as=get(own)))
    for name, proves, request in (
        ("no-model", "A model that is not served is not found.", get(f"{place}x")),
        ("no-version", "A version that is not served is not found.", get(f"{place}/versions/{model.version}9")),
        ("no-infer", "A model that is not served infers nothing.", post(f"{place}x/infer", b"{}")),
        ("server-slash", "A path with a slash behind it is another path.", get("/v2/")),
    ):
        yield case(name, proves, request, refused_in_text("not_found"))
    proves = "A GET of the inference is 405 with what is allowed."
    yield case("infer-get", proves, get(f"{place}/infer"), not_allowed_in_text(POST_ALLOW))
    proves = "A POST of the liveness is 405 with what is allowed."
    yield case("live-post", proves, post("/v2/health/live", b"{}"), not_allowed_in_text(GET_ALLOW))


def _tensors(model: ModelEndpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "datatype": datatype, "shape": _shape(model.sample[name]), "data": _flat(model.sample[name])}
        for name, datatype in model.inputs.items()
    ]


def _described(tensor: Mapping[str, Any], size: int) -> dict[str, Any]:
    kept = {key: tensor[key] for key in ("name", "datatype", "shape")}
    return {**kept, "parameters": {"binary_data_size": size}}


def _expected(model: ModelEndpoint) -> Figure | None:
    """The outputs of the first good request, flat, by their names; None where it was not of the sample."""
    figure = model.figures[0]
    columns = figure.expected
    if len(model.outputs) == 1:
        columns = dict.fromkeys(model.outputs, figure.expected)
    elif figure.key == "predictions":
        columns = {name: [row[name] for row in figure.expected] for name in model.outputs}
    return replace(figure, key="outputs", expected={name: _flat(columns[name]) for name in model.outputs})


def _shape(value: Any) -> list[int]:
    return [len(value), *_shape(value[0])] if isinstance(value, list) else []


def _flat(value: Any) -> list[Any]:
    return list(chain.from_iterable(map(_flat, value))) if isinstance(value, list) else [value]
