"""How much of the core's speed is left behind HTTP: `/classify` served, beside a bare loop that decodes and predicts.

The loop and the server run the same mode on the same core, one at a time, in turns; the load comes from another core. A
share of 0.9 means that JSON, base64, framework and HTTP take a tenth of a request.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Final

import psutil

from experiment.contender import Contender, bring_up
from experiment.cores import Cores
from experiment.errors import ExpectedError, usage
from experiment.interleaved_turns import Figures, Rounds, Turn, taken, under_load
from experiment.priming import WrongAnswerError, prime
from loadtests.endpoints import CLASSIFY
from loadtests.orders import TargetOrder
from loadtests.remote import Generator
from loadtests.scenarios import closed
from servers.fleet import Fleet
from servers.launch import child_environment
from servers.registry import MODES
from servers.settings import Settings
from servers.target import Target, TargetError

_MODES: Final = ("function", "lite")
_SLICE_S: Final = 0.5


def modes() -> tuple[str, ...]:
    """The modes that are compared: those of them that can run here."""
    return tuple(mode for mode in _MODES if MODES[mode].lacks is None)


def measure_against_core(
    generator: Generator,
    settings: Settings,
    cores: Cores,
    folder: Path,
    *,
    stack: str,
    users: int,
    rounds: int,
    say: Callable[[str], None],
) -> Rounds:
    """What each round has found of `served MODE` and `bare MODE`; `stack` is framework+server. Raises ExpectedError."""
    try:
        targets = {mode: Target.parse(f"{stack}+{mode}") for mode in modes()}
    except TargetError as error:
        raise usage(str(error), hint="for example --stack bottle+granian") from error
    (scenario,) = closed(CLASSIFY, users, encoding="json")
    served = [Contender(id=one.id, target=one, settings=settings) for one in targets.values()]
    turns: dict[str, Turn] = {}
    with ExitStack() as up:
        fleet = up.enter_context(Fleet(logs=folder, cpus=cores.servers))
        say(f"starting {', '.join(one.id for one in served)}")
        urls = bring_up(fleet, served)
        for mode, target in targets.items():
            try:
                requests = prime(urls[target.id], [scenario], foreign=False)[scenario.id]
            except WrongAnswerError as error:
                raise ExpectedError(f"{target.id}: {error}") from error
            order = TargetOrder(id=target.id, base_url=urls[target.id], requests=requests, pids=fleet.pids(target.id))
            turns[f"served {mode}"] = under_load(generator, scenario, order, slice_s=_SLICE_S, warmup_slices=1)
            turns[f"bare {mode}"] = up.enter_context(_bare_loop(mode, settings, cores.servers))
        return taken(turns, cores, rounds=rounds, say=say)


@contextmanager
def _bare_loop(mode: str, settings: Settings, cpus: Sequence[int]) -> Iterator[Turn]:
    """The loop in a process of its own on `cpus`; what is yielded runs it for the time of a slice."""
    command = [settings.python, "-m", "servers.bare_core", mode]
    with subprocess.Popen(
        command,
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
        asks, answers = process.stdin, process.stdout

        def turn() -> Figures:
            asks.write(f"{_SLICE_S}\n")
            asks.flush()
            found = json.loads(_line(answers, command))
            return {"rps": found["count"] / found["took_s"], "busy_us": 1e6 * found["took_s"] / found["count"]}

        try:
            _line(answers, command)
            for thread in psutil.Process(process.pid).threads() if cpus else ():
                os.sched_setaffinity(thread.id, cpus)
            yield turn
        finally:
            process.stdin.close()
            process.wait()


def _line(answers: IO[str], command: Sequence[str]) -> str:
    line = answers.readline().strip()
    if not line:
        raise ExpectedError("the bare core ended", hint=f"run it by hand: {' '.join(command)}")
    return line
