"""A user's own SavedModel: read from its file, judged by its own signature, served in every mode that can run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from case_style import faults
from user_models import user_saved_models

from commands.terminal import StandardError
from conformance.finding import Level
from experiment.built_models import built_models
from experiment.priming import agrees, predicted
from experiment.user_model_setup import UserModelSetup
from servers.core.mode import RefusedError
from servers.core.reply import ApiError
from servers.core.user_model_source import UserModelSource, build_user_model, read_probes
from servers.launch import launch
from servers.models import describe
from servers.models.payloads import PROTOBUF, tensor_bytes
from servers.models.user_model import UserModel, digest_of
from servers.repository import REPOSITORY
from servers.settings import Settings
from servers.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.core.mode import Built, ModelCall

_BENCH = (sys.executable, str(REPOSITORY / "bench.py"))
_START_S = 120
_HAS_LITE = find_spec("ai_edge_litert") is not None

pytest.importorskip("tensorflow")


@pytest.fixture(name="described", scope="module")
def _described(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., UserModel]:
    out = tmp_path_factory.mktemp("described")

    def described(name: str, payload: tuple[str, bytes] | None = None) -> UserModel:
        """The description of one of the test's SavedModels, `payload` being a file's suffix and content."""
        folder = out / f"{name}{payload[0] if payload else ''}"
        if not folder.exists():
            file = None
            if payload:
                file = out / f"payload-{name}{payload[0]}"
                file.write_bytes(payload[1])
            describe._describe(user_saved_models() / name, file, folder)
        return UserModel.read(folder)

    return described


_WORDS = (".json", b'{"instances": ["cat", {"b64": "AP8="}, "horse"]}')


def _built(mode: str, model: UserModel) -> tuple[UserModelSource, Built[ModelCall]]:
    source = UserModelSource(name="mine", model=model)
    return source, build_user_model(mode, source)


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "rows", "batched"),
    [
        ("two_inputs", ["left float32 [?, 4]", "right float32 [?]"], ["best", "total"], (1, 1024), True),
        ("conv", ["picture float32 [?, 16, 16, 3]"], ["output_0"], (1, 1024), True),
        ("strings", ["text string [?]"], ["length", "upper"], (1, 1024), True),
        ("static", ["x float32 [2, 4]"], ["y"], (2, 2), False),
        ("centred", ["x float32 [?, 4]"], ["y"], (1, 1024), False),
        ("mixed", ["flag bool [?]", "ids int64 [?]", "scale float64 []"], ["y", "z"], None, False),
        ("sequence", ["tokens float32 [?, ?]"], ["sum"], (1, 1024), True),
    ],
)
def test_the_signature_is_read_from_the_file(  # noqa: PLR0917 - columns of the table
    described: Callable[..., UserModel],
    name: str,
    inputs: list[str],
    outputs: list[str],
    rows: tuple[int, int] | None,
    batched: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Inputs and outputs by name, rows as the shapes have them, and whether rows keep to themselves by asking."""
    model = described(name, _WORDS if name == "strings" else None)
    assert list(map(str, model.signature.inputs)) == inputs
    assert [tensor.name for tensor in model.signature.outputs] == outputs
    assert model.signature.rows == rows
    assert model.signature.batched is batched
    assert model.digest == digest_of(user_saved_models() / name)
    assert len({one.body for one in model.payloads}) == len(model.payloads)
    assert (len(model.payloads) > 1) == (name != "strings")


@pytest.mark.parametrize(
    ("name", "mode", "reason"),
    [
        ("two_inputs", "function", None),
        ("two_inputs", "frozen", None),
        ("two_inputs", "xla", None),
        ("two_inputs", "lite", None),
        ("two_inputs", "eager", "holds none"),
        ("conv", "frozen", None),
        ("conv", "xla", None),
        ("conv", "lite", None),
        ("static", "xla", None),
        ("static", "lite", None),
        ("strings", "frozen", None),
        ("strings", "xla", "mode xla cannot run it"),
        ("strings", "lite", "LiteRT has no operation for StringLength"),
        ("table", "function", None),
        ("table", "frozen", None),
        ("mixed", "frozen", None),
        ("mixed", "xla", "leaves sizes open: flag bool"),
        ("centred", "function", None),
        ("centred", "lite", "depend on each other"),
        ("sequence", "xla", "leaves sizes open: tokens float32"),
    ],
)
def test_each_mode_runs_it_or_says_why_not(
    described: Callable[..., UserModel], name: str, mode: str, reason: str | None
) -> None:
    """A mode answers as the model's own signature does, in every batch size, or is refused with one line."""
    if mode == "lite" and not _HAS_LITE:
        pytest.skip("needs the extra `lite`")
    refusal = describe._refusal(mode, described(name, _WORDS if name in ("strings", "table") else None))
    if reason is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert reason in refusal
        assert "\n" not in refusal


@pytest.mark.parametrize("mode", ["function", "frozen", "xla", "lite"])
def test_a_mode_that_answers_otherwise_is_refused(described: Callable[..., UserModel], mode: str) -> None:
    """One output off by a thousandth, in one row or only in a padded batch, keeps a mode from being served."""
    if mode == "lite" and not _HAS_LITE:
        pytest.skip("needs the extra `lite`")
    source, built = _built(mode, described("two_inputs"))
    assert source.compare(built) < 1e-4

    def off(*inputs: Any, least_rows: int) -> Any:
        best, total = (each.copy() for each in built.predict(*inputs))
        if len(total) >= least_rows:
            total[-1, 0] += np.float32(1e-3)
        return best, total

    for least_rows in (1, 3):
        wrong = replace(built, predict=lambda *inputs, rows=least_rows: off(*inputs, least_rows=rows))
        with pytest.raises(RefusedError, match=r"^model mine differs from its own signature in total"):
            source.compare(wrong)


@pytest.mark.parametrize("mode", ["function", "frozen", "xla"])
def test_values_that_the_model_refuses_are_the_clients_fault(described: Callable[..., UserModel], mode: str) -> None:
    """An index beyond the table is a 400 where TensorFlow says so, and the next good call is answered, 8 at a time."""
    source, built = _built(mode, described("hostile"))
    (good, wanted) = read_probes(source.model)[0]
    traced = built.traces()

    def both(_: int) -> bool:
        if mode != "xla":  # compiled code clamps an index instead
            with pytest.raises(ApiError, match="refuses these values"):
                built.predict(np.array([99], dtype=np.int32))
        return bool(np.array_equal(built.predict(*good)[0], wanted[0]))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(both, range(64)))
    assert built.traces() == traced


@pytest.mark.parametrize(
    ("name", "payload", "says"),
    [
        ("strings", None, "takes strings, which cannot be made up"),
        ("random", None, "draws random numbers, so that no answer of it can be checked"),
        ("complex", None, "complex64, which JSON cannot carry"),
        ("no_signature", None, "no serving signature"),
        ("two_inputs", (".json", b'{"instances": [{"left": [1, 2, 3, 4]}]}'), "/instances/0/right: is required"),
        ("two_inputs", (".json", b"{"), "not acceptable JSON"),
        ("two_inputs", (".png", b"x"), "takes no image/png"),
        ("two_inputs", (".txt", b"x"), "its suffix says nothing"),
        ("conv", (".png", b"x"), "nothing says on which scale"),
        ("hostile", (".json", b'{"instances": [99]}'), "the model refuses it: indices[0] = 99 is not in [0, 4)"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_a_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, payload: tuple[str, bytes] | None, says: str
) -> None:
    """A model that cannot be asked or checked, or a payload that it refuses, ends the description with exit code 2."""
    arguments = ["--saved-model", str(user_saved_models() / name), "--out", str(tmp_path / "out")]
    if payload:
        file = tmp_path / f"payload{payload[0]}"
        file.write_bytes(payload[1])
        arguments += ["--payload", str(file)]
    assert describe.main(arguments) == 2
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert says in said["error"]
    assert "\n" not in said["error"]
    assert said["hint"]
    assert not (tmp_path / "out").exists()


def test_every_signature_of_a_file_is_told_and_run(described: Callable[..., UserModel]) -> None:
    """A SavedModel of TensorFlow 1 is described with all its signatures, and each answers as TensorFlow itself does."""
    from servers.core.tensorflow_serving import _examples, _results  # noqa: PLC0415 - what the endpoint does

    model = described("half_plus_two")
    assert (model.version, model.signature.name) == ("1", "serving_default")
    by_name = {one.name: one for one in model.beside}
    assert set(by_name) == {"classify_x_to_y", "regress_x_to_y"}
    assert model.method("regress_x_to_y") == "tensorflow/serving/regress"
    tensor = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert model.signature_defs["regress_x_to_y"]["inputs"] == {
        "inputs": {"dtype": "DT_STRING", "name": "tf_example:0", "tensor_shape": tensor}
    }
    source = UserModelSource(name="mine", model=model)
    document = {"examples": [{"x": 80.0}, {"x": 1.0}]}
    for method, told in (("regress", b'{"results":[42.0,2.5]}'), ("classify", b'{"results":[[["",42.0]],[["",2.5]]]}')):
        signature = by_name[f"{method}_x_to_y"]
        inputs = _examples(document, signature, model.method(signature.name), method)
        assert _results(source.beside(signature)(*inputs), signature, method).body == told
    with pytest.raises(ApiError, match="refuses these values"):
        source.beside(by_name["regress_x_to_y"])(np.array([b"no example"], dtype=np.object_))


def test_every_payload_form_is_expected_what_the_endpoint_answers(described: Callable[..., UserModel]) -> None:
    """A TensorProto, rows and columns of one question have the same expected numbers."""
    row = [[0.1, 0.2, 0.3, 0.4], [1.0, 2.0, 3.0, 4.0]]
    tensor = described("static", (".pb", tensor_bytes(row))).payloads[0]
    rows = described("static", (".json", json.dumps({"instances": row}).encode())).payloads[0]
    assert (tensor.content_type, tensor.expected_key, rows.expected_key) == (PROTOBUF, "tensor_content", "predictions")
    assert agrees(tensor.expected, rows.expected)
    assert not agrees(tensor.expected, [[0.0] * 3] * 2)


def test_the_generated_cases_read_as_the_others_do(described: Callable[..., UserModel]) -> None:
    """The cases of a user's endpoint follow the rules of every case, and most of them bind."""
    own = UserModelSetup(name="mine", payload=None, model=described("two_inputs"), refusals={})
    assert faults(own.cases) == []
    assert sum(case.level is Level.MUST for case in own.cases) >= 15


@pytest.mark.parametrize("target", ["bottle+granian+lite", "flask+waitress+function"])
def test_a_served_model_answers_and_names_itself(
    described: Callable[..., UserModel], target: str, tmp_path: Path
) -> None:
    """Over HTTP each payload gets its expected answer; metadata has digest and yardstick, OpenAPI has the route."""
    if "lite" in target and not _HAS_LITE:
        pytest.skip("needs the extra `lite`")
    model = described("conv")
    own = UserModelSetup(name="mine", payload=None, model=model, refusals={})
    settings = own.placed(Settings(models_dir=built_models(StandardError())))
    with launch(Target.parse(target), settings, tmp_path / "log") as up:
        up.wait_ready(_START_S)
        for payload in model.payloads:
            question = urllib.request.Request(  # noqa: S310 - our own base URL
                f"{up.base_url}/mine", payload.body, {"Content-Type": payload.content_type}
            )
            with urllib.request.urlopen(question, timeout=20) as answer:  # noqa: S310
                assert agrees(predicted(payload, answer.read()), payload.expected, payload.tolerance)
        metadata = up.metadata()
        with urllib.request.urlopen(f"{up.base_url}/openapi.json", timeout=20) as answer:  # noqa: S310
            assert "/mine" in json.load(answer)["paths"]
    assert metadata is not None
    assert metadata["retraces"] == 0
    assert metadata["models"]["mine"]["digest"] == model.digest
    assert "its own signature" in metadata["models"]["mine"]["compared_with"]


def test_a_model_that_changed_is_not_served(described: Callable[..., UserModel], tmp_path: Path) -> None:
    """A SavedModel that is other than what was described ends the server before it is ready."""
    from servers.core.loading import _refuse_changed  # noqa: PLC0415 - what a server does first

    copy = tmp_path / "copy"
    shutil.copytree(user_saved_models() / "static", copy)
    describe._describe(copy, None, tmp_path / "out")
    source = UserModelSource(name="mine", model=UserModel.read(tmp_path / "out"))
    _refuse_changed(source)
    with (copy / "saved_model.pb").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(RefusedError, match="has changed"):
        _refuse_changed(source)


def test_a_compiler_that_dies_costs_its_mode_alone(
    described: Callable[..., UserModel], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where trying a mode takes the process down, that mode is refused and the others are tried in a new process."""
    from experiment import describing as given  # noqa: PLC0415 - its interpreter is replaced

    script = tmp_path / "python"
    script.write_text(
        "#!/bin/sh\n"
        'while [ "$1" != --modes ]; do shift; done; mode=${2%%,*}; channel=/dev/fd/$4; printed="{} not for us"\n'
        'echo "$printed"; echo "{\\"what\\": \\"x\\", \\"trying\\": \\"$mode\\"}" >$channel\n'
        "[ $mode = xla ] && kill -SEGV $$\n"
        'echo "{\\"mode\\": \\"$mode\\", \\"refusal\\": null, \\"seconds\\": 1}" >$channel\n'
    )
    script.chmod(0o700)
    monkeypatch.setattr(given.sys, "executable", str(script))
    with StandardError().bar("trying") as bar:
        found = given.tried([], ["xla", "lite"], bar, tmp_path)
    assert found["lite"] is None
    assert str(found["xla"]).startswith("mode xla took its process down")
    assert "not for us" in (tmp_path / "mode-xla.txt").read_text()


def test_check_holds_the_endpoint_to_the_contract() -> None:
    """`check --model` judges the user's endpoint on each target, and a mode that cannot run it is named, not judged."""
    model = f"mine={user_saved_models() / 'two_inputs'}"
    cases = [word for case in ("figures", "recovery", "type", "method") for word in ("--case", f"model-{case}")]
    done = subprocess.run(
        [*_BENCH, "check", "--targets", "flask+waitress,bottle+waitress", "--model", model, *cases],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 findings on 2 targets" in done.stdout
