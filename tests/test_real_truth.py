"""Verdicts on a truth that was made: one server under two names, and the same server behind a shim."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from servers.launch import REPOSITORY, child_environment
from servers.settings import Settings
from verbs.built_models import built_models
from verbs.terminal import Terminal

pytestmark = [
    pytest.mark.noisy,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="server and generator need a core each"),
]

SERVER = Path(__file__).with_name("shim_server.py")
SHARE = 0.1
TIMES = 5
SCENARIO = "classify@16"
"""Nearly all of what a request costs there is the application's."""


@pytest.fixture
def addresses() -> Iterator[tuple[str, str]]:
    """The server's two base URLs, the second behind the shim; models are loaded."""
    core = str(min(os.sched_getaffinity(0)))
    command = [sys.executable, str(SERVER), core, str(SHARE)]
    environment = child_environment("bottle+waitress+function", Settings(models_dir=built_models(Terminal())))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            plain, shimmed = map(int, server.stdout.readline().split())
            _wait_ready(plain)
            yield f"http://127.0.0.1:{plain}", f"http://127.0.0.1:{shimmed}"
        finally:
            server.stdin.close()
            server.wait(30)


def _wait_ready(port: int) -> None:
    until_s = time.monotonic() + 120
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
        connection.close()
        if status == http.HTTPStatus.OK:
            return
        assert time.monotonic() < until_s, "the models were not loaded in time"
        time.sleep(0.2)


def test_two_names_are_equivalent_and_a_tenth_more_is_slower(addresses: tuple[str, str], tmp_path: Path) -> None:
    """Five runs of five say `equivalent` of two URLs of one server, and `slower` of it with a tenth more to do."""
    plain, shimmed = addresses
    said: dict[str, Counter[str]] = {"same": Counter(), "shim": Counter()}
    for turn in range(TIMES):
        folder = tmp_path / str(turn)
        urls = [f"--url={name}={url}" for name, url in (("plain", plain), ("same", plain), ("shim", shimmed))]
        command = [sys.executable, str(REPOSITORY / "bench.py"), "run", "--skip-check"]
        done = subprocess.run(
            [*command, "--plan", "full", "--scenarios", SCENARIO, *urls, "--seed", str(turn), "--out", str(folder)],
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode in (0, 3), done.stderr
        for row in json.loads((folder / "summary.json").read_text())["comparisons"]:
            if (row["baseline"], row["metric"], row["axis"]) == ("plain", "throughput", "url"):
                said[row["candidate"]][row["verdict"]] += 1
                print(turn, row["candidate"], row["verdict"], row["ratio"], row["ci95"], row["reason"])
    assert said == {"same": Counter(equivalent=TIMES), "shim": Counter(slower=TIMES)}
