"""Batches and tensors: one negotiation, the same predictions in every encoding, and faults at their exact place."""

from __future__ import annotations

import json
import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from wsgi_callers import Answer, call

from conformance import tensor_messages
from conformance.tensor_messages import TensorProto, tensor
from experiment.contender import takes
from experiment.line_up import contenders
from loadtests.plans import PLANS
from servers.core.openapi_document import document
from servers.core.padding import padded
from servers.core.row_counts import MAX_ROWS, PADDED_ROWS
from servers.core.rows import prediction_texts
from servers.core.tensor_proto import MAX_BYTES, PROTOBUF
from servers.models.payloads import tensor_bytes
from servers.registry import FRAMEWORKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.core.service import Service

_JSON = "application/json"
_PREFIX = "Input validation error: "
_ANY_FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
# Far from the ends of float32, so that no prediction leaves it.
_FEATURE = st.floats(min_value=-(2.0**99), max_value=2.0**99, width=32)
# The app keeps nothing between requests, so examples may share it.
_SHARED = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(name="apps")
def _apps(make_service: Callable[[], Service]) -> dict[str, Any]:
    return {
        name: import_module(f"servers.apps.{framework.module}").create_app(make_service())
        for name, framework in FRAMEWORKS.items()
        if framework.contract
    }


def _everywhere(apps: dict[str, Any], path: str, body: bytes, kind: str) -> Answer:
    answers = {name: call(app, "POST", path, body, kind) for name, app in apps.items()}
    first = next(iter(answers.values()))
    assert all(answer == first for answer in answers.values()), answers
    return first


def _instances(rows: list[Any]) -> bytes:
    return json.dumps({"instances": rows}).encode()


def _error(answer: Answer) -> tuple[str, str]:
    found = json.loads(answer.body)
    assert (answer.status, answer.headers["content-type"]) == (400, _JSON)
    assert sorted(found) == ["code", "error"]
    return found["code"], found["error"]


def _pointer(answer: Answer) -> str:
    code, text = _error(answer)
    assert code == "invalid_input"
    assert text.startswith(_PREFIX)
    return str(text.removeprefix(_PREFIX).partition(": ")[0])


def _resolve(pointer: str, value: Any) -> Any:
    """RFC 6901 section 4, for names without `~`."""
    for token in pointer.split("/")[1:]:
        value = value[int(token)] if isinstance(value, list) else value[token]
    return value


@_SHARED
@given(values=st.lists(_FEATURE, min_size=1, max_size=20))
def test_json_and_protobuf_give_the_same_predictions(apps: dict[str, Any], values: list[float]) -> None:
    """The decimals of `predictions` read back to the very float32 values that the tensor holds, from every adapter."""
    told = _everywhere(apps, "/predict", _instances(values), _JSON)
    packed = _everywhere(apps, "/predict", tensor_bytes([[value] for value in values]), PROTOBUF)
    assert (told.status, packed.status) == (200, 200)
    assert packed.headers["content-type"] == PROTOBUF
    sent = TensorProto.FromString(packed.body)
    assert (sent.dtype, [dim.size for dim in sent.tensor_shape.dim]) == (1, [len(values), 1])
    read = np.array(json.loads(told.body)["predictions"], dtype=np.float32)
    assert read.tobytes() == sent.tensor_content


@_SHARED
@given(rows=st.lists(st.tuples(_FEATURE, _FEATURE), min_size=1, max_size=9))
def test_every_way_to_write_a_tensor_is_the_same_tensor(apps: dict[str, Any], rows: list[tuple[float, float]]) -> None:
    """Content or values, floats or doubles: one answer, and a row alone in JSON gets its row of it."""
    flat = [number for row in rows for number in row]
    shape = (len(rows), 2)
    ways = (
        tensor(shape=shape, content=np.array(flat, "<f4").tobytes()),
        tensor(shape=shape, float_val=flat),
        tensor(shape=shape, dtype=2, content=np.array(flat, "<f8").tobytes()),
        tensor(shape=shape, dtype=2, double_val=flat),
    )
    first, *others = (_everywhere(apps, "/advanced_predict", way, PROTOBUF) for way in ways)
    assert first.status == 200
    assert all(other == first for other in others)
    alone = json.dumps({"feature1": rows[0][0], "feature2": rows[0][1]}).encode()
    single = json.loads(_everywhere(apps, "/advanced_predict", alone, _JSON).body)["prediction"]
    found = tensor_messages.read(first.body)["tensor_content"][0]
    np.testing.assert_allclose(single, [found], rtol=1e-5, atol=1e-4)


@given(values=st.lists(_ANY_FLOAT32, min_size=1, max_size=50))
def test_predictions_are_the_shortest_decimals(values: list[float]) -> None:
    """A batch is written as its values would be one by one, and reads back to the same float32, sign of zero too."""
    column = np.array(values, dtype=np.float32).reshape(-1, 1)
    texts = prediction_texts(column)
    assert texts == [str(value) for value in column[:, 0]]
    assert np.array(json.loads(f"[{','.join(texts)}]"), dtype=np.float32).tobytes() == column.tobytes()


@_SHARED
@given(data=st.data(), wide=st.booleans())
def test_the_pointer_leads_to_the_fault(apps: dict[str, Any], data: st.DataObject, wide: bool) -> None:  # noqa: FBT001 - drawn
    """Wherever one bad number stands in a batch, the error's JSON Pointer leads to that very value in the document."""
    bad = data.draw(st.sampled_from([None, True, "24.5", 1e39, -1e300, {}, []]))
    rows: list[Any] = data.draw(st.lists(_FEATURE, min_size=1, max_size=8))
    place = data.draw(st.integers(0, len(rows) - 1))
    path = "/advanced_predict" if wide else "/predict"
    if wide:
        rows = [[value, 1.5] for value in rows]
        rows[place][data.draw(st.integers(0, 1))] = bad
    else:
        rows[place] = bad
    answer = _everywhere(apps, path, _instances(rows), _JSON)
    assert _resolve(_pointer(answer), {"instances": rows}) == bad


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("/predict", {"instances": []}, "/instances"),
        ("/predict", {"instances": [24.5] * (MAX_ROWS + 1)}, "/instances"),
        ("/predict", {"instances": [24.5], "feature": 24.5}, "/instances"),
        ("/predict", {"instances": [24.5], "feature": None}, "/instances"),
        ("/predict", {"instances": "24.5"}, "/instances"),
        ("/predict", {"instances": [[24.5]]}, "/instances/0"),
        ("/predict", {"instances": [1.0, 3.4e38]}, "/instances/1"),
        ("/predict", {"Instances": [24.5]}, "/feature"),
        ("/advanced_predict", {"instances": [[1, 2]], "feature2": 2}, "/instances"),
        ("/advanced_predict", {"instances": [[1, 2], 3]}, "/instances/1"),
        ("/advanced_predict", {"instances": [[1, 2], [1, 2, 3]]}, "/instances/1"),
        ("/advanced_predict", {"instances": [[1, 2]] * (MAX_ROWS + 1)}, "/instances"),
    ],
)
def test_bad_batches_are_refused(apps: dict[str, Any], path: str, body: Any, pointer: str) -> None:
    """A batch of the wrong length, shape or company is an input error; an overflow is one at its instance."""
    assert _pointer(_everywhere(apps, path, json.dumps(body).encode(), _JSON)) == pointer


@pytest.mark.parametrize(
    ("made", "pointer"),
    [
        (tensor(shape=(1, 1), dtype=3), "/dtype"),
        (tensor(shape=(1, 1), dtype=-1), "/dtype"),
        (tensor(shape=(), float_val=[1]), "/tensor_shape"),
        (tensor(shape=(-1, 1), float_val=[1]), "/tensor_shape"),
        (tensor(shape=(-1, -1), float_val=[1]), "/tensor_shape"),
        (tensor(shape=(2**62, 1), float_val=[1]), "/tensor_shape"),
        (tensor(shape=(2**32, 2**32), float_val=[1]), "/tensor_shape"),
        (tensor(shape=(MAX_ROWS + 1, 1), float_val=[1]), "/tensor_shape"),
        (tensor(shape=(2, 1), content=bytes(7)), "/tensor_content"),
        (tensor(shape=(2, 1), content=bytes(12)), "/tensor_content"),
        (tensor(shape=(1, 1), content=bytes(4), float_val=[1]), "/tensor_content"),
        (tensor(shape=(1, 1)), "/float_val"),
        (tensor(shape=(1, 1), dtype=2, float_val=[1]), "/double_val"),
        (tensor(shape=(1, 1), float_val=[1, 2]), "/float_val"),
        (tensor(shape=(2, 1), float_val=[1, math.inf]), "/float_val/1"),
        (tensor(shape=(2, 1), dtype=2, double_val=[math.nan, 1]), "/double_val/0"),
        (tensor(shape=(1, 1), content=np.float32(math.nan).tobytes()), "/tensor_content"),
        (tensor(shape=(1, 1), float_val=[3.4e38]), ""),
        (tensor(shape=(1, 1), float_val=[1] * (MAX_BYTES // 4)), ""),
    ],
)
def test_bad_tensors_are_refused(apps: dict[str, Any], made: Any, pointer: str) -> None:
    """A tensor that contradicts itself, or claims sizes that nobody has, is an input error at the field in question."""
    assert _pointer(_everywhere(apps, "/predict", made, PROTOBUF)) == pointer


@_SHARED
@given(
    junk=st.binary(max_size=64),
    cut=st.integers(0, 40),
    keep=st.booleans(),
)
def test_no_bytes_are_a_fault_inside(apps: dict[str, Any], junk: bytes, cut: int, keep: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever stands for a message, cut or followed by junk, is answered with a tensor or refused: never a 500."""
    good = tensor(shape=(2, 1), float_val=[24.5, 31.0])
    answer = _everywhere(apps, "/predict", (good[:cut] if keep else b"") + junk, PROTOBUF)
    if answer.status == 200:
        tensor_messages.read(answer.body)
    else:
        assert _error(answer)[0] in ("malformed_protobuf", "invalid_input")


@pytest.mark.parametrize("rows", [1, 2, 3, 16, 17, 1000, MAX_ROWS])
def test_models_run_only_at_row_counts_that_are_warm(make_service: Callable[[], Service], rows: int) -> None:
    """A batch reaches the model padded to a row count that start-up has run, and is answered without the padding."""
    service = make_service()
    assert service.loaded is not None
    predict, seen = service.loaded.predictors["linear_regression"], []

    def watched(batch: Any) -> Any:
        seen.append(len(batch))
        return predict(batch)

    service.loaded.predictors["linear_regression"] = watched
    app = import_module("servers.apps.wsgi_app").create_app(service)
    values = np.linspace(15, 45, rows).tolist()
    answer = call(app, "POST", "/predict", _instances(values), _JSON)
    assert len(json.loads(answer.body)["predictions"]) == rows
    assert seen[0] in PADDED_ROWS
    assert rows <= seen[0] < 2 * rows
    assert padded(np.array([values]).T)[:rows, 0].tolist() == values


@given(rows=st.lists(st.lists(_ANY_FLOAT32, min_size=2, max_size=2), min_size=1, max_size=40))
def test_two_hands_write_one_tensor(rows: list[list[float]]) -> None:
    """The payloads' writer and google.protobuf make the same bytes, which the suite's reader reads."""
    flat = [number for row in rows for number in row]
    ours = tensor_bytes(rows)
    assert ours == tensor(shape=(len(rows), 2), content=tensor_messages.floats(*flat))
    assert tensor_messages.read(ours)["tensor_content"] == rows


@given(st.binary(max_size=40))
def test_the_suites_reader_survives_any_bytes(body: bytes) -> None:
    """Bytes that are no answer's tensor are told as such, and what google.protobuf reads as one is read alike."""
    try:
        found = tensor_messages.read(body)
    except tensor_messages.NotTensorError:
        return
    sent = TensorProto.FromString(body)
    assert [dim.size for dim in sent.tensor_shape.dim] == found["tensor_shape"]
    assert sent.dtype == found["dtype"] == 1


@pytest.mark.parametrize("path", ["/predict", "/advanced_predict"])
def test_openapi_is_true_of_both_json_forms(
    apps: dict[str, Any], make_service: Callable[[], Service], path: str
) -> None:
    """What the document's schemas allow is answered in a shape that they name, and what they forbid is refused."""
    whole = document(make_service().endpoints)
    operation = whole["paths"][path]["post"]
    assert (
        set(operation["requestBody"]["content"]) == set(operation["responses"]["200"]["content"]) == {_JSON, PROTOBUF}
    )
    asks, answers = (
        Draft202012Validator(content[_JSON]["schema"] | {"components": whole["components"]})
        for content in (operation["requestBody"]["content"], operation["responses"]["200"]["content"])
    )
    wide = path == "/advanced_predict"
    single = {"feature1": 24.5, "feature2": 90} if wide else {"feature": 24.5}
    instance: Any = [24.5, 90] if wide else 24.5
    for body, good in (
        (single, True),
        (single | {"other": 1}, True),
        ({"instances": [instance]}, True),
        ({"instances": [instance] * MAX_ROWS, "signature_name": "x"}, True),
        (single | {"instances": [instance]}, False),
        ({"instances": []}, False),
        ({"instances": [instance] * (MAX_ROWS + 1)}, False),
        ({"instances": [[instance]]}, False),
        ({"instances": [None]}, False),
        ({}, False),
        ([instance], False),
    ):
        answer = _everywhere(apps, path, json.dumps(body).encode(), _JSON)
        assert asks.is_valid(body) == good == (answer.status == 200), body
        assert answers.is_valid(json.loads(answer.body)) == good


def test_only_who_is_held_to_the_contract_is_asked_in_other_encodings() -> None:
    """The article's code and an unchecked server get the usual encodings; without that a plan would refuse them."""
    flask, native, foreign, _twin = contenders("standard", "flask,flask-native", ["mine=http://127.0.0.1:9"])
    for scenario in PLANS["standard"].scenarios:
        assert takes(flask, scenario, skip_check=True)
        assert takes(foreign, scenario, skip_check=False)
        assert takes(native, scenario, skip_check=False) == (scenario.variant is None)
        assert takes(foreign, scenario, skip_check=True) == (scenario.variant is None)
