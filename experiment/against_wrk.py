"""The load generator beside wrk and Locust's own user: the same server, the same minute, a core each."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from experiment.ceiling import NULL, REQUEST, START_TIMEOUT_S
from experiment.cores import Cores, harness_out_of_the_way
from experiment.errors import ExpectedError, usage
from loadtests.orders import TargetOrder, TrialOrder
from loadtests.remote import Generator
from loadtests.scenarios import PREDICT, closed
from reports.statistics import Ratio, paired_ratio
from servers.launch import LaunchError, launch
from servers.repository import REPOSITORY
from servers.settings import Settings

_SECONDS: Final = 1
"""wrk takes whole seconds."""
_CONNECTIONS: Final = (1, 16, 64)
_LOCUST_USERS: Final = 16
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One thing that must hold of the generator: a ratio, paired round by round, and how it must stand to its limit."""

    name: str
    measured: Ratio
    limit: float
    at_least: bool

    @property
    def holds(self) -> bool:
        """Whether it does."""
        return self._reached_by(self.measured.ratio)

    @property
    def refuted(self) -> bool:
        """Whether all of the interval is on the wrong side: what merely does not hold may hold in more rounds."""
        return not self._reached_by(self.measured.high if self.at_least else self.measured.low)

    def _reached_by(self, ratio: float) -> bool:
        # A mean of logarithms is the limit itself but for its last bits.
        at_limit = math.isclose(ratio, self.limit, rel_tol=1e-12)
        return at_limit or (ratio > self.limit if self.at_least else ratio < self.limit)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        figures = {"ratio": self.measured.ratio, "low": self.measured.low, "high": self.measured.high}
        return {"name": self.name, **figures, "limit": self.limit, "holds": self.holds, "refuted": self.refuted}


Figures = Mapping[str, float]
"""Of one measurement: `rps`, the `busy_us` of a request and, where it is known, the median `p50_us`.

Busy is the CPU time of what sleeps when it has nothing to do, and of the generator the time in which it had something.
"""
Turn = Callable[[], Figures]
Rounds = Mapping[str, Sequence[Figures]]
"""By `NAME@CONNECTIONS`, what each round has found."""


def measure_parity(
    generator: Generator, settings: Settings, cores: Cores, folder: Path, *, rounds: int, say: Callable[[str], None]
) -> Rounds:
    """Every round makes every measurement once, in a random order.

    Raises ExpectedError where wrk is not installed, or somebody got no right answers.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise usage("wrk is not installed", hint="Debian's package of this name: apt-get install wrk")
    core = next(iter(cores.generator), None)
    chance = random.Random(rounds)  # noqa: S311 - an order, not a secret
    found: dict[str, list[Figures]] = defaultdict(list)
    try:
        with launch(NULL, settings, folder / "null.log") as server:
            server.wait_ready(START_TIMEOUT_S)
            if cores.servers:
                server.pin(cores.servers)
            script = folder / "post.lua"
            body = REQUEST.body.decode()
            script.write_text(_SCRIPT.format(path=REQUEST.path, body=body), encoding="utf-8")
            turns: dict[str, Turn] = {}
            for count in _CONNECTIONS:
                turns[f"titrate@{count}"] = _ours(generator, server.base_url, count)
                turns[f"wrk@{count}"] = _wrk(wrk, script, server.base_url, count, core)
            turns[f"fasthttpuser@{_LOCUST_USERS}"] = _locust(server.base_url, core)
            for number in range(rounds):
                say(f"round {number + 1}/{rounds}")
                for name in chance.sample(sorted(turns), k=len(turns)):
                    with harness_out_of_the_way(cores):
                        found[name].append(turns[name]())
    except LaunchError as error:
        raise ExpectedError(str(error)) from error
    return {name: found[name] for name in turns}


def medians(rounds: Rounds) -> dict[str, dict[str, float]]:
    """Of each figure over the rounds."""
    return {
        name: {figure: statistics.median(one[figure] for one in its) for figure in its[0]}
        for name, its in rounds.items()
    }


def bars(rounds: Rounds) -> tuple[Bar, ...]:
    """What must hold: as fast as wrk, a median of at most 1.3 of its, and four times Locust's own user.

    Raises ValueError for fewer than two rounds.
    """

    def ratio(name: str, other: str, figure: str) -> Ratio:
        # Whichever is better, what is named is over the other.
        return paired_ratio([one[figure] for one in rounds[other]], [one[figure] for one in rounds[name]])

    locust = f"fasthttpuser@{_LOCUST_USERS}"
    return (
        *(
            Bar(
                name=f"requests/s over wrk's at {count} connections",
                measured=ratio(f"titrate@{count}", f"wrk@{count}", "rps"),
                limit=1.0,
                at_least=True,
            )
            for count in _CONNECTIONS[1:]
        ),
        Bar(
            name="median over wrk's at one connection",
            measured=ratio("titrate@1", "wrk@1", "p50_us"),
            limit=1.3,
            at_least=False,
        ),
        Bar(
            name=f"requests/s over FastHttpUser's at {_LOCUST_USERS} users",
            measured=ratio(f"titrate@{_LOCUST_USERS}", locust, "rps"),
            limit=4.0,
            at_least=True,
        ),
    )


def _ours(generator: Generator, base_url: str, connections: int) -> Turn:
    order = TrialOrder(
        scenario=closed(PREDICT, connections)[0],
        targets=(TargetOrder(id=NULL.id, base_url=base_url, requests=(REQUEST,)),),
        slices=1,
        slice_s=float(_SECONDS),
        warmup_slices=0,
        seed=0,
        label="parity",
    )

    def turn() -> dict[str, float]:
        (record,) = generator.trial(order)
        if record.errors or record.p50_us is None:
            raise ExpectedError(f"the null server failed at {connections} users: {record.error_kinds}")
        rps = record.throughput_rps
        return {"rps": rps, "busy_us": 1e6 * record.generator.cpu_share / rps, "p50_us": record.p50_us}

    return turn


def _wrk(program: str, script: Path, base_url: str, connections: int, core: int | None) -> Turn:
    command = [program, "-t1", f"-c{connections}", f"-d{_SECONDS}s", "-s", str(script), base_url]

    def turn() -> dict[str, float]:
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
    command = [sys.executable, "-m", "loadtests.fasthttp", base_url, "--users", str(_LOCUST_USERS)]

    def turn() -> dict[str, float]:
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
