"""Kinds of SavedModels, row by row: which modes run each, answers as TensorFlow gives them, and refusals alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from model_kinds import FAST, KINDS, MODES, Kind, kind_models
from reference_service import reference_service
from wsgi_callers import call

from experiment.priming import agrees
from servers.core.user_model_endpoint import endpoint
from servers.core.user_model_source import UserModelSource, build_user_model
from servers.models import describe
from servers.models.user_model import Reading, UserModel, UserModelError
from servers.registry import FRAMEWORKS
from servers.repository import REPOSITORY

_CONTRACT: Final = [name for name, framework in FRAMEWORKS.items() if framework.contract]
_HUGE_INTEGERS: Final = (2**31, 2**63, 2**64, 10**400, -(2**63) - 1)
_HUGE_NUMBERS: Final = (1e39, -1e39, 10**400, 3e38, -3e38, 1e30)

pytest.importorskip("tensorflow")

_ROWS = [pytest.param(name, marks=() if name in FAST else pytest.mark.kinds) for name in KINDS]


@pytest.fixture(name="folder", scope="module")
def _folder(request: pytest.FixtureRequest) -> Path:
    """A SavedModel of every kind that is asked about."""
    own = (one for one in request.session.items if one.path == request.path and hasattr(one, "callspec"))
    return kind_models(tuple(dict.fromkeys(one.callspec.params["name"] for one in own)))


@pytest.mark.parametrize("name", _ROWS)
def test_a_kind_is_served_alike_in_every_mode_that_runs_it(name: str, folder: Path, tmp_path: Path) -> None:
    """Modes run it or say why not, answers are TensorFlow's own, and no request has two outcomes or a 500."""
    kind = KINDS[name]
    payload = None
    if kind.payload is not None:
        payload = tmp_path / "payload.json"
        payload.write_text(json.dumps(kind.payload))
    if kind.refused is not None:
        with pytest.raises(UserModelError, match=kind.refused):
            describe._describe(folder / name, payload, tmp_path / "description")
        return
    describe._describe(folder / name, payload, tmp_path / "description", Reading(fix=kind.fix))
    model = UserModel.read(tmp_path / "description")
    apps = _apps(name, model, _runs(name, kind, model))
    own = _ours(folder / name, model)
    for sent in model.payloads:
        answers = _answers(name, apps, sent.body)
        assert {status for status, _, _ in answers.values()} == {200}
        for _, _, body in answers.values():
            assert agrees(next(iter(body.values())), own(json.loads(sent.body)), sent.tolerance)
    for sent, wanted in _requests(kind, model):
        answers = _answers(name, apps, sent)
        assert len({(status, code) for status, code, _ in answers.values()}) == 1, (sent[:200], answers)
        status = next(iter(answers.values()))[0]
        assert status == wanted if wanted else status in (200, 400), (sent[:200], answers)
        first = next(iter(answers.values()))[2]
        for _, _, body in answers.values():
            assert status != 200 or _alike(body, first), (sent[:200], answers)


@pytest.mark.kinds
def test_a_loop_that_never_ends_holds_nobody(tmp_path: Path) -> None:
    """A value made up at an edge may send the model's own loop on for ever: the modes are tried all the same."""
    saved_model = kind_models(("endless",)) / "endless"
    command = ["--saved-model", str(saved_model), "--out", str(tmp_path / "out"), "--modes", "function,frozen"]
    done = subprocess.run(
        [sys.executable, "-m", "servers.models.describe", *command],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=REPOSITORY,
    )
    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [(one["mode"], one["refusal"]) for one in said if "mode" in one] == [("function", None), ("frozen", None)]


def _runs(name: str, kind: Kind, model: UserModel) -> dict[str, Any]:
    """How each mode that runs it is called; those that do not say what the table says."""
    runs = {}
    for mode in MODES:
        if mode == "lite" and find_spec("ai_edge_litert") is None:
            continue
        refusal, wanted = describe._refusal(mode, model), kind.modes[mode]
        if wanted is None:
            assert refusal is None, f"{mode}: {refusal}"
            runs[mode] = build_user_model(mode, UserModelSource(name=name, model=model)).predict
        else:
            assert refusal is not None, mode
            assert wanted in refusal
            assert "\n" not in refusal
    return runs


def _apps(name: str, model: UserModel, runs: Mapping[str, Any]) -> dict[str, Any]:
    """An application for each mode in each framework."""
    found = {}
    for mode, run in runs.items():
        for framework in _CONTRACT:
            service = reference_service()
            service.endpoints += (endpoint(name, model.signature),)
            assert service.loaded is not None
            service.loaded.runs[name] = run
            found[f"{framework} {mode}"] = import_module(f"servers.apps.{FRAMEWORKS[framework].module}").create_app(
                service
            )
    return found


def _answers(name: str, apps: Mapping[str, Any], body: bytes) -> dict[str, tuple[int, str | None, dict[str, Any]]]:
    """Status, code and body by mode and framework."""
    found = {}
    for place, app in apps.items():
        answer = call(app, "POST", f"/{name}", body, "application/json")
        told = json.loads(answer.body)
        found[place] = (answer.status, told.get("code"), told)
    return found


def _ours(saved_model: Path, model: UserModel) -> Any:
    """What TensorFlow answers by itself, nested as the endpoint nests it."""
    import tensorflow as tf  # noqa: PLC0415 - slow

    loaded = tf.saved_model.load(str(saved_model))

    def answer(document: Mapping[str, Any]) -> Any:
        # A signature stops working when what it was loaded with is collected.
        signature = loaded.signatures[model.signature.name]
        ((form, value),) = document.items()
        inputs = model.signature.inputs
        if form == "instances":
            columns = {
                one.name: [row[one.name] if isinstance(row, dict) and "b64" not in row else row for row in value]
                for one in inputs
            }
        else:
            columns = value if isinstance(value, dict) else {inputs[0].name: value}
        tensors = {one.name: tf.constant(columns[one.name], one.dtype) for one in inputs}
        outputs = {key: _plain(found.numpy()) for key, found in signature(**tensors).items()}
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        if form == "inputs":
            return outputs
        return [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]

    return answer


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if value.dtype == np.float16:
        # As its shortest decimal, which is further from it than a tolerance for float32 allows.
        value = np.array([float(str(each)) for each in value.ravel()]).reshape(value.shape)
    found = value.tolist()
    return [each.decode() for each in found] if value.dtype == object else found


def _requests(kind: Kind, model: UserModel) -> Iterator[tuple[bytes, int | None]]:
    """Requests with the status that they get, None where any will do as long as it is one and the same."""
    for sent in kind.takes:
        yield json.dumps(sent).encode(), 200
    for sent in kind.hostile:
        yield json.dumps(sent).encode(), 400
    yield b'{"inputs": {}}', 400
    yield b'{"instances": []}', 400
    yield b'{"inputs": NaN}', 400
    for one in model.signature.inputs:
        good = model.sample[one.name]
        for wrong in ([], [good], None, {}, "NaN"):
            if (one.kind, wrong) != ("string", "NaN"):
                yield _with(model, one.name, wrong), 400
        if one.kind == "string":
            continue
        for value in (*_HUGE_INTEGERS, *_HUGE_NUMBERS, 0, -1, True, "1", None, float("nan"), float("inf")):
            yield _with(model, one.name, _filled(good, value, first=False)), None
            yield _with(model, one.name, _filled(good, value, first=True)), None


def _with(model: UserModel, name: str, value: Any) -> bytes:
    return json.dumps({"inputs": {**model.sample, name: value}}).encode()


def _filled(good: Any, value: Any, *, first: bool) -> Any:
    """`good` with `value` in place of its first element, or of all."""
    if not isinstance(good, list):
        return value
    return [_filled(each, value, first=first) if at == 0 or not first else each for at, each in enumerate(good)]


def _alike(body: Any, first: Any) -> bool:
    """Within what modes may differ by, by the largest number of the answer."""
    if isinstance(first, dict):
        return all(_alike(body[key], first[key]) for key in first)
    if isinstance(first, list) and first and isinstance(first[0], dict):
        return all(map(_alike, body, first))
    one, other = np.asarray(body), np.asarray(first)
    if not np.issubdtype(other.dtype, np.number):
        return bool(np.array_equal(one, other))
    return bool(np.abs(one - other).max(initial=0) <= 1e-4 + 1e-4 * np.abs(other).max(initial=0))
