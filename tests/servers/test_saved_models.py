"""The SavedModels: what they answer, and when a build counts as present."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from servers.models import build, catalog
from servers.models.catalog import MODELS, build_digest, saved_models_dir
from servers.models.datasets import dataset, probes
from servers.models.payloads import payloads
from servers.models.reference import ATOL, RTOL, reference
from servers.repository import REPOSITORY

tf = pytest.importorskip("tensorflow")


@pytest.fixture(scope="module")
def built() -> Path:
    """The present build in the cache, made through the command line where it is not there yet."""
    directory = saved_models_dir()
    done = run(
        [sys.executable, "-m", "servers.models.build", "--out", str(directory)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["done"] for line in lines] == list(range(lines[-1]["total"] + 1))
    return directory


@pytest.fixture(scope="module")
def loaded(built: Path) -> dict[str, Any]:
    """Every SavedModel, loaded, by model name."""
    return {name: tf.saved_model.load(str(built / model.saved_model)) for name, model in MODELS.items()}


def _inputs(name: str) -> NDArray[np.float64]:
    """Held-out inputs that float32 holds exactly, so that only the arithmetic differs."""
    x = probes(name)
    return (x / np.float32(255) if x.dtype == np.uint8 else x).astype(np.float64)


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("rows", [1, 3])
def test_signature_agrees_with_the_reference(loaded: dict[str, Any], name: str, rows: int) -> None:
    """`serving_default` takes float32 `x`, gives float32 `y`, within rtol 1e-5 and atol 1e-4 of float64."""
    x = _inputs(name)[:rows]
    answer = loaded[name].signatures["serving_default"](x=tf.constant(x, tf.float32))
    assert list(answer) == ["y"]
    assert answer["y"].dtype == tf.float32
    np.testing.assert_allclose(answer["y"].numpy(), reference(name, x), rtol=RTOL, atol=ATOL)


@pytest.mark.parametrize("name", list(MODELS))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_call_answers_in_the_type_that_it_was_asked_in(loaded: dict[str, Any], name: str, dtype: type) -> None:
    """float64 in gives float64 out, float32 gives float32, for NumPy arrays, as the article passes them."""
    x: NDArray[Any] = _inputs(name)[:2].astype(dtype)
    answer = loaded[name](x)
    assert answer.dtype == dtype
    np.testing.assert_allclose(answer.numpy(), reference(name, x), rtol=RTOL, atol=ATOL)


def test_article_example_1_runs_unchanged(built: Path) -> None:
    """`model(np.array([feature])).numpy()[0][0]` is a number that `json` can write."""
    model = tf.saved_model.load(str(built / "linear_regression_model"))
    data = {"feature": 32.1}
    input_data = np.array([data["feature"]])
    prediction = model(input_data).numpy()
    written = json.loads(json.dumps({"prediction": prediction[0][0]}))
    assert written["prediction"] == pytest.approx(reference("linear_regression", [[32.1]])[0, 0], rel=RTOL)


def test_article_example_2_runs_unchanged(built: Path) -> None:
    """A picture opened, resized, divided by 255.0 and given a batch dimension is classified."""
    model = tf.saved_model.load(str(built / "cnn_image_classifier"))
    for payload in payloads("classify", "raw", 10):
        image = Image.open(io.BytesIO(payload.body)).convert("RGB")
        image = image.resize((224, 224))
        image_array = np.array(image) / 255.0
        prediction = model(np.expand_dims(image_array, axis=0))
        assert np.argmax(prediction) == payload.expected


def test_article_example_3_runs_unchanged(built: Path) -> None:
    """`model(np.array([[feature1, feature2]])).numpy().tolist()` is a nested list of one number."""
    model = tf.saved_model.load(str(built / "my_model"))
    data = {"feature1": 32.1, "feature2": 101.0}
    input_array = np.array([[data["feature1"], data["feature2"]]])
    prediction = model(input_array).numpy().tolist()
    assert prediction == [[pytest.approx(reference("advanced_regression", input_array)[0, 0], rel=RTOL)]]


@pytest.mark.parametrize("name", list(MODELS))
def test_build_refuses_a_wrong_weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A SavedModel of which one weight is 1 % off is not published."""
    from servers.models import definitions  # noqa: PLC0415 - imports TensorFlow

    def spoiled(which: str) -> Any:
        module = original(which)
        variable = module.dense_kernel if which == "digits_cnn" else module.kernel
        values = variable.numpy()
        values.flat[np.abs(values).argmax()] *= 1.01
        variable.assign(values)
        return module

    original = definitions.load
    build._write(MODELS[name], tmp_path / "right")
    build._judge(MODELS[name], tmp_path / "right")
    monkeypatch.setattr(definitions, "load", spoiled)
    build._write(MODELS[name], tmp_path / "wrong")
    with pytest.raises(build.WrongModelError, match=MODELS[name].saved_model):
        build._judge(MODELS[name], tmp_path / "wrong")


def test_build_is_present_until_a_weight_changes(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights make the same directory stale, and give the build another place."""
    before = saved_models_dir()
    assert catalog.is_current(built)
    shutil.copytree(catalog.WEIGHTS_DIR, tmp_path / "weights")
    monkeypatch.setattr(catalog, "WEIGHTS_DIR", tmp_path / "weights")
    assert catalog.is_current(built)
    with np.load(tmp_path / "weights" / "linear_regression.npz") as stored:
        np.savez(tmp_path / "weights" / "linear_regression.npz", kernel=stored["kernel"] * 2, bias=stored["bias"])
    assert not catalog.is_current(built)
    assert saved_models_dir() != before


def _whole_build(directory: Path, digest: str) -> Path:
    """A directory that `is_current` takes for a whole build of that digest."""
    for model in MODELS.values():
        (directory / model.saved_model).mkdir(parents=True)
        (directory / model.saved_model / "saved_model.pb").write_bytes(b"")
    (directory / build.STAMP).write_text(json.dumps({"digest": digest}), encoding="utf-8")
    return directory


@pytest.mark.parametrize(
    "damage", ["no stamp", "torn stamp", "stamp of noise", "stamp of another kind", "a model missing", "no directory"]
)
def test_incomplete_build_is_not_present(tmp_path: Path, damage: str) -> None:
    """Whatever an interrupted copy leaves behind is built again."""
    directory = _whole_build(tmp_path / "models", build_digest())
    assert catalog.is_current(directory)
    written = directory / catalog.STAMP
    if damage == "no stamp":
        written.unlink()
    elif damage == "torn stamp":
        written.write_text(written.read_text(encoding="utf-8")[:9], encoding="utf-8")
    elif damage == "stamp of noise":
        written.write_bytes(b"\xff\x00\xfe")
    elif damage == "stamp of another kind":
        written.write_text("[]", encoding="utf-8")
    elif damage == "a model missing":
        (directory / "my_model" / "saved_model.pb").unlink()
    else:
        shutil.rmtree(directory)
    assert not catalog.is_current(directory)


@pytest.mark.parametrize("stale_there", [False, True])
def test_builders_that_finish_together_leave_one_whole_build(tmp_path: Path, *, stale_there: bool) -> None:
    """Eight processes' worth of renames to one place, over a stale build or none, end in a present one and no error."""
    for attempt in range(20):
        target = tmp_path / f"models-{attempt}"
        if stale_there:
            _whole_build(target, "of other weights")
        failures: list[BaseException] = []
        start = threading.Barrier(8)

        def finish(
            number: int, target: Path = target, start: threading.Barrier = start, failures: Any = failures
        ) -> None:
            scratch = tmp_path / f"{target.name}-scratch-{number}"
            fresh = _whole_build(scratch / "build", build_digest())
            start.wait()
            try:
                build._put_in_place(fresh, target, scratch)
            except OSError as failure:
                failures.append(failure)

        threads = [threading.Thread(target=finish, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert catalog.is_current(target)


def test_command_writes_only_progress_to_stdout_and_nothing_to_stderr(tmp_path: Path) -> None:
    """A build from nothing reports each step as a line of JSON, and TensorFlow's chatter stays out of the terminal."""
    environment = {**os.environ, "TITRATE_CACHE": str(tmp_path)}
    done = run(
        [sys.executable, "-m", "servers.models.build"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {frozenset(line) for line in lines} == {frozenset({"done", "total", "what"})}
    assert [line["done"] for line in lines] == list(range(lines[0]["total"] + 1))
    assert done.stderr == ""
    assert catalog.is_current(tmp_path / "savedmodels" / build_digest()[:12])
    assert [path.name for path in (tmp_path / "savedmodels").iterdir()] == [build_digest()[:12]]


def test_diabetes_rows_are_in_physical_units(built: Path) -> None:
    """Body mass indices and blood pressures are those of people, so a payload looks like what a clinician sends."""
    inputs = dataset("diabetes").inputs
    assert 15 < inputs[:, 0].min() < inputs[:, 0].max() < 50
    assert 50 < inputs[:, 1].min() < inputs[:, 1].max() < 150
