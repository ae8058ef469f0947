"""TensorFlow Serving's REST API and the Open Inference Protocol, asked as their clients ask, under every adapter."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from contextlib import closing
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
import requests
from case_style import faults
from geventhttpclient import HTTPClient
from serving_stand_in import INFERENCE, SERVING, stand_in
from wsgi_callers import SERVERS, Answer, call

from conformance.examination import Examination, run_cases
from conformance.parity import differences as differences_of
from experiment.compared_pairs import comparisons
from experiment.errors import ExpectedError
from experiment.foreign_server import ForeignPayload, Route, route_of, translated
from experiment.journal_records import TargetRecord
from experiment.line_up import contenders
from experiment.priming import WrongAnswerError, prime
from experiment.run_request import _routed
from experiment.user_model_setup import UserModelSetup
from loadtests.arrival import ClosedLoop
from loadtests.scenarios import Scenario
from reports.treatment import differences
from reports.wording import part_name
from servers.core.endpoints import of_model
from servers.core.openapi_document import document
from servers.core.reply import invalid_input
from servers.core.user_model_codec import UserModelCodec, beside_name
from servers.models.signature import CLASSIFY, REGRESS, Signature, Tensor, signature_of
from servers.models.user_model import UserModel, UserModelPayload
from servers.registry import FRAMEWORKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from servers.core.service import Service

_CONTRACT = [name for name, framework in FRAMEWORKS.items() if framework.contract]


def _info(dtype: str, *sizes: int) -> dict[str, Any]:
    dim = [{"size": str(size), "name": ""} for size in sizes]
    return {"dtype": dtype, "tensor_shape": {"dim": dim, "unknown_rank": False}, "name": "x:0"}


def _definition(inputs: dict[str, Any], outputs: dict[str, Any], method: str) -> dict[str, Any]:
    return {"inputs": inputs, "outputs": outputs, "method_name": method}


_EXAMPLES = {"inputs": _info("DT_STRING", -1)}
_DEFINITIONS = {
    "classify": _definition(
        _EXAMPLES, {"classes": _info("DT_STRING", -1, 2), "scores": _info("DT_FLOAT", -1, 2)}, CLASSIFY
    ),
    "half": _definition({"x": _info("DT_FLOAT", -1)}, {"y": _info("DT_FLOAT", -1)}, "tensorflow/serving/predict"),
    "regress": _definition(_EXAMPLES, {"outputs": _info("DT_FLOAT", -1, 1)}, REGRESS),
    "serving_default": _definition(
        {"left": _info("DT_FLOAT", -1, 2), "right": _info("DT_INT64", -1), "word_bytes": _info("DT_STRING", -1)},
        {
            "flag": _info("DT_BOOL", -1),
            "long_bytes": _info("DT_STRING", -1),
            "sum": _info("DT_FLOAT", -1),
            "twice": _info("DT_INT64", -1),
        },
        "tensorflow/serving/predict",
    ),
    "strange": _definition({"x": _info("DT_COMPLEX64", -1)}, {"y": _info("DT_FLOAT", -1)}, ""),
}
_TOLD = signature_of("serving_default", _DEFINITIONS["serving_default"])
assert _TOLD is not None
_SIGNATURE = Signature(name=_TOLD.name, inputs=_TOLD.inputs, outputs=_TOLD.outputs, by_row=True, independent=True)
_MODEL = UserModel(
    folder=Path("description"),
    saved_model=Path("models/mine/0007"),
    digest="0" * 64,
    signature=_SIGNATURE,
    payloads=(),
    sample={},
    accepts=(),
    signature_defs=_DEFINITIONS,
)
_INPUTS = {"left": [[1, 2]], "right": [3], "word_bytes": ["caf\u00e9"]}
_OUTPUTS = {"flag": [True], "long_bytes": [{"b64": "Y2Fmw6khIQ=="}], "sum": [3.0], "twice": [6]}


def _serve(
    left: NDArray[Any], right: NDArray[Any], word: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    if right.max() > 1000:
        raise invalid_input("", "the model refuses these values")
    longer = np.array([each + b"!!" for each in word], dtype=np.object_)
    return right > 0, longer, left.sum(axis=1), right * 2


def _features(examples: NDArray[Any]) -> list[Any]:
    from tensorflow.core.example.example_pb2 import Example  # noqa: PLC0415 - only where it is needed

    return [Example.FromString(each).features.feature for each in examples]


def _regress(examples: NDArray[Any]) -> tuple[NDArray[Any]]:
    return (np.array([[each["x"].float_list.value[0] / 2 + 2] for each in _features(examples)], dtype=np.float32),)


def _classify(examples: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    found = _features(examples)
    classes = np.array([[each["label"].bytes_list.value[0], b"\xff"] for each in found], dtype=np.object_)
    return classes, np.array([[each["n"].int64_list.value[-1], 0.1] for each in found], dtype=np.float32)


@pytest.fixture(name="services")
def _services(make_service: Callable[[], Service]) -> dict[str, Service]:
    made = {}
    for name in _CONTRACT:
        service = made[name] = make_service()
        service.endpoints += of_model("mine", _MODEL)
        assert service.loaded is not None
        runs = {"half": lambda x: (x / 2,), "regress": _regress, "classify": _classify}
        service.loaded.runs["mine"] = _serve
        for one in _MODEL.beside:
            service.loaded.runs[beside_name("mine", one)] = runs[one.name]
    return made


@pytest.fixture(name="ask")
def _ask(services: dict[str, Service]) -> Callable[..., Answer]:
    apps = [import_module(f"servers.apps.{FRAMEWORKS[one].module}").create_app(each) for one, each in services.items()]

    def ask(
        path: str, body: Any = b"", content_type: str | None = None, method: str = "POST", **environ: str
    ) -> Answer:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        answers = [call(app, method, path, sent, content_type, environ=environ) for app in apps]
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    return ask


def _told(answer: Answer) -> Any:
    return answer.status, json.loads(answer.body)


def _tensor(name: str, datatype: str, shape: list[int], **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, **more}


_TENSORS = [
    _tensor("left", "FP32", [1, 2], data=[1, 2]),
    _tensor("right", "INT64", [1], data=[3]),
    _tensor("word_bytes", "BYTES", [1], data=["caf\u00e9"]),
]


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("path", ["/v1/models/mine:predict", "/v1/models/mine/versions/7:predict"])
def test_serving_predicts_whatever_the_content_type(ask: Callable[..., Answer], path: str, content_type: str) -> None:
    """Rows and columns are answered as documented, `_bytes` as base64, on both forms of the path."""
    assert _told(ask(path, {"inputs": _INPUTS}, content_type)) == (200, {"outputs": _OUTPUTS})
    row = {name: value[0] for name, value in _INPUTS.items()}
    told = {name: value[0] for name, value in _OUTPUTS.items()}
    assert _told(ask(path, {"instances": [row, row]}, content_type)) == (200, {"predictions": [told, told]})


def test_both_paths_of_a_model_answer_alike(ask: Callable[..., Answer]) -> None:
    """`POST /NAME` and `:predict` give the same bytes, also where `curl -d` calls the JSON a form."""
    body = {"inputs": _INPUTS, "signature_name": "serving_default"}
    assert ask("/mine", body, "application/x-www-form-urlencoded") == ask("/v1/models/mine:predict", body)


@pytest.mark.parametrize("path", ["/mine", "/v1/models/mine:predict"])
def test_a_signature_is_asked_by_its_name(ask: Callable[..., Answer], path: str) -> None:
    """Another signature of the file answers where the request names it; an unknown one is a 400 that lists them."""
    asked = {"signature_name": "half", "instances": [1.0, 3]}
    assert _told(ask(path, asked, "application/json")) == (200, {"predictions": [0.5, 1.5]})
    for name in ("nowhere", "strange", "", 1, None):
        status, told = _told(ask(path, {**asked, "signature_name": name}, "application/json"))
        assert status == 400
        assert told["error"].startswith("Input validation error: /signature_name: must be")
        assert "serving_default, classify, half, regress" in told["error"]


def test_serving_tells_state_and_signatures(ask: Callable[..., Answer], services: dict[str, Service]) -> None:
    """Status and metadata have TensorFlow Serving's members, with the version that is the folder's number."""
    state = {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/mine", "/v1/models/mine/versions/7"):
        assert _told(ask(path, method="GET")) == (200, {"model_version_status": [state]})
        status, told = _told(ask(f"{path}/metadata", method="GET"))
        assert (status, told["model_spec"]) == (200, {"name": "mine", "signature_name": "", "version": "7"})
        assert told["metadata"]["signature_def"]["signature_def"] == _DEFINITIONS
    for service in services.values():
        service.loaded = None
    _, told = _told(ask("/v1/models/mine", method="GET"))
    assert told["model_version_status"][0]["state"] == "LOADING"
    assert ask("/v1/models/mine:predict", {"inputs": _INPUTS}).status == 503


def test_examples_are_classified_and_regressed(ask: Callable[..., Answer]) -> None:
    """Features become serialized examples by their JSON types, with those of the context in each of them."""
    asked: dict[str, Any] = {"signature_name": "regress", "examples": [{"x": 80.0}, {"x": [1.0]}]}
    assert _told(ask("/v1/models/mine:regress", asked)) == (200, {"results": [42.0, 2.5]})
    context = {"label": {"b64": "Y2F0"}}
    asked = {"signature_name": "classify", "context": context, "examples": [{"n": [1, 2]}, {"n": True}]}
    rows = [[["cat", 2.0], [{"b64": "/w=="}, 0.1]], [["cat", 1.0], [{"b64": "/w=="}, 0.1]]]
    assert _told(ask("/v1/models/mine/versions/7:classify", asked)) == (200, {"results": rows})


@pytest.mark.parametrize(
    ("method", "asked", "pointer"),
    [
        ("regress", {"examples": [{"x": 1.0}]}, "/signature_name"),
        ("classify", {"signature_name": "regress", "examples": [{"x": 1.0}]}, "/signature_name"),
        ("regress", {"signature_name": "regress"}, "/examples"),
        ("regress", {"signature_name": "regress", "examples": []}, "/examples"),
        ("regress", {"signature_name": "regress", "examples": [1]}, "/examples/0"),
        ("regress", {"signature_name": "regress", "examples": [{"x": None}]}, "/examples/0/x"),
        ("regress", {"signature_name": "regress", "examples": [{"x": [1, 2.0]}]}, "/examples/0/x"),
        ("regress", {"signature_name": "regress", "examples": [{"x": 1e39}]}, "/examples/0/x"),
        ("regress", {"signature_name": "regress", "examples": [{"x": 2**63}]}, "/examples/0/x"),
        ("regress", {"signature_name": "regress", "examples": [{"x": {"b64": "?"}}]}, "/examples/0/x"),
        ("regress", {"signature_name": "regress", "context": {"x": 1.0}, "examples": [{"x": 1.0}]}, "/examples/0/x"),
        ("regress", {"signature_name": "regress", "context": 1, "examples": [{"x": 1.0}]}, "/context"),
    ],
)
def test_wrong_examples_are_refused_where_they_stand(
    ask: Callable[..., Answer], method: str, asked: Any, pointer: str
) -> None:
    """A signature without the method and features that no example can hold are 400 at their JSON Pointer."""
    status, told = _told(ask(f"/v1/models/mine:{method}", asked))
    assert (status, set(told)) == (400, {"error"})
    assert told["error"].startswith(f"Input validation error: {pointer}: ")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/v1/models/other:predict", "POST", 404),
        ("/v1/models/mine/versions/8:predict", "POST", 404),
        ("/v1/models/mine:predict", "GET", 405),
        ("/v1/models", "GET", 404),
        ("/v1/models/mine:predict/", "POST", 404),
        ("/v2/models/other/infer", "POST", 404),
        ("/v2/models/mine/infer", "GET", 405),
        ("/v2/", "GET", 404),
        ("/v2/health/live", "POST", 405),
    ],
)
def test_errors_beside_the_routes_have_their_shape(
    ask: Callable[..., Answer], path: str, method: str, status: int
) -> None:
    """Other models, versions and methods are refused with `{"error": text}`, as both protocols write an error."""
    answer = ask(path, b"", method=method)
    assert (answer.status, list(json.loads(answer.body))) == (status, ["error"])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", " GZIP "])
@pytest.mark.parametrize("path", ["/v1/models/mine:predict", "/v2/models/mine/infer"])
def test_a_packed_body_is_unpacked(ask: Callable[..., Answer], path: str, encoding: str) -> None:
    """What a client may pack, as Triton's does when it is told to, is answered as the same body unpacked."""
    body = json.dumps({"inputs": _INPUTS if "v1" in path else _TENSORS}).encode()
    pack: Callable[[bytes], bytes] = {"gzip": gzip.compress, "deflate": zlib.compress}.get(
        encoding.strip().lower(), bytes
    )
    assert ask(path, pack(body), HTTP_CONTENT_ENCODING=encoding) == ask(path, body)
    if pack is not bytes:
        for broken in (pack(body)[:-1], pack(body) + b"x", body):
            assert ask(path, broken, HTTP_CONTENT_ENCODING=encoding).status == 400
        assert ask(path, pack(bytes(9 * 2**20)), HTTP_CONTENT_ENCODING=encoding).status == 413
    assert ask(path, body, HTTP_CONTENT_ENCODING="br").status == 415


def test_the_server_and_the_model_tell_of_themselves(ask: Callable[..., Answer], services: dict[str, Service]) -> None:
    """The routes without a body have the members that the protocol names, and readiness is 503 until it is so."""
    server = {"name": "titrate", "version": "2", "extensions": ["binary_tensor_data"]}
    assert _told(ask("/v2", method="GET")) == (200, server)
    assert _told(ask("/v2/health/live", method="GET")) == (200, {"live": True})
    assert _told(ask("/v2/health/ready", method="GET")) == (200, {"ready": True})
    for path in ("/v2/models/mine", "/v2/models/mine/versions/7"):
        status, told = _told(ask(path, method="GET"))
        assert (status, told["name"], told["versions"]) == (200, "mine", ["7"])
        assert told["inputs"] == [
            _tensor("left", "FP32", [-1, 2]),
            _tensor("right", "INT64", [-1]),
            _tensor("word_bytes", "BYTES", [-1]),
        ]
        assert [one["datatype"] for one in told["outputs"]] == ["BOOL", "BYTES", "FP32", "INT64"]
        assert _told(ask(f"{path}/ready", method="GET")) == (200, {"name": "mine", "ready": True})
    for service in services.values():
        service.loaded = None
    assert ask("/v2/health/live", method="GET").status == 200
    assert [ask(path, method="GET").status for path in ("/v2/health/ready", "/v2/models/mine/ready")] == [503, 503]


def test_tensors_in_json_are_answered_in_json(ask: Callable[..., Answer]) -> None:
    """Data comes flat or nested, goes out flat with its shape, only for the outputs that are asked for, with the id."""
    asked = {"id": "42", "inputs": _TENSORS, "outputs": [{"name": "twice"}, {"name": "sum"}]}
    answer = ask("/v2/models/mine/infer", asked)
    assert _told(answer) == (
        200,
        {
            "id": "42",
            "model_name": "mine",
            "model_version": "7",
            "outputs": [_tensor("twice", "INT64", [1], data=[6]), _tensor("sum", "FP32", [1], data=[3.0])],
        },
    )
    nested = [_tensor("left", "FP32", [1, 2], data=[[1, 2]]), *_TENSORS[1:]]
    assert ask("/v2/models/mine/versions/7/infer", {**asked, "inputs": nested}).body == answer.body
    _, told = _told(ask("/v2/models/mine/infer", {"inputs": list(reversed(_TENSORS))}))
    assert [one["name"] for one in told["outputs"]] == ["flag", "long_bytes", "sum", "twice"]
    assert told["outputs"][1]["data"] == [{"b64": "Y2Fmw6khIQ=="}]


def _binary() -> tuple[dict[str, Any], bytes]:
    """The request that Triton's HTTP client makes of three arrays where nothing is said of outputs."""
    word = struct.pack("<I", 2) + b"\xff\x00"
    parts = [struct.pack("<2f", 1, 2), struct.pack("<q", 3), word]
    named = [("left", "FP32", [1, 2]), ("right", "INT64", [1]), ("word_bytes", "BYTES", [1])]
    tensors = [
        _tensor(*one, parameters={"binary_data_size": len(part)}) for one, part in zip(named, parts, strict=True)
    ]
    return {"inputs": tensors, "parameters": {"binary_data_output": True}}, b"".join(parts)


def test_binary_tensors_are_answered_with_binary_tensors(ask: Callable[..., Answer]) -> None:
    """Bytes behind the JSON, in and out, with the length of the JSON in the header, as the client of Triton reads."""
    head, behind = _binary()
    text = json.dumps(head).encode()
    answer = ask("/v2/models/mine/infer", text + behind, HTTP_INFERENCE_HEADER_CONTENT_LENGTH=str(len(text)))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    length = int(answer.headers["inference-header-content-length"])
    told = json.loads(answer.body[:length])
    sizes = [one["parameters"]["binary_data_size"] for one in told["outputs"]]
    assert [one["name"] for one in told["outputs"]] == ["flag", "long_bytes", "sum", "twice"]
    assert answer.body[length:] == b"\x01" + struct.pack("<I", 4) + b"\xff\x00!!" + struct.pack("<fq", 3, 6)
    assert sizes == [1, 8, 4, 8]
    mixed = {**head, "outputs": [{"name": "sum"}, {"name": "twice", "parameters": {"binary_data": False}}]}
    text = json.dumps(mixed).encode()
    answer = ask("/v2/models/mine/infer", text + behind, HTTP_INFERENCE_HEADER_CONTENT_LENGTH=str(len(text)))
    length = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.body[:length])["outputs"][1] == _tensor("twice", "INT64", [1], data=[6])
    assert answer.body[length:] == struct.pack("<f", 3)


def _changed(at: int, **members: Any) -> dict[str, Any]:
    tensors = [dict(one) for one in _TENSORS]
    tensors[at] |= members
    return {"inputs": tensors}


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ([], ""),
        ({}, "/inputs"),
        ({"inputs": _INPUTS}, "/inputs"),
        ({"inputs": [1]}, "/inputs/0"),
        ({"inputs": _TENSORS[:2]}, "/inputs"),
        ({"inputs": [*_TENSORS, _TENSORS[0]]}, "/inputs/3/name"),
        ({"id": 42, "inputs": _TENSORS}, "/id"),
        (_changed(0, name="nowhere"), "/inputs/0/name"),
        (_changed(0, datatype="FP64"), "/inputs/0/datatype"),
        (_changed(0, shape=[2, 1]), "/inputs/0/shape"),
        (_changed(0, shape=[1]), "/inputs/0/shape"),
        (_changed(0, shape=[0, 2]), "/inputs/0/shape"),
        (_changed(0, shape=[2**40, 2]), "/inputs/0/shape"),
        (_changed(0, shape=[True, 2]), "/inputs/0/shape"),
        (_changed(0, data=[1]), "/inputs/0/data"),
        (_changed(0, data=[1, "2"]), "/inputs/0/data/1"),
        (_changed(0, data=[1, 1e39]), "/inputs/0/data/1"),
        (_changed(1, data=[1.5]), "/inputs/1/data/0"),
        (_changed(2, data=[1]), "/inputs/2/data/0"),
        (_changed(1, shape=[2], data=[1, 2]), "/inputs"),
        (_changed(1, data=[1001]), ""),
        (_changed(0, parameters=1), "/inputs/0/parameters"),
        (_changed(0, parameters={"binary_data_size": 8}), "/inputs/0/parameters/binary_data_size"),
        (_changed(0, parameters={"shared_memory_region": "x"}), "/inputs/0/parameters/shared_memory_region"),
        ({"inputs": _TENSORS, "outputs": [{"name": "nowhere"}]}, "/outputs/0/name"),
        ({"inputs": _TENSORS, "outputs": {"name": "sum"}}, "/outputs"),
        ({"inputs": _TENSORS, "outputs": [1]}, "/outputs/0"),
        (
            {"inputs": _TENSORS, "outputs": [{"name": "sum", "parameters": {"classification": 3}}]},
            "/outputs/0/parameters/classification",
        ),
        ({"inputs": _TENSORS, "parameters": {"binary_data_output": 1}}, "/parameters/binary_data_output"),
    ],
)
def test_wrong_tensors_are_refused_where_they_stand(ask: Callable[..., Answer], asked: Any, pointer: str) -> None:
    """What the protocol or the signature does not allow is 400 at its JSON Pointer, with the text alone."""
    status, told = _told(ask("/v2/models/mine/infer", asked))
    assert (status, set(told)) == (400, {"error"})
    assert told["error"].startswith(f"Input validation error: {pointer}: ")


@pytest.mark.parametrize(
    ("change", "length"),
    [
        ({}, -1),
        ({}, 1),
        ({}, "x"),
        ({}, "9" * 30),
        ({"left": 7}, 0),
        ({"right": 9}, 0),
        ({"word_bytes": 5}, 0),
        ({"left": -1}, 0),
        ({"left": 4000}, 0),
        ({"left": "8"}, 0),
    ],
)
def test_wrong_bytes_are_refused(ask: Callable[..., Answer], change: dict[str, Any], length: Any) -> None:
    """A header or a size that does not add up to the body is a 400, never another tensor's bytes."""
    head, behind = _binary()
    for tensor in head["inputs"]:
        if tensor["name"] in change:
            tensor["parameters"] = {"binary_data_size": change[tensor["name"]]}
    text = json.dumps(head).encode()
    told = length if isinstance(length, str) else str(len(text) + length)
    answer = ask("/v2/models/mine/infer", text + behind, HTTP_INFERENCE_HEADER_CONTENT_LENGTH=told)
    assert (answer.status, list(json.loads(answer.body))) == (400, ["error"])


def test_openapi_tells_of_both_protocols(ask: Callable[..., Answer], services: dict[str, Service]) -> None:
    """Every route is in the document with its own error, and what is answered is what its schema allows."""
    whole = document(services["wsgi"].endpoints)
    paths = {path for path in whole["paths"] if path.startswith(("/v1", "/v2"))}
    assert len(paths) == 19
    for path in paths:
        (method,) = {"get", "post"} & whole["paths"][path].keys()
        operation = whole["paths"][path][method]
        refusal = operation["responses"]["500"]["$ref"].rpartition("/")[2]
        assert set(whole["components"]["responses"]) >= {refusal}
        assert refusal == "TextError"
        body = {"inputs": _INPUTS} if ":predict" in path else {"inputs": _TENSORS}
        answer = ask(path, b"" if method == "get" else body, method=method.upper())
        schema = (
            operation["responses"]["200"]["content"]["application/json"]["schema"]
            if answer.status == 200
            else whole["components"]["schemas"]["TextError"]
        )
        jsonschema.validate(json.loads(answer.body), schema)


def test_inputs_of_different_rows_are_the_models_matter() -> None:
    """Two inputs may have other numbers of rows where a row of one is not a row of the other, and only there."""
    tensors = tuple(Tensor(name=name, dtype="float32", shape=(None, 1)) for name in ("a", "b"))
    body = json.dumps({"inputs": {"a": [[1]], "b": [[1], [2]]}}).encode()
    for independent in (False, True):
        signature = Signature(name="s", inputs=tensors, outputs=tensors, by_row=True, independent=independent)
        codec = UserModelCodec(signature=signature)
        if independent:
            with pytest.raises(Exception, match="one number of rows"):
                codec.question_in_json(body)
        else:
            _, found, _ = codec.question_in_json(body)
            assert [len(each) for each in found] == [1, 2]


def _half(*payloads: UserModelPayload, signature: str = "serving_default") -> UserModel:
    tensor = {"x": _info("DT_FLOAT", -1, 1)}, {"y": _info("DT_FLOAT", -1, 1)}
    found = signature_of(signature, _definition(*tensor, ""))
    assert found is not None
    return replace(_MODEL, signature=found, payloads=payloads, sample={"x": [[1.0], [3.0]]}, signature_defs={})


def _payload(body: bytes, key: str, expected: Any, content_type: str = "application/json") -> UserModelPayload:
    return UserModelPayload(
        name="asked", content_type=content_type, body=body, expected_key=key, expected=expected, tolerance=1e-4
    )


_PAYLOADS = [
    _payload(b'{"instances":[[1.0],[3.0]]}', "predictions", [[2.5], [3.5]]),
    _payload(b'{"instances":[{"x":[1.0]}]}', "predictions", [[2.5]]),
    _payload(b'{"inputs":{"x":[[1.0],[3.0]]}}', "outputs", [[2.5], [3.5]]),
    _payload(b"\x00", "tensor_content", [[2.5], [3.5]], "application/x-protobuf"),
]


@pytest.mark.parametrize("payload", _PAYLOADS)
@pytest.mark.parametrize("path", [SERVING, INFERENCE])
def test_a_foreign_server_is_asked_the_same_and_held_to_the_model(path: str, payload: UserModelPayload) -> None:
    """Each payload becomes a request of the server's protocol; its answer counts only where it is the model's own."""
    scenario = Scenario(endpoint="mine", encoding="json", payloads=1, arrival=ClosedLoop(users=1))
    for added in (2.0, 2.001):
        with stand_in(added=added) as (url, asked):
            base_url, route = route_of(url + path, "mine")
            assert (base_url, f"/{route.path}") == (url, path)
            primed = partial(
                prime, base_url, [scenario], foreign=True, user_models={"mine": _half(payload)}, route=route
            )
            if added == 2.0:
                (request,) = primed()[scenario.id]
                assert (request.path, {"Content-Type": "application/json"}) == (path, dict(request.headers))
                assert request.body == asked[0][1]
                assert request.expect_body is not None
            else:
                with pytest.raises(WrongAnswerError, match="the reference says"):
                    primed()


def test_what_is_asked_of_a_foreign_server() -> None:
    """TensorFlow Serving gets our JSON with the signature that is not its default, Triton flat tensors by name."""
    plain, *_, tensor = _PAYLOADS
    serving = Route(protocol="serving", path="v1/models/half:predict")
    assert translated(serving, _half(plain))[0].body == b'{"instances":[[1.0],[3.0]]}'
    (named,) = translated(serving, _half(plain, signature="half"))
    assert json.loads(named.body) == {"instances": [[1.0], [3.0]], "signature_name": "half"}
    assert json.loads(translated(serving, _half(tensor))[0].body) == {"inputs": {"x": [[1.0], [3.0]]}}
    (flat,) = translated(Route(protocol="inference", path="v2/models/half/infer"), _half(plain))
    assert json.loads(flat.body) == {"inputs": [_tensor("x", "FP32", [2, 1], data=[1.0, 3.0])]}
    assert flat.expected == {"y": [2.5, 3.5]}
    assert translated(Route(protocol="contract", path="mine"), _half(plain)) == (plain,)


def test_strings_that_are_no_text_reach_a_foreign_server_as_bytes() -> None:
    """Base64 of our JSON becomes a binary tensor, with the JSON's length in the header."""
    asked = {"inputs": {**_INPUTS, "word_bytes": [{"b64": "/wA="}]}}
    payload = _payload(json.dumps(asked).encode(), "outputs", _OUTPUTS)
    (made,) = translated(Route(protocol="inference", path="v2/models/mine/infer"), replace(_MODEL, payloads=(payload,)))
    assert isinstance(made, ForeignPayload)
    length = int(made.headers["Inference-Header-Content-Length"])
    assert json.loads(made.body[:length])["inputs"][2] == _tensor(
        "word_bytes", "BYTES", [1], parameters={"binary_data_size": 6}
    )
    assert made.body[length:] == struct.pack("<I", 2) + b"\xff\x00"
    answers = [_tensor("long_bytes", "BYTES", [2], data=["caf\u00e9!!", {"b64": "Y2Fmw6khIQ=="}])]
    assert made.read(json.dumps({"outputs": answers}).encode()) == {"long_bytes": made.expected["long_bytes"] * 2}


@pytest.mark.parametrize(
    ("url", "path", "protocol"),
    [
        ("http://h:1/v1/models/m:predict", "v1/models/m:predict", "serving"),
        ("http://h:1/a/v1/models/m/versions/3:predict", "v1/models/m/versions/3:predict", "serving"),
        ("http://h:1/v1/models/m/labels/new:predict", "v1/models/m/labels/new:predict", "serving"),
        ("http://h:1/v2/models/m/infer", "v2/models/m/infer", "inference"),
        ("http://h:1/v2/models/m/versions/1/infer", "v2/models/m/versions/1/infer", "inference"),
        ("http://h:1/v2/models/m", "mine", "contract"),
        ("http://h:1", "mine", "contract"),
    ],
)
def test_a_url_names_its_protocol(url: str, path: str, protocol: str) -> None:
    """What ends as a protocol's own path does is asked by that protocol, and anything else by `POST /NAME`."""
    base_url, route = route_of(url, "mine")
    assert (route.path, route.protocol) == (path, protocol)
    assert base_url == (url if protocol == "contract" else url.removesuffix(f"/{path}"))


def test_a_foreign_server_stands_beside_ours() -> None:
    """With a model a server that is up already is compared with the plan's targets, and each pair is fair."""
    url = "tfs=http://127.0.0.1:1/v1/models/m:predict"
    found = [_routed(one, "mine") for one in contenders("smoke", None, [url], alone=False)]
    pairs = [(one.baseline, one.candidate) for one in comparisons(found, named=False) if one.axis == "server"]
    ours = [f"{name}+gunicorn+function+cpu" for name in ("flask", "bottle")]
    assert pairs == [(one, "tfs") for one in ours]
    (foreign,) = [one for one in found if one.target is None]
    assert (foreign.base_url, foreign.address) == ("http://127.0.0.1:1", url.removeprefix("tfs="))
    assert not foreign.checked
    ours_record, record = (
        TargetRecord(id=ours[0], framework="flask", server="gunicorn", mode="function"),
        TargetRecord(id="tfs", settings={"base_url": "http://127.0.0.1:1"}),
    )
    assert differences(None, ours_record, record, "server") == []  # type: ignore[arg-type]
    assert part_name("server", ours_record, record) == "Flask on gunicorn"
    with pytest.raises(ExpectedError, match="is asked of a model"):
        _routed(replace(foreign, base_url=foreign.address, route=None), None)


@pytest.mark.parametrize("server", ["gunicorn", "waitress"])
@pytest.mark.parametrize("framework", _CONTRACT)
def test_tritons_client_reads_what_it_asked_for(services: dict[str, Service], framework: str, server: str) -> None:
    """Over the HTTP library that Triton's client stands on, its calls and its requests, byte for byte, are answered."""
    app = import_module(f"servers.apps.{FRAMEWORKS[framework].module}").create_app(services[framework])
    head, behind = _binary()
    text = json.dumps(head, separators=(",", ":")).encode()
    with SERVERS[server](app) as base_url, closing(HTTPClient.from_url(base_url, concurrency=1)) as client:
        for path in ("v2/health/live", "v2/health/ready", "v2/models/mine/ready", "v2/models/mine/versions/7/ready"):
            assert client.get(f"/{path}").status_code == 200
        assert json.loads(client.get("/v2").read())["extensions"] == ["binary_tensor_data"]
        assert json.loads(client.get("/v2/models/mine").read())["name"] == "mine"
        answer = client.post(
            request_uri="/v2/models/mine/infer",
            body=text + behind,
            headers={"Inference-Header-Content-Length": len(text)},
        )
        assert answer.status_code == 200
        told = json.loads(answer.read(length=int(answer.get("Inference-Header-Content-Length"))))
        rest = answer.read()
        assert sum(one["parameters"]["binary_data_size"] for one in told["outputs"]) == len(rest)
        assert np.frombuffer(rest[-12:-8], dtype="<f4").tolist() == [3.0]
        refused = client.post(request_uri="/v2/models/mine/infer", body=b"{}")
        assert (refused.status_code, list(json.loads(refused.read()))) == (400, ["error"])


@pytest.mark.parametrize("server", ["gunicorn", "waitress"])
@pytest.mark.parametrize("framework", _CONTRACT)
def test_a_page_of_requests_is_a_client(services: dict[str, Service], framework: str, server: str) -> None:
    """What a user of TensorFlow Serving writes with `requests` works with another port and nothing else changed."""
    app = import_module(f"servers.apps.{FRAMEWORKS[framework].module}").create_app(services[framework])
    with SERVERS[server](app) as base_url, requests.Session() as session:
        session.trust_env = False
        model = f"{base_url}/v1/models/mine"
        state = session.get(model, timeout=10).json()["model_version_status"][0]
        version = f"{model}/versions/{state['version']}"
        assert state["state"] == "AVAILABLE"
        definitions = session.get(f"{version}/metadata", timeout=10).json()["metadata"]["signature_def"]
        assert set(definitions["signature_def"]) == set(_DEFINITIONS)
        # Text as `data=` goes without a Content-Type, a form's fields would go as a form.
        answer = session.post(f"{version}:predict", data=json.dumps({"inputs": _INPUTS}), timeout=10)
        assert (answer.status_code, answer.json()) == (200, {"outputs": _OUTPUTS})
        answer = session.post(f"{model}:predict", json={"signature_name": "half", "instances": [1.0]}, timeout=10)
        assert answer.json() == {"predictions": [0.5]}
        answer = session.post(f"{model}:predict", json={"instances": [1]}, timeout=10)
        assert (answer.status_code, set(answer.json())) == (400, {"error"})


def test_tritons_own_client_works_unchanged(services: dict[str, Service]) -> None:
    """Where the package tritonclient is installed, its HTTP client works against every framework."""
    client_of = pytest.importorskip("tritonclient.http")
    for framework in _CONTRACT:
        app = import_module(f"servers.apps.{FRAMEWORKS[framework].module}").create_app(services[framework])
        with (
            SERVERS["waitress"](app) as base_url,
            client_of.InferenceServerClient(base_url.removeprefix("http://")) as client,
        ):
            assert client.is_server_live()
            assert client.is_server_ready()
            assert client.is_model_ready("mine")
            assert client.get_model_metadata("mine")["platform"] == "tensorflow_savedmodel"
            arrays = {
                "left": ("FP32", np.array([[1, 2]], dtype=np.float32)),
                "right": ("INT64", np.array([3], dtype=np.int64)),
                "word_bytes": ("BYTES", np.array([b"caf\xc3\xa9"], dtype=np.object_)),
            }
            for binary in (True, False):
                asked = []
                for name, (datatype, array) in arrays.items():
                    asked.append(client_of.InferInput(name, list(array.shape), datatype))
                    asked[-1].set_data_from_numpy(array, binary_data=binary)
                wanted = None if binary else [client_of.InferRequestedOutput("twice", binary_data=False)]
                packing = "gzip" if binary else None
                found = client.infer("mine", asked, outputs=wanted, request_compression_algorithm=packing)
                assert found.as_numpy("twice").tolist() == [6]


def _setup() -> UserModelSetup:
    payload = _payload(json.dumps({"inputs": _INPUTS}).encode(), "outputs", _OUTPUTS)
    accepts = UserModelCodec(signature=_SIGNATURE).accepts
    model = replace(_MODEL, payloads=(payload,), sample=_INPUTS, accepts=accepts)
    return UserModelSetup(name="mine", payload=None, model=model, refusals={})


def _examined(app: Any, case_ids: str = "") -> Examination:
    setup = _setup()
    cases = [case for case in setup.cases if case.id.startswith(("tfs-", "oip-")) and case.id.startswith(case_ids)]
    with SERVERS["gunicorn"](app) as base_url:
        return run_cases(cases, base_url, "mine", {"mine": setup.figures})


def _app(services: dict[str, Service], framework: str) -> Any:
    return import_module(f"servers.apps.{FRAMEWORKS[framework].module}").create_app(services[framework])


def test_the_cases_are_kept_by_every_framework_alike(services: dict[str, Service]) -> None:
    """More than a hundred cases read as the others do, and each framework answers all of them, and in one way."""
    cases = _setup().cases
    assert faults(cases) == []
    counts = {name: sum(case.id.startswith(name) for case in cases) for name in ("tfs", "oip")}
    assert min(counts.values()) >= 55
    assert sum(counts.values()) >= 120
    found = {name: _examined(_app(services, name)) for name in _CONTRACT}
    for one in found.values():
        assert [each for each in one.findings if each.verdict.value != "right"] == []
    assert differences_of({name: one.answers for name, one in found.items()}) == []


def _broken(app: Any, change: Callable[[str, bytes], bytes], header: str = "") -> Any:
    """`app` with its bodies changed, by the path that was asked, and one header left out."""

    def broken(environ: Any, start_response: Any) -> list[bytes]:
        told: list[Any] = []
        parts = app(environ, lambda status, headers, *_: told.extend((status, headers)))
        body = b"".join(parts)
        if environ["REQUEST_METHOD"] != "HEAD":
            body = change(environ["PATH_INFO"], body)
        kept = [(name, value) for name, value in told[1] if name not in ("Content-Length", header)]
        length = [] if told[0].startswith("204") else [("Content-Length", str(len(body)))]
        start_response(told[0], [*kept, *length])
        return [body]

    return broken


@pytest.mark.parametrize(
    ("what", "change", "header"),
    [
        ("an error with a code", lambda _, body: body.replace(b'{"error"', b'{"code":"x","error"'), ""),
        ("a value that is off", lambda path, body: body.replace(b"3.0", b"3.1") if "/v2" in path else body, ""),
        ("bytes of another value", lambda _, body: body.replace(struct.pack("<f", 3), struct.pack("<f", 4)), ""),
        ("no length of the JSON", lambda _, body: body, "Inference-Header-Content-Length"),
        ("a byte behind the tensors", lambda _, body: body + b"\0" if b"binary_data_size" in body else body, ""),
        ("another version", lambda _, body: body.replace(b'"version":"7"', b'"version":7'), ""),
        ("no id", lambda _, body: body.replace(b'"id":"42",', b""), ""),
        (
            "rows that are not the model's",
            lambda path, body: body.replace(b"6", b"7") if "predict" in path else body,
            "",
        ),
        ("a pointer that is off", lambda _, body: body.replace(b": /inputs", b": /input"), ""),
        ("Allow left out", lambda _, body: body, "Allow"),
    ],
)
def test_a_broken_protocol_is_found(services: dict[str, Service], what: str, change: Any, header: str) -> None:
    """Each fault that is planted into an answer is found by at least one case."""
    outcome = _examined(_broken(_app(services, "wsgi"), change, header))
    assert outcome.told
    assert not outcome.passed, what
