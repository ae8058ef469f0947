"""Verdicts on a truth that was made: one server under two names, and the same server behind a shim."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.terminal import StandardError
from experiment.built_models import built_models
from servers.launch import free_port, start
from servers.repository import REPOSITORY
from servers.settings import Settings

pytestmark = [
    pytest.mark.noisy,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="server and generator need a core each"),
]

SERVER = REPOSITORY / "tests" / "support" / "shim_server.py"
SHARE = 0.1
TIMES = 5
SCENARIO = "classify@16"
"""Nearly all of what a request costs there is the application's."""


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The server's two base URLs, the second behind the shim; models are loaded."""
    settings = Settings(models_dir=built_models(StandardError()))
    port = free_port(settings.host)

    def command(own: Settings) -> list[str]:
        return [own.python, str(SERVER), str(port), str(SHARE)]

    with start("bottle+waitress+function", command, settings, tmp_path / "log", contract=True) as server:
        server.wait_ready(120)
        server.pin({min(os.sched_getaffinity(0))})
        yield server.base_url, f"http://{settings.host}:{port}"


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
