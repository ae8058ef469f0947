"""The noise of a machine, recorded: a target and its twin, launch by launch, under load in turns of 25 ms.

    PYTHONPATH=. python tests/support/noise_recording.py NOISE.json --launches 12
    PYTHONPATH=. python tests/support/noise_recording.py NOISE.json --launches 6 --beside bursts

adds so many launches to the file, each of some fifty seconds. Both targets are the same code, so whatever they differ
by is noise: of the machine from turn to turn, and of the process from launch to launch. `noise_rules.py` plays rules of
stopping on it. `--beside` starts a neighbour: `bursts` computes for 50 ms in every 200 ms or so on a core that the
kernel chooses, `memory` copies 64 MiB in such bursts.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from commands.terminal import StandardError
from experiment.contender import bring_up
from experiment.cores import share_out
from experiment.priming import prime
from experiment.run_request import RunRequest, prepare
from experiment.trial_orders import of_plan
from loadtests.orders import TargetOrder
from loadtests.plans import PLANS
from loadtests.remote import Generator
from loadtests.scenarios import scenario_from_id
from loadtests.trial_record import Visits
from servers.fleet import Fleet

SCENARIO: Final = "classify@1"
SLICES: Final = 720
"""Of each target in a launch: 18 s of service, so that rules with trials of 3 s have room. Long requests have fewer."""

_NEIGHBOUR: Final = """
import random, time
end = time.monotonic() + 300
block = bytearray(64 * 2**20)
while time.monotonic() < end:
    stop = time.monotonic() + 0.05
    while time.monotonic() < stop:
        {work}
    time.sleep(random.uniform(0.05, 0.25))
"""
"""Ends by itself after five minutes, come what may."""

_WORK: Final = {"bursts": "pass", "memory": "bytes(block)"}


class RecordedLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """One launch of both: the seconds that a start took, what stood beside it, and the visits to each in turn."""

    scenario: str
    start_s: float
    beside: str | None
    sides: tuple[Visits, Visits]


def read(path: Path) -> list[RecordedLaunch]:
    """The launches of a file; none where there is no file yet."""
    return msgspec.json.decode(path.read_bytes(), type=list[RecordedLaunch]) if path.exists() else []


def recorded(beside: str | None) -> RecordedLaunch:
    """One launch, measured now on this machine."""
    contenders = list(prepare(RunRequest(plan="quick", targets="flask"), StandardError()).contenders)
    scenario = scenario_from_id(SCENARIO)
    plan = dataclasses.replace(PLANS["quick"], slices=SLICES)
    cores = share_out(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        Fleet(cpus=cores.servers, logs=Path(folder) / "logs") as fleet,
        Generator(cpu=next(iter(cores.generator), None)) as generator,
    ):
        began = time.monotonic()
        urls = bring_up(fleet, contenders)
        requests = {one.id: prime(urls[one.id], [scenario], foreign=False)[scenario.id] for one in contenders}
        start_s = (time.monotonic() - began) / len(contenders)
        targets = [
            TargetOrder(id=one.id, base_url=urls[one.id], requests=requests[one.id], pids=fleet.pids(one.id))
            for one in contenders
        ]
        order = of_plan(
            plan,
            scenario,
            targets,
            seed=time.monotonic_ns() % 2**32,
            ceiling_rps=None,
            out=Path(folder) / "samples",
            label="noise",
        )
        with _beside(beside):
            trials = generator.trial(order)
    first, second = (trial.visits for trial in trials)
    if first is None or second is None:
        raise RuntimeError("the trials have no visits")
    return RecordedLaunch(scenario=SCENARIO, start_s=start_s, beside=beside, sides=(first, second))


@contextmanager
def _beside(kind: str | None) -> Iterator[None]:
    """A neighbour on any core while the block lasts."""
    if kind is None:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", _NEIGHBOUR.format(work=_WORK[kind])]) as neighbour:
        try:
            yield
        finally:
            neighbour.kill()


def main() -> int:
    """Add launches to the file, which is whole after every one."""
    parser = argparse.ArgumentParser(description="Record the noise of this machine.", allow_abbrev=False)
    parser.add_argument("file", type=Path)
    parser.add_argument("--launches", type=int, default=12)
    parser.add_argument("--beside", choices=tuple(_WORK))
    arguments = parser.parse_args()
    launches = read(arguments.file)
    for number in range(arguments.launches):
        launches.append(recorded(arguments.beside))
        arguments.file.write_bytes(msgspec.json.encode(launches))
        print(f"launch {number + 1} of {arguments.launches}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
