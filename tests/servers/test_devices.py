"""Devices without having one: what TensorFlow offers on a CPU alone stands in for what it does with a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mode_builds import saved_models

from experiment import line_up
from experiment.errors import HARNESS, ExpectedError
from experiment.journal_records import NotRunRecord
from experiment.line_up import NO_GPU, contenders, has_gpu, left_out
from servers.core.loading import require_device
from servers.core.mode import RefusedError
from servers.launch import LaunchError, launch
from servers.registry import MODES
from servers.repository import REPOSITORY
from servers.settings import Settings
from servers.target import Target, TargetError, grid

_GPU = "flask+granian+function+gpu"

needs_no_gpu = pytest.mark.skipif(has_gpu(), reason="there is a GPU here")


def _in_a_process(script: str) -> dict[str, object]:
    """What a script prints as JSON; TensorFlow's devices are fixed once a process for good."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(saved_models())],
        env={
            **os.environ,
            **Settings(models_dir=saved_models()).environment("test"),
            "PYTHONPATH": str(REPOSITORY),
            "CUDA_VISIBLE_DEVICES": "",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


_PLACEMENT = """
import json, sys
import tensorflow as tf

def where():
    try:
        with tf.device("/GPU:0"):
            return tf.constant([1.0]).backing_device
    except tf.errors.InvalidArgumentError:
        return "refused"

soft = where()
tf.config.set_soft_device_placement(enabled=False)
print(json.dumps({"soft": soft, "hard": where()}))
"""


def test_soft_placement_would_compute_on_the_cpu_in_silence() -> None:
    """Left on, as it is by default, a GPU that is not there is replaced by the CPU; switched off, it is an error."""
    found = _in_a_process(_PLACEMENT)
    assert str(found["soft"]).endswith("CPU:0")
    assert found["hard"] == "refused"


_LOGICAL = """
import json, sys
from pathlib import Path
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.set_soft_device_placement(enabled=False)
from servers.core.source import build
from servers.core.source import Source
from servers.models.catalog import MODELS
from servers.models.datasets import probes

found = {}
for mode in ("eager", "function", "frozen", "xla"):
    name = "linear_regression"
    with tf.device("/CPU:1"):
        built = build(mode, Source(model=MODELS[name], folder=Path(sys.argv[1])))
        built.predict(probes(name, 1))
    found[mode] = built.device()
print(json.dumps(found))
"""


def test_a_mode_reports_where_its_result_really_lay() -> None:
    """On the second of two logical devices every mode names that one: the name is the result's, not the request's."""
    found = _in_a_process(_LOGICAL)
    assert {mode: str(where).rpartition("device:")[2] for mode, where in found.items()} == dict.fromkeys(
        ("eager", "function", "frozen", "xla"), "CPU:1"
    )


@pytest.mark.parametrize(
    ("device", "where", "refused"),
    [
        ("gpu", "/job:localhost/replica:0/task:0/device:CPU:0", True),
        ("gpu", "/job:localhost/replica:0/task:0/device:GPU:0", False),
        ("cpu", "/job:localhost/replica:0/task:0/device:GPU:0", True),
        ("cpu", "/job:localhost/replica:0/task:0/device:CPU:0", False),
        ("cpu", "/device:CPU:0 (LiteRT)", False),
    ],
)
def test_a_model_on_another_device_is_refused(device: str, where: str, refused: bool) -> None:  # noqa: FBT001 - a row
    """One model that was computed elsewhere is enough, and is named with where it ran."""
    right = f"/device:{device.upper()}:0"
    if not refused:
        require_device(device, {"one": right, "other": where})
        return
    with pytest.raises(RefusedError, match=rf"^device {device}: other ran on {where}$"):
        require_device(device, {"one": right, "other": where})


@needs_no_gpu
@pytest.mark.parametrize("mode", ["function", "xla"])
def test_a_server_refuses_a_gpu_that_is_not_there(mode: str, tmp_path: Path) -> None:
    """It ends with one clear line instead of serving from the CPU."""
    target = Target.parse(f"bottle+granian+{mode}+gpu")
    with (
        launch(target, Settings(models_dir=saved_models()), tmp_path / "log") as server,
        pytest.raises(LaunchError, match=r"refused: device gpu: TensorFlow sees no GPU here"),
    ):
        server.wait_ready(120)


def test_a_target_that_can_never_run_is_no_target() -> None:
    """LiteRT has no GPU: the id is refused with what would do, and the list of targets leaves it out."""
    for mode in [name for name, one in MODES.items() if one.devices == ("cpu",)]:
        with pytest.raises(TargetError, match="runs on the cpu alone; device gpu goes with eager, frozen"):
            Target.parse(f"flask+granian+{mode}+gpu")
        assert not [target for target in grid() if (target.mode, target.device) == (mode, "gpu")]
    assert [target for target in grid() if target.device == "gpu"]


def test_a_gpu_that_is_missing_is_said_and_never_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named or of a plan, a target on a GPU is left out with the reason where there is none, and the others stay."""
    monkeypatch.setattr(line_up, "has_gpu", lambda: False)
    assert {one.id for one in contenders("smoke", f"flask,{_GPU}", [])} == {
        "flask+gunicorn+function+cpu",
        "flask+gunicorn+function+cpu#2",
    }
    assert left_out("smoke", f"flask,{_GPU}", []) == [NotRunRecord(what=_GPU, reason=NO_GPU)]
    with pytest.raises(ExpectedError, match=r"^not run: \S+: no GPU$") as alone:
        contenders("smoke", _GPU, [])
    assert alone.value.code == HARNESS
    monkeypatch.setitem(line_up.PLAN_TARGETS, "smoke", ("flask", _GPU, "flask+granian+lite+gpu"))
    assert {one.target.device for one in contenders("smoke", None, []) if one.target} == {"cpu"}
    reasons = {entry.what: entry.reason for entry in left_out("smoke", None, [])}
    assert reasons[_GPU] == NO_GPU
    assert "runs on the cpu alone" in reasons["flask+granian+lite+gpu"]


def test_a_gpu_that_is_there_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a driver is loaded nothing is left out; whether TensorFlow can use it, the server says."""
    monkeypatch.setattr(line_up, "has_gpu", lambda: True)
    assert _GPU in {one.id for one in contenders("smoke", f"flask,{_GPU}", [])}
    assert left_out("smoke", f"flask,{_GPU}", []) == []
