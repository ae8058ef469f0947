"""How much of the core's speed is left behind HTTP: `/classify` served, beside a bare loop that decodes and predicts.

    uv run python -m peers.share [--blocks N] [--slices N] [--users N]

The loop and the server run the same mode on the same core, one at a time, in random order, in short slices; the load
comes from another core. A share of 0.9 means that JSON, base64, framework and HTTP take a tenth of a request.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil

from commands.exits import run_program
from commands.terminal import Terminal
from experiment.built_models import built_models
from experiment.ceiling import measure_ceiling
from experiment.cores import Cores, harness_out_of_the_way, share_out
from experiment.errors import OK
from experiment.priming import prime
from experiment.side_by_side import (
    FAULTS,
    Entrant,
    add_size_options,
    ordered,
    require_size,
    start_target,
    up_together,
)
from loadtests.orders import TrialOrder
from loadtests.remote import Generator
from loadtests.scenarios import CLASSIFY, closed
from reports.statistics import paired_ratio
from servers.launch import LaunchError, child_environment
from servers.settings import Settings
from servers.target import Target

MODES: Final = ("function", *(("lite",) if find_spec("ai_edge_litert") else ()))

Rates = dict[str, list[float]]

_LOOP_S: Final = 0.2
"""About what a slice of the generator measures."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print; the exit code, as `bench.py` counts them."""
    parser = argparse.ArgumentParser(prog="peers.share", description=str(__doc__).splitlines()[0])
    add_size_options(parser, slices=20, visited="target")
    parser.add_argument("--framework", default="bottle", help="framework, on granian (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    return run_program("peers", lambda: _run(chosen), FAULTS)


def _run(chosen: argparse.Namespace) -> int:
    require_size(chosen)
    targets = {mode: Target.parse(f"{chosen.framework}+granian+{mode}+cpu") for mode in MODES}
    served, bare = _measure(chosen, targets, Terminal())
    for mode, target in targets.items():
        share = paired_ratio(bare[mode], served[mode])
        print(f"{mode}: bare core {_mean(bare[mode]):.0f}/s, {target.id} {_mean(served[mode]):.0f} requests/s")
        print(f"  share of the bare core: {share.ratio:.3f} [{share.low:.3f}, {share.high:.3f}]")
    return OK


def _measure(chosen: argparse.Namespace, targets: dict[str, Target], terminal: Terminal) -> tuple[Rates, Rates]:
    """Pictures a second by mode, one figure a block: those served, and those of the bare loop."""
    cores = share_out(workers=1)
    settings = Settings(python=sys.executable, models_dir=built_models(terminal))
    scenarios = [replace(one, encoding="json") for one in closed(CLASSIFY, chosen.users)]
    entrants = [Entrant(name=mode, start=partial(start_target, one, settings)) for mode, one in targets.items()]
    served: Rates = {mode: [] for mode in targets}
    bare: Rates = {mode: [] for mode in targets}
    with (
        tempfile.TemporaryDirectory(prefix="titrate-share-") as folder,
        Generator(cpu=next(iter(cores.generator), None)) as generator,
    ):
        ceiling = measure_ceiling(generator, settings, cores.servers, Path(folder))
        for block in range(chosen.blocks):
            terminal.say(f"block {block + 1}/{chosen.blocks}")
            rng = random.Random(f"{chosen.seed}/{block}")  # noqa: S311 - an order, not a secret
            with ExitStack() as stack:
                servers = stack.enter_context(up_together(entrants, cores, Path(folder), block))
                loops = {mode: stack.enter_context(_bare_loop(mode, settings, cores.servers)) for mode in targets}
                orders = {
                    mode: TrialOrder(
                        scenario=scenario,
                        targets=(ordered(mode, server, requests[scenario.id]),),
                        slices=1,
                        seed=rng.randrange(2**32),
                        ceiling_rps=ceiling.ceiling_rps,
                        label=scenario.id,
                    )
                    for mode, server in servers.items()
                    for requests in (prime(server.base_url, scenarios, foreign=False),)
                    for scenario in scenarios
                }
                visits: list[tuple[dict[str, list[float]], str, Callable[[], float]]] = []
                rates: tuple[Rates, Rates] = ({mode: [] for mode in targets}, {mode: [] for mode in targets})
                for mode in targets:
                    visits.append((rates[0], mode, partial(_served_rps, generator, orders[mode], cores)))
                    visits.append((rates[1], mode, partial(loops[mode], _LOOP_S)))
                for _ in range(chosen.slices):
                    for into, mode, visit in rng.sample(visits, k=len(visits)):
                        into[mode].append(visit())
            for mode in targets:
                served[mode].append(_mean(rates[0][mode]))
                bare[mode].append(_mean(rates[1][mode]))
    return served, bare


def _served_rps(generator: Generator, order: TrialOrder, cores: Cores) -> float:
    with harness_out_of_the_way(cores):
        (record,) = generator.trial(order)
    return record.throughput_rps


@contextmanager
def _bare_loop(mode: str, settings: Settings, cpus: Sequence[int]) -> Iterator[Callable[[float], float]]:
    """The loop in a process of its own on `cpus`; what is yielded runs it for so many seconds: pictures a second."""
    with subprocess.Popen(
        [sys.executable, "-m", "peers.bare_core", mode],
        env=child_environment("bare core", settings),
        cwd=settings.models_dir,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - PIPE was asked for
        assert process.stdout is not None  # noqa: S101

        def answer() -> str:
            line = process.stdout.readline().strip()  # type: ignore[union-attr]  # a pipe, as above
            if not line:
                raise LaunchError(
                    f"the bare core in mode {mode} ended; run it by hand: python -m peers.bare_core {mode}"
                )
            return line

        def run(seconds: float) -> float:
            process.stdin.write(f"{seconds}\n")  # type: ignore[union-attr]  # a pipe, as above
            process.stdin.flush()  # type: ignore[union-attr]
            found = json.loads(answer())
            return float(found["count"] / found["took_s"])

        try:
            answer()
            for thread in psutil.Process(process.pid).threads():
                os.sched_setaffinity(thread.id, cpus)
            yield run
        finally:
            process.stdin.close()
            process.wait()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
