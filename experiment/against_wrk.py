"""The load generator beside wrk and Locust's own user: the same server, the same minute, a core each."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from experiment.ceiling import NULL, REQUEST, START_TIMEOUT_S
from experiment.cores import Cores
from experiment.errors import ExpectedError, usage
from experiment.interleaved_turns import Figures, Rounds, Turn, taken, under_load
from loadtests.endpoints import PREDICT
from loadtests.orders import TargetOrder
from loadtests.remote import Generator
from loadtests.scenarios import closed
from servers.launch import LaunchError, launch
from servers.repository import REPOSITORY
from servers.settings import Settings

_SECONDS: Final = 1
"""wrk takes whole seconds."""
CONNECTIONS: Final = (1, 16, 64)
LOCUST_USERS: Final = 16
_DEADLINE_S: Final = 60.0

_SCRIPT: Final = """\
wrk.method = "POST"
wrk.path = "{path}"
wrk.body = '{body}'
wrk.headers["Content-Type"] = "application/json"
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{{"requests": %d, "duration_us": %d, "p50_us": %d, "failures": %d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), failed))
end
"""


def measure_against_wrk(
    generator: Generator, settings: Settings, cores: Cores, folder: Path, *, rounds: int, say: Callable[[str], None]
) -> Rounds:
    """By `NAME@CONNECTIONS`, what each round has found.

    Raises ExpectedError where wrk is not installed, or somebody got no right answers.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise usage("wrk is not installed", hint="Debian's package of this name: apt-get install wrk")
    core = next(iter(cores.generator), None)
    try:
        with launch(NULL, settings, folder / "null.log") as server:
            server.wait_ready(START_TIMEOUT_S)
            if cores.servers:
                server.pin(cores.servers)
            script = folder / "post.lua"
            body = REQUEST.body.decode()
            script.write_text(_SCRIPT.format(path=REQUEST.path, body=body), encoding="utf-8")
            target = TargetOrder(id=NULL.id, base_url=server.base_url, requests=(REQUEST,))
            turns: dict[str, Turn] = {}
            for count in CONNECTIONS:
                (scenario,) = closed(PREDICT, count)
                turns[f"titrate@{count}"] = under_load(generator, scenario, target, slice_s=float(_SECONDS))
                turns[f"wrk@{count}"] = _wrk(wrk, script, server.base_url, count, core)
            turns[f"fasthttpuser@{LOCUST_USERS}"] = _locust(server.base_url, core)
            return taken(turns, cores, rounds=rounds, say=say)
    except LaunchError as error:
        raise ExpectedError(str(error)) from error


def _wrk(program: str, script: Path, base_url: str, connections: int, core: int | None) -> Turn:
    command = [program, "-t1", f"-c{connections}", f"-d{_SECONDS}s", "-s", str(script), base_url]

    def turn() -> Figures:
        before = os.times()
        found = _json_of(command, core)
        after = os.times()
        if found["failures"] or not found["requests"]:
            raise ExpectedError(f"wrk got no right answers from the null server: {found}")
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        return {
            "rps": 1e6 * found["requests"] / found["duration_us"],
            "busy_us": 1e6 * cpu_s / found["requests"],
            "p50_us": found["p50_us"],
        }

    return turn


def _locust(base_url: str, core: int | None) -> Turn:
    command = [sys.executable, "-m", "loadtests.fasthttp", base_url, "--users", str(LOCUST_USERS)]

    def turn() -> Figures:
        found = _json_of([*command, "--seconds", str(_SECONDS)], core)
        if found["failures"] or not found["rps"]:
            raise ExpectedError(f"FastHttpUser got no right answers from the null server: {found}")
        return {"rps": found["rps"], "busy_us": found["cpu_us"]}

    return turn


def _json_of(command: Sequence[str], core: int | None) -> dict[str, float]:
    """The JSON in the last line of what a program prints that begins with a brace; it runs on one core."""
    pinned = [*(() if core is None else ("taskset", "-c", str(core))), *command]
    done = subprocess.run(pinned, cwd=REPOSITORY, capture_output=True, text=True, timeout=_DEADLINE_S, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise ExpectedError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    found: dict[str, float] = json.loads(lines[-1])
    return found
