"""Execution modes: the same answers as the float64 reference in each, and no mode that is wrong is served."""

from __future__ import annotations

import json
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mode_builds import SERVED, Planted, right, saved_models

from experiment.line_up import contenders, left_out
from experiment.priming import agrees
from servers import registry
from servers.core.loading import compare
from servers.core.mode import RefusedError
from servers.core.padding import in_buckets
from servers.core.row_counts import BUCKETS
from servers.core.source import Source, build
from servers.launch import LaunchError, launch
from servers.models.catalog import MODELS
from servers.models.datasets import probes
from servers.models.payloads import Payload, payloads
from servers.models.reference import ATOL, RTOL, reference
from servers.registry import MODES
from servers.settings import Settings
from servers.target import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

_START_S = 120


@pytest.fixture(name="planted", scope="module")
def _planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    if find_spec("ai_edge_litert") is not None:
        for name in MODELS:
            right("lite", name)  # What this mode keeps beside the right SavedModels must not answer for wrong ones.
    return Planted(tmp_path_factory.mktemp("planted"))


def test_there_are_five_modes() -> None:
    """A model can be served eagerly, as a saved graph, frozen, compiled, and by LiteRT."""
    assert tuple(MODES) == ("eager", "frozen", "function", "lite", "xla")


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("mode", SERVED)
def test_every_mode_agrees_with_the_reference(mode: str, name: str) -> None:
    """Batches of one row, of compiled sizes, of sizes between and above them get the float64 answer, as float32."""
    source = Source(model=MODELS[name], folder=saved_models())
    for size in (1, 2, 3, 5, 8, 32, 37):
        rows = probes(name, size)
        answer = right(mode, name).predict(rows)
        assert answer.dtype == np.float32
        np.testing.assert_allclose(answer, reference(name, source.reference_input(rows)), rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("mode", SERVED)
def test_rows_laid_out_otherwise_in_memory_are_read_rightly(mode: str, name: str) -> None:
    """A batch that is a strided view gets the answer of the same numbers laid out in order."""
    rows = probes(name, 4)
    reversed_rows = rows[::-1]
    spread = np.repeat(rows, 2, axis=-1)[..., ::2]
    assert not spread.flags.c_contiguous or rows.shape[-1] == 1
    predict = right(mode, name).predict
    wanted = reference(name, Source(model=MODELS[name], folder=saved_models()).reference_input(rows))
    np.testing.assert_allclose(predict(reversed_rows)[::-1], wanted, rtol=RTOL, atol=ATOL)
    np.testing.assert_allclose(predict(spread), wanted, rtol=RTOL, atol=ATOL)
    np.testing.assert_allclose(predict(spread[:1]), wanted[:1], rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("mode", SERVED)
def test_one_wrong_weight_is_refused(planted: Planted, mode: str, name: str) -> None:
    """A mode whose model has one weight 2 % off is refused with one line, and the right one is not."""
    source = Source(model=MODELS[name], folder=saved_models())
    assert compare(source, right(mode, name)) <= ATOL + RTOL * 1e3
    with pytest.raises(RefusedError) as refusal:
        compare(planted.source(name), planted.built(mode, name))
    assert str(refusal.value) == (f"model {name} differs from its float64 reference beyond rtol {RTOL} and atol {ATOL}")


@pytest.mark.parametrize("fault", ["only larger batches are wrong", "only padded batches are wrong", "a row too many"])
def test_every_batch_size_is_compared(fault: str) -> None:
    """A mode that answers single rows rightly is refused where a batch is wrong."""
    source = Source(model=MODELS["linear_regression"], folder=saved_models())
    built = right("xla", "linear_regression")

    def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
        answer = built.predict(batch)
        if fault == "only larger batches are wrong" and len(batch) == BUCKETS[-1]:
            answer[-1] += 1
        if fault == "only padded batches are wrong" and len(batch) not in BUCKETS:
            answer[-1] += 1
        return np.concatenate([answer, answer[-1:]]) if fault == "a row too many" and len(batch) > 1 else answer

    with pytest.raises(RefusedError, match="differs from its float64 reference"):
        compare(source, replace(built, predict=predict), built.warm_sizes)


def test_a_wrong_model_is_never_served(planted: Planted, tmp_path: Path) -> None:
    """A server whose SavedModel has one wrong weight ends before it is ready, and its one line says why."""
    settings = Settings(models_dir=planted.folder)
    with (
        launch(Target.parse("bottle+granian+frozen"), settings, tmp_path / "log") as server,
        pytest.raises(LaunchError, match=r"titrate: bottle\+granian\+frozen\+cpu refused: model linear_regression"),
    ):
        server.wait_ready(_START_S)


@pytest.mark.parametrize("mode", SERVED)
def test_every_mode_answers_over_http(mode: str, tmp_path: Path) -> None:
    """Each mode answers every endpoint from several threads, on the CPU that it names, without tracing anew."""
    jobs = [
        (endpoint, payload)
        for endpoint, encoding in (("predict", "json"), ("advanced_predict", "json"), ("classify", "raw"))
        for payload in payloads(endpoint, encoding, 8)
    ]
    with launch(Target.parse(f"bottle+granian+{mode}"), Settings(models_dir=saved_models()), tmp_path / "log") as up:
        up.wait_ready(_START_S)

        def ask(job: tuple[str, Payload]) -> bool:
            endpoint, payload = job
            question = urllib.request.Request(  # noqa: S310 - our own base URL
                f"{up.base_url}/{endpoint}", payload.body, {"Content-Type": payload.content_type}
            )
            with urllib.request.urlopen(question, timeout=20) as answer:  # noqa: S310
                return agrees(json.load(answer)[payload.expected_key], payload.expected)

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(ask, jobs))
        metadata = up.metadata()
    assert metadata is not None
    assert metadata["parts"]["mode"] == mode
    assert "device:CPU:0" in metadata["device"]
    assert metadata["retraces"] == 0
    assert set(metadata["models"]) == set(MODELS)
    settings = metadata["models"]["digits_cnn"]["settings"]
    assert ("batch_sizes" in settings) == (mode == "xla")
    assert ("runtime" in settings) == (mode == "lite")


def test_lite_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where LiteRT is not installed, the refusal is one line that says what to install."""
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(RefusedError, match=r"^mode lite needs the package ai-edge-litert.*extra `lite`.*$"):
        build("lite", Source(model=MODELS["linear_regression"], folder=saved_models()))


@pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="needs the extra `lite`")
def test_lite_converts_once(tmp_path: Path) -> None:
    """A second start reads what the first one converted, and leaves nothing else behind."""
    model = MODELS["linear_regression"]
    (tmp_path / model.saved_model).symlink_to(saved_models() / model.saved_model)
    source = Source(model=model, folder=tmp_path)
    build("lite", source)
    (kept,) = tmp_path.glob("*.tflite")
    written = kept.stat().st_mtime_ns
    build("lite", source)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([kept.name, model.saved_model])
    assert kept.stat().st_mtime_ns == written


@pytest.mark.parametrize("plan", ["smoke", "quick", "standard", "full"])
def test_a_plan_goes_on_without_a_mode_that_is_not_installed(plan: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where LiteRT is missing its targets are left out and named, others stay, and naming one still counts."""
    monkeypatch.setattr(registry, "find_spec", lambda _name: True)
    complete = {one.id for one in contenders(plan, None, [])}
    lite = {name for name in complete if "+lite+" in name}
    assert bool(lite) == (plan in ("standard", "full"))
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "ai_edge_litert" else True)
    assert {one.id for one in contenders(plan, None, [])} == complete - lite
    assert {one.what + "+cpu" for one in left_out(plan, None, [])} >= lite
    assert all("extra `lite`" in one.reason for one in left_out(plan, None, []))
    assert contenders(plan, "flask+gunicorn+lite", [])[0].id == "flask+gunicorn+lite+cpu"
    assert left_out(plan, "flask", []) == []


def test_buckets_are_the_only_sizes() -> None:
    """Whatever number of rows comes, the model sees a size of the fixed set, and each row gets its own answer."""
    seen = set()

    def run(batch: NDArray[Any]) -> tuple[NDArray[np.float32], ...]:
        seen.add(len(batch))
        return batch * np.float32(2), batch + 1

    for rows in range(1, 3 * BUCKETS[-1]):
        batch = np.arange(rows * 2, dtype=np.float32).reshape(rows, 2)
        doubled, next_ones = in_buckets(run)(batch)
        np.testing.assert_array_equal(doubled, batch * 2)
        np.testing.assert_array_equal(next_ones, batch + 1)
    assert seen == set(BUCKETS)
