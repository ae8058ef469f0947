"""One target under its default threads and executor beside itself with one of them changed: requests per second.

    uv run python -m tuning.threads [--target T] [--axes A,B] [--blocks N] [--slices N] [--users N]

All variants are up together on one core and visited in random order in slices. A ratio above 1 means that the variant
is faster than the default; the A/A line is the default under a second name, and a ratio within its interval is noise.
A default stands as long as no variant beats it on one endpoint without losing on the other.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

from commands.exits import run_program
from commands.terminal import Terminal
from experiment.built_models import built_models
from experiment.errors import OK, usage
from experiment.side_by_side import FAULTS, Entrant, Rates, SideBySide, add_size_options, require_size, start_target
from loadtests.scenarios import CLASSIFY, PREDICT, closed
from reports.statistics import paired_ratio
from servers.settings import Settings
from servers.target import Target, TargetError
from tuning.variants import AXES, axes_of, variants

_DEFAULT: Final = "default"
_TWIN: Final = "default again"

_EPILOG: Final = """\
examples:
  python -m tuning.threads                                         every setting, some minutes
  python -m tuning.threads --target flask+gunicorn+function --axes threads
  python -m tuning.threads --axes executor --blocks 2 --slices 2   a look, and no more

exit codes: 0 measured; 2 usage; 3 the harness could not tell
"""


def main(arguments: Sequence[str]) -> int:
    """Measure, print; the exit code, as `bench.py` counts them."""
    parser = argparse.ArgumentParser(
        prog="tuning.threads",
        description=str(__doc__).splitlines()[0],
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--target", default="bottle+granian+function", help="what is tuned (default: %(default)s)")
    parser.add_argument("--axes", help=f"settings to vary (default: {','.join(AXES)}, or what the mode has of them)")
    add_size_options(parser, slices=12, visited="variant")
    chosen = parser.parse_args(arguments)
    return run_program("tuning", lambda: _run(chosen), FAULTS)


def _run(chosen: argparse.Namespace) -> int:
    require_size(chosen)
    try:
        target = Target.parse(chosen.target)
    except TargetError as error:
        raise usage(str(error), hint="see `python bench.py list targets`") from error
    if not target.kind.contract:
        raise usage(f"{target.framework} takes no settings", hint="tune flask, bottle or wsgi")
    axes = chosen.axes.split(",") if chosen.axes else axes_of(target.mode)
    if unknown := [axis for axis in axes if axis not in axes_of(target.mode)]:
        raise usage(
            f"{unknown[0]!r} is no setting to tune in mode {target.mode}",
            hint=f"there are {', '.join(axes_of(target.mode))}",
        )
    terminal = Terminal()
    defaults = Settings(python=sys.executable, models_dir=built_models(terminal))
    tried = {_DEFAULT: defaults, _TWIN: defaults} | {one.name: one.settings for one in variants(defaults, axes)}
    comparison = SideBySide(
        entrants=[
            Entrant(name=name, start=partial(start_target, target, settings)) for name, settings in tried.items()
        ],
        scenarios=[*closed(PREDICT, chosen.users), *closed(CLASSIFY, chosen.users)],
        settings=defaults,
        blocks=chosen.blocks,
        slices=chosen.slices,
        seed=chosen.seed,
    )
    rates, doubts = comparison.measure(terminal)
    given = ", ".join(f"{axis}={getattr(defaults, axis)}" for axis in axes)
    print(f"{target.id}, {chosen.users} users; default: {given}")
    _print(rates, list(tried))
    for doubt in doubts:
        print(f"invalid: {doubt}")
    return OK


def _print(rates: Rates, names: Sequence[str]) -> None:
    for scenario, theirs in sorted(rates.items()):
        print(f"\n{scenario:20} {'requests/s':>10}  {'ratio':>6}  95 % interval")
        baseline = theirs[_DEFAULT]
        print(f"{_DEFAULT:20} {statistics.median(baseline):10.0f}  {'1':>6}")
        for name in names[1:]:
            values = theirs[name]
            pair = paired_ratio(baseline, values)
            label = "A/A, the noise" if name == _TWIN else name
            print(f"{label:20} {statistics.median(values):10.0f}  {pair.ratio:6.3f}  {pair.low:.3f} to {pair.high:.3f}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
