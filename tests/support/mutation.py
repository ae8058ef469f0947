"""Do the conformance cases notice a fault in the adapters and the middleware? Plant one at a time, and see.

    python tests/support/mutation.py                              every file, with the survivors
    python tests/support/mutation.py --files servers/core/middleware.py
    python tests/support/mutation.py --list                       the mutants, without trying them

Every mutant is tried in a process of its own, forked from one in which the libraries are imported already, behind
gunicorn's parser and on waitress, until one case goes red. Exit codes: 0 at or over the bar, 1 under it.

No mutation tester that mutates only function bodies would do: much of the contract stands in constants and patterns.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

import mutant_trial
from mutants import Mutant, mutants

ROOT: Final = Path(__file__).resolve().parents[2]
EQUIVALENT: Final = Path(__file__).with_name("equivalent_mutants.json")
BAR: Final = 0.90

ADAPTERS: Final = ("bottle", "flask", "wsgi")
FILES: Final = (
    *(f"servers/apps/{name}_app.py" for name in ADAPTERS),
    *(
        f"servers/core/{name}.py"
        for name in ("middleware", "request", "reply", "form_fields", "json_text", "rows", "service")
    ),
)

_LONGEST_S: Final = 60.0
_KILLED, _SURVIVED = 1, 0


@dataclass(slots=True)
class Tally:
    """What became of the mutants, and which cases have killed most, so that they are asked first."""

    killed: Counter[str] = field(default_factory=Counter)
    by_case: Counter[str] = field(default_factory=Counter)
    survivors: list[Mutant] = field(default_factory=list)
    excused: list[Mutant] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Mutants that are not excused."""
        return sum(self.killed.values()) + len(self.survivors)

    @property
    def score(self) -> float:
        """The share that was noticed."""
        return sum(self.killed.values()) / self.total if self.total else 1.0


def main(arguments: Sequence[str]) -> int:
    """Try the mutants, print the survivors."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", nargs="+", default=list(FILES), metavar="FILE", help="only these")
    parser.add_argument("--list", action="store_true", help="only say what would be planted")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many, drawn by --seed (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: the cores)")
    chosen = parser.parse_args(arguments)
    planted = [one for file in chosen.files for one in mutants(file, (ROOT / file).read_text(encoding="utf-8"))]
    if chosen.sample is not None and chosen.sample < len(planted):
        drawn = random.Random(chosen.seed).sample(range(len(planted)), chosen.sample)  # noqa: S311 - no secret
        planted = [planted[at] for at in sorted(drawn)]
    if chosen.list:
        print("\n".join(f"{one.file}:{one.line}: {one.was}  ->  {one.now}" for one in planted))
        return 0
    _warm()
    red = _tried(None, [])
    if red is not None:
        print(f"without any fault, {red} is red: mend that first", file=sys.stderr)
        return 3
    tally = _all_tried(planted, chosen.jobs)
    _report(tally)
    return 0 if tally.score >= BAR else 1


def _warm() -> None:
    """Import what is slow once, and nothing of `servers.core` or `servers.apps`, which every trial imports anew."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    import bottle  # noqa: F401, PLC0415
    import flask  # noqa: F401, PLC0415
    import multipart  # noqa: F401, PLC0415
    import numpy as np  # noqa: F401, PLC0415
    import PIL.JpegImagePlugin  # noqa: PLC0415
    import PIL.PngImagePlugin  # noqa: F401, PLC0415
    import wsgi_callers  # noqa: F401, PLC0415
    from tensorflow.core.framework import tensor_pb2  # noqa: F401, PLC0415


def _all_tried(planted: Sequence[Mutant], jobs: int) -> Tally:
    tally = Tally()
    excuses = json.loads(EQUIVALENT.read_text(encoding="utf-8"))
    started = time.monotonic()
    done = 0

    def one(mutant: Mutant) -> None:
        nonlocal done
        if mutant.name in excuses:
            tally.excused.append(mutant)
        elif (case := _tried(mutant, [name for name, _ in tally.by_case.most_common(40)])) is None:
            tally.survivors.append(mutant)
            print(f"survives: {mutant.file}:{mutant.line}: {mutant.was}  ->  {mutant.now}", flush=True)
        else:
            tally.killed[mutant.file] += 1
            tally.by_case[case] += 1
        done += 1
        if done % 25 == 0:
            gone = time.monotonic() - started
            left = gone / done * (len(planted) - done)
            print(f"{done} of {len(planted)}, {left:.0f} s left, {len(tally.survivors)} survive", file=sys.stderr)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, planted))
    return tally


def _tried(mutant: Mutant | None, first: Sequence[str]) -> str | None:
    """The case that went red, or what else stopped it; None where all were right."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as said:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            code = _child(mutant, first, said)
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as told:
        # The end of the pipe is the end of the trial.
        ended, _, _ = select.select([told], [], [], _LONGEST_S)
        if not ended:
            os.kill(child, signal.SIGKILL)
        case = told.read()
    _, status = os.waitpid(child, 0)
    if status == 0 and mutant is None:
        mutant_trial.MEMORY.update(json.loads(case))
    return None if status == 0 else case or "took too long, or ended by itself"


def _child(mutant: Mutant | None, first: Sequence[str], said: TextIO) -> int:
    try:
        red = mutant_trial.red_case(mutant, first)
    except Exception as error:  # noqa: BLE001 - a fault that keeps the service from starting is noticed by every case
        red = f"does not start: {error!r}"
    if red is not None:
        said.write(red)
    elif mutant is None:
        json.dump(mutant_trial.MEMORY, said)
    return _SURVIVED if red is None else _KILLED


def _report(tally: Tally) -> None:
    survived = Counter(mutant.file for mutant in tally.survivors)
    for file in sorted({*tally.killed, *survived}):
        print(f"{file:32} {tally.killed[file]:4} of {tally.killed[file] + survived[file]:4}")
    print(f"mutation score {tally.score:.1%} of {tally.total} mutants, {len(tally.excused)} more are equivalent")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
