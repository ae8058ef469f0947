"""What stands in deploy/: sound by the linters and schemas that there are, and its commands work."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from servers.launch import free_port
from servers.repository import REPOSITORY

pytestmark = pytest.mark.deploy

DEPLOY = REPOSITORY / "deploy"
BIN = Path(sys.executable).parent
CHECKS = {
    "Dockerfile": [str(BIN / "hadolint")],
    "compose.yaml": [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec"],
    "kubernetes.yaml": [str(BIN / "kubernetes-validate"), "--strict"],
}
START_S = 240.0


def _complaint(name: str, path: Path) -> str:
    done = subprocess.run([*CHECKS[name], path], capture_output=True, text=True, check=False, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("name", CHECKS)
def test_the_file_is_sound(name: str) -> None:
    """Its linter, or the schema of its specification, has nothing to say."""
    assert _complaint(name, DEPLOY / name) == ""


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Dockerfile", "python:3.11-slim-bookworm", "python"),
        ("Dockerfile", "uv==0.13.9", "uv"),
        ("compose.yaml", "healthcheck:", "heathcheck:"),
        ("kubernetes.yaml", "parallelism: 4", "parallelism: four"),
        ("kubernetes.yaml", "containerPort: 8000", "containrPort: 8000"),
    ],
)
def test_a_planted_fault_is_found(name: str, before: str, after: str, tmp_path: Path) -> None:
    """An image without a tag, a package without a version, a misspelt or mistyped field: each is named."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert before in text
    (tmp_path / name).write_text(text.replace(before, after), encoding="utf-8")
    assert _complaint(name, tmp_path / name)


def test_one_number_says_how_many_workers_there_are() -> None:
    """The workers' completions and parallelism, and what the run waits for, are the same N."""
    found = {one["metadata"]["name"]: one for one in _documents() if one["kind"] == "Job"}
    workers = found["titrate-workers"]["spec"]
    arguments = found["titrate-run"]["spec"]["template"]["spec"]["containers"][0]["args"]
    expected = int(arguments[arguments.index("--expect-workers") + 1])
    assert workers["completions"] == workers["parallelism"] == expected > 1


def test_every_service_leads_to_pods_that_are_there() -> None:
    """A Service selects the labels of a pod template, and its port is one that a container of it names."""
    documents = _documents()
    templates = [one["spec"]["template"] for one in documents if one["kind"] in ("Deployment", "Job")]
    for service in (one["spec"] for one in documents if one["kind"] == "Service"):
        chosen = [one for one in templates if service["selector"].items() <= one["metadata"]["labels"].items()]
        named = {port["name"] for one in chosen for box in one["spec"]["containers"] for port in box.get("ports", ())}
        assert {port["targetPort"] for port in service["ports"]} <= named


def test_the_servers_image_serves(tmp_path: Path) -> None:
    """The commands of the stage `server`, run in an empty copy of the tree, end in a server that predicts."""
    root = tmp_path / "titrate"
    root.mkdir()
    archive = subprocess.run(["git", "stash", "create"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    tree = archive.stdout.strip() or "HEAD"
    packed = subprocess.run(["git", "archive", tree], cwd=REPOSITORY, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=root, input=packed.stdout, check=True)
    stage = list(_instructions("base")) + list(_instructions("server"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TITRATE", "VIRTUAL"))}
    environment |= {"UV_PYTHON": sys.executable}
    for kind, text in stage:
        if kind == "ENV":
            pairs = (one.partition("=") for one in shlex.split(text))
            environment |= {name: value.replace("/titrate", str(root)) for name, _, value in pairs}
        # uv is here already, and making users and taking the cache away is the image's own affair.
        if kind == "RUN" and not re.match(r"python -m pip|useradd", text):
            command = text.replace("--no-cache", "")
            subprocess.run(["sh", "-c", command], cwd=root, env=environment, check=True, timeout=START_S)
    commands = {kind: json.loads(text) for kind, text in stage if kind in ("ENTRYPOINT", "CMD")}
    port = str(free_port())
    given = [*commands["ENTRYPOINT"], *commands["CMD"]]
    with _running([port if one == "8000" else one for one in given], root, environment):
        assert _answer(int(port), "GET", "/readyz")["status"] == "ready"
        assert isinstance(_answer(int(port), "POST", "/predict")["prediction"], float)


def _documents() -> list[dict[str, object]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))


def _instructions(stage: str) -> Iterator[tuple[str, str]]:
    """The instructions of one stage of the Dockerfile, continued lines joined, comments left out."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
    current = ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "FROM":
            current = rest.rpartition(" AS ")[2]
        elif current == stage and line and not line.startswith("#"):
            yield kind, rest


@contextmanager
def _running(command: list[str], root: Path, environment: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(command, cwd=root, env=environment) as server:
        try:
            yield
        finally:
            for process in psutil.Process(server.pid).children(recursive=True):
                process.terminate()
            server.terminate()


def _answer(port: int, method: str, path: str) -> dict[str, object]:
    """The JSON of a 200, waited for while the server comes up."""
    end = time.monotonic() + START_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request(method, path, b'{"feature": 24.5}', {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                found: dict[str, object] = json.loads(body)
                return found
        except OSError:
            pass  # it does not listen yet; the deadline below is what fails
        finally:
            connection.close()
        assert time.monotonic() < end, f"{path} was not 200 after {START_S:.0f} s"
        time.sleep(0.2)
