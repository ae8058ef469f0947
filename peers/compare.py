"""Our served targets against FastAPI on uvicorn: requests per second and ratios, beside the noise floor.

    uv run --group peers python -m peers.compare [--blocks N] [--slices N] [--users N]

All are up together, pinned to one core, and visited in random order in slices by the generator on another core; every
payload's answer is held against the float64 reference before anything is timed. Ratios pair within a block of fresh
processes. The A/A line is our first target under a second name: a ratio within its interval is noise.

What differs beside framework and server: our targets validate strictly and call a ConcreteFunction; the peer validates
with pydantic and calls the loaded object, as its users do. The figures compare two ways of serving, not two routers.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Final

from commands.exits import run_program
from commands.terminal import Terminal
from experiment.built_models import built_models
from experiment.errors import OK, usage
from experiment.line_up import TWIN, contenders
from experiment.side_by_side import FAULTS, Entrant, Rates, SideBySide, add_size_options, require_size, start_target
from loadtests.scenarios import CLASSIFY, PREDICT, closed
from peers.fastapi_server import NAME, launch
from reports.statistics import paired_ratio
from servers.registry import MODES
from servers.settings import Settings

_LITE: Final = ("lite",) if "lite" in MODES and find_spec("ai_edge_litert") else ()
OURS: Final = tuple(f"bottle+granian+{mode}" for mode in ("function", *_LITE))
"""`lite` where the mode exists and its package is installed."""

_SCENARIOS: Final = (PREDICT, CLASSIFY)
_NEEDED: Final = ("fastapi", "uvicorn", "uvloop", "httptools")


def main(arguments: Sequence[str]) -> int:
    """Measure, print; the exit code, as `bench.py` counts them."""
    parser = argparse.ArgumentParser(prog="peers.compare", description=str(__doc__).splitlines()[0])
    add_size_options(parser, slices=12, visited="target")
    chosen = parser.parse_args(arguments)
    return run_program("peers", lambda: _run(chosen), FAULTS)


def _run(chosen: argparse.Namespace) -> int:
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise usage(f"{', '.join(missing)} is not installed", hint="uv sync --group peers")
    require_size(chosen)
    _print(*_measure(chosen))
    return OK


def _measure(chosen: argparse.Namespace) -> tuple[Rates, list[str]]:
    """The rates, and the trials that are not to be believed."""
    terminal = Terminal()
    settings = Settings(python=sys.executable, models_dir=built_models(terminal))
    ours = [
        Entrant(name=one.id, start=partial(start_target, one.target, settings))
        for one in contenders("smoke", ",".join(OURS), ())
        if one.target is not None
    ]
    comparison = SideBySide(
        entrants=[Entrant(name=NAME, start=partial(launch, settings)), *ours],
        # JSON for pictures too: that is how a typed endpoint takes one.
        scenarios=[replace(one, encoding="json") for name in _SCENARIOS for one in closed(name, chosen.users)],
        settings=settings,
        blocks=chosen.blocks,
        slices=chosen.slices,
        seed=chosen.seed,
    )
    return comparison.measure(terminal)


def _print(rates: Rates, doubts: Sequence[str]) -> None:
    for scenario, theirs in sorted(rates.items()):
        baseline = theirs[NAME]
        print(f"\n{scenario}")
        for target, values in sorted(theirs.items()):
            print(f"  {target:36} {statistics.median(values):8.0f} requests/s (median of {len(values)} blocks)")
        for target in OURS:
            pair = paired_ratio(baseline, theirs[f"{target}+cpu"])
            print(f"  {target} / {NAME}: {pair.ratio:.2f} [{pair.low:.2f}, {pair.high:.2f}]")
        first = f"{OURS[0]}+cpu"
        noise = paired_ratio(theirs[first], theirs[first + TWIN])
        print(f"  A/A noise floor: {noise.ratio:.3f} [{noise.low:.3f}, {noise.high:.3f}]")
    for doubt in doubts:
        print(f"invalid: {doubt}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
