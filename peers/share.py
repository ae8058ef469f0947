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
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psutil

from loadtests.orders import TargetOrder, TrialOrder
from loadtests.remote import Generator, GeneratorError
from loadtests.scenarios import CLASSIFY, closed
from reports.statistics import paired_ratio
from servers.launch import LaunchError, child_environment
from servers.settings import Settings
from verbs.built_models import built_models
from verbs.ceiling import measure_ceiling
from verbs.cores import harness_out_of_the_way, share_out
from verbs.exits import HARNESS, INTERRUPTED, OK, ExpectedError, usage
from verbs.fleet import Fleet
from verbs.line_up import contenders
from verbs.priming import WrongAnswerError, prime
from verbs.terminal import Terminal

MODES: Final = ("function", *(("lite",) if find_spec("ai_edge_litert") else ()))

_LOOP_S: Final = 0.2
"""About what a slice of the generator measures."""


def main(arguments: Sequence[str]) -> int:
    """Measure, print; the exit code, as `bench.py` counts them."""
    parser = argparse.ArgumentParser(prog="peers.share", description=str(__doc__).splitlines()[0])
    parser.add_argument("--blocks", type=int, default=5, help="repetitions with fresh processes (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=20, help="visits to each (default: %(default)s)")
    parser.add_argument("--users", type=int, default=16, help="connections (default: %(default)s)")
    parser.add_argument("--framework", default="bottle", help="framework, on granian (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.blocks < 2 or chosen.slices < 1 or chosen.users < 1:
            raise usage("at least two blocks, one slice and one user")
        _measure(chosen)
    except ExpectedError as error:
        print(f"peers: {error}\nhint: {error.hint}", file=sys.stderr)
        return error.code
    except (GeneratorError, LaunchError, WrongAnswerError) as error:
        print(f"peers: {error}", file=sys.stderr)
        return HARNESS
    except KeyboardInterrupt:
        print("peers: interrupted", file=sys.stderr)
        return INTERRUPTED
    return OK


def _measure(chosen: argparse.Namespace) -> None:
    terminal = Terminal()
    cores = share_out(workers=1)
    settings = Settings(python=sys.executable, models_dir=built_models(terminal))
    (scenario,) = closed(CLASSIFY, chosen.users)
    scenario = replace(scenario, encoding="json")
    targets = {mode: f"{chosen.framework}+granian+{mode}+cpu" for mode in MODES}
    served: dict[str, list[float]] = {mode: [] for mode in MODES}
    bare: dict[str, list[float]] = {mode: [] for mode in MODES}
    with (
        tempfile.TemporaryDirectory(prefix="titrate-share-") as folder,
        Generator(cpu=next(iter(cores.generator), None)) as generator,
    ):
        ceiling = measure_ceiling(generator, settings, cores.servers, Path(folder))
        for block in range(chosen.blocks):
            terminal.say(f"block {block + 1}/{chosen.blocks}")
            rng = random.Random(block)  # noqa: S311 - an order, not a secret
            with ExitStack() as stack:
                fleet = stack.enter_context(Fleet(settings=settings, cpus=cores.servers, logs=Path(folder)))
                fleet.launch(contenders("smoke", ",".join(targets.values()), ()), lambda _name: None)
                loops = {mode: stack.enter_context(_bare_loop(mode, settings, cores.servers)) for mode in MODES}
                orders = {
                    mode: TrialOrder(
                        scenario=scenario,
                        targets=(
                            TargetOrder(
                                id=name,
                                base_url=fleet.urls[name],
                                requests=prime(fleet.urls[name], [scenario], foreign=False)[scenario.id],
                                pids=tuple(fleet.pids(name)),
                            ),
                        ),
                        slices=1,
                        seed=rng.randrange(2**32),
                        ceiling_rps=ceiling["ceiling_rps"],
                        label=scenario.id,
                    )
                    for mode, name in targets.items()
                }
                figures: dict[tuple[str, bool], list[float]] = {}
                visits = [(mode, through_http) for mode in MODES for through_http in (False, True)]
                for _ in range(chosen.slices):
                    for mode, through_http in rng.sample(visits, k=len(visits)):
                        if through_http:
                            with harness_out_of_the_way(cores):
                                (record,) = generator.trial(orders[mode])
                            rate_rps = record["throughput_rps"]
                        else:
                            rate_rps = loops[mode](_LOOP_S)
                        figures.setdefault((mode, through_http), []).append(rate_rps)
            for mode in MODES:
                served[mode].append(_mean(figures[mode, True]))
                bare[mode].append(_mean(figures[mode, False]))
    for mode in MODES:
        share = paired_ratio(bare[mode], served[mode])
        print(f"{mode}: bare core {_mean(bare[mode]):.0f}/s, {targets[mode]} {_mean(served[mode]):.0f} requests/s")
        print(f"  share of the bare core: {share.ratio:.3f} [{share.low:.3f}, {share.high:.3f}]")


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
