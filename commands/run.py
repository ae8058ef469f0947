"""Measure targets against each other, print the verdicts, and write the report (the main job)."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from commands import values
from commands.exits import stop_as_by_ctrl_c
from commands.options import (
    add_batch_options,
    add_model_options,
    add_open_option,
    add_price_option,
    add_server_options,
    add_worker_options,
    chosen_bounds,
    chosen_reading,
    chosen_workforce,
    price_of,
)
from commands.stopping import add_stopping_options, chosen_stopping
from experiment.errors import INTERRUPTED, ExpectedError, NothingToMeasureError, usage

if TYPE_CHECKING:
    from loadtests.scenarios import Scenario
    from loadtests.search import Slo

EPILOG: Final = """\
examples:
  python3 bench.py run                                         plan quick: some six minutes
  python3 bench.py run --plan smoke                            does everything work here?
  python3 bench.py run --plan standard                         every server and mode
  python3 bench.py run --targets flask,bottle+granian --endpoints predict
  python3 bench.py run --targets bottle --endpoints classify --batch 8
  python3 bench.py run --scenarios predict@16,predict~poisson200rps   the same targets, closed loop and open
  python3 bench.py run --plan smoke --slo p99=50ms             the highest rate at which 99 % are answered in 50 ms
  python3 bench.py run --url a=http://127.0.0.1:8001 --url b=http://127.0.0.1:8002 --skip-check
  python3 bench.py run --model mine=my_model --payload request.json --targets flask,bottle,bottle+granian+lite
  python3 bench.py run --model mine=my_model --url tfs=http://127.0.0.1:8501/v1/models/mine:predict
  python3 bench.py run --expect-workers 2 --url a=http://10.0.0.5:8001   load from `bench.py worker`s elsewhere
  python3 bench.py run --targets flask --server-python old=a/bin/python --server-python new=b/bin/python
                                                              one target under two sets of versions
  python3 bench.py run --targets bottle+granian --vary threads=2,4,8   one target beside itself under other settings
  python3 bench.py run --targets bottle+granian+lite,fastapi-native+uvicorn   one stack against another
  python3 bench.py run --plan standard --until decided --at-most 2h   then more blocks, for what is undecided only
  python3 bench.py run --targets flask,bottle --blocks 12      as many blocks as you like
  python3 bench.py run --resume reports/runs/RUN               go on where a run was stopped
  python3 bench.py run --resume reports/runs/RUN --until decided --at-most 15m
                                                              go on with a finished run, where it is undecided
"""

_PLANS: Final = ("smoke", "quick", "standard", "full")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--plan", choices=_PLANS, default="quick", help="how much to measure (default: %(default)s)")
    parser.add_argument(
        "--targets", metavar="A,B", help="targets instead of the plan's; the first also runs as its own twin"
    )
    parser.add_argument("--endpoints", metavar="E,F", help="only these (see `bench.py list endpoints`)")
    parser.add_argument(
        "--scenarios",
        metavar="A,B",
        help="scenarios instead of the plan's: an endpoint and a law, such as predict@16,"
        "\npredict~200rps, predict~poisson200rps, predict~steps100-200rps, predict~ramp50-400rps",
    )
    parser.add_argument(
        "--slo", metavar="pQ=LIMIT", help="also find each target's highest Poisson rate that keeps this, e.g. p99=50ms"
    )
    parser.add_argument(
        "--vary",
        metavar="SETTING=A,B",
        action="append",
        default=[],
        help="every target at each of these values, compared with the first of them: threads, workers, intra, inter,"
        "\nexecutor, batch, queue, deadline, keep-alive; may be repeated",
    )
    add_stopping_options(parser)
    parser.add_argument("--skip-check", action="store_true", help="measure --url servers without the conformance gate")
    parser.add_argument("--seed", type=values.seed, help="order of visits and blocks; recorded (default: a new one)")
    parser.add_argument("--out", type=values.path, metavar="DIR", help="run folder (default: reports/runs/TIME-PLAN)")
    parser.add_argument("--resume", type=values.folder, metavar="DIR", help="go on with the run in DIR")
    parser.add_argument(
        "--trust-run",
        action="store_true",
        help="resume a run that was not begun here: its interpreters, model and addresses are used",
    )
    add_server_options(parser)
    add_batch_options(parser)
    add_model_options(parser)
    add_worker_options(parser)
    add_price_option(parser)
    add_open_option(parser)


def main(arguments: argparse.Namespace) -> int:
    """Measure, then draw; a run that is interrupted leaves a journal that `report` and `--resume` can read."""
    from commands.run_outcome import draw_and_print, exit_code
    from commands.terminal import StandardError
    from experiment.gating import foreign_figures
    from experiment.line_up import MODEL_TARGETS
    from experiment.planning import plan_experiment
    from experiment.resuming import resume_experiment
    from experiment.run_request import RunRequest
    from experiment.variants import parsed
    from reports.undecided import standing

    began = time.monotonic()
    stop_as_by_ctrl_c()
    terminal = StandardError()
    price = price_of(arguments)
    figures = foreign_figures(arguments.figures)
    workforce = chosen_workforce(arguments)
    stopping = chosen_stopping(arguments)
    if arguments.resume:
        if arguments.model or arguments.payload or arguments.vary or chosen_reading(arguments).options:
            raise usage(
                "--resume goes on with the model and the settings of its run",
                hint="leave --model, --payload and --vary out",
            )
        experiment = resume_experiment(
            arguments.resume,
            terminal,
            skip_check=arguments.skip_check,
            figures=figures,
            workforce=workforce,
            stopping=stopping,
            trust=arguments.trust_run,
        )
    else:
        own = arguments.model and not arguments.url
        request = RunRequest(
            plan=arguments.plan,
            targets=arguments.targets or (",".join(MODEL_TARGETS[arguments.plan]) if own else None),
            urls=arguments.url,
            endpoints=_chosen_endpoints(arguments.endpoints, arguments.model),
            scenarios=_chosen_scenarios(arguments.scenarios),
            stopping=stopping.begun(arguments.plan),
            vary=parsed(arguments.vary),
            bounds=chosen_bounds(arguments),
            slo=_chosen_slo(arguments.slo),
            skip_check=arguments.skip_check,
            figures=figures,
            server_python=arguments.server_python,
            model=arguments.model,
            payload=arguments.payload,
            reading=chosen_reading(arguments),
            workforce=workforce,
            seed=arguments.seed,
            out=arguments.out,
            price_per_core_hour=price,
        )
        experiment = plan_experiment(request, terminal)
    experiment.began = began
    experiment.undecided = lambda: standing(experiment.design.folder)
    try:
        experiment.run()
    except KeyboardInterrupt:
        _interrupted(experiment.design.folder)
    except NothingToMeasureError as error:
        terminal.say(str(error))
    return exit_code(draw_and_print(experiment.design.folder, price, show=arguments.open))


def _chosen_endpoints(text: str | None, model: str | None) -> tuple[str, ...]:
    """Those that `--endpoints` names, else the user's own model, else all of ours."""
    from loadtests.endpoints import ENDPOINTS

    own = (model.partition("=")[0],) if model else ()
    if text is None:
        return own or tuple(ENDPOINTS)
    chosen = tuple(text.split(","))
    if unknown := [name for name in chosen if name not in (*ENDPOINTS, *own)]:
        raise usage(f"unknown endpoint {unknown[0]!r}; choose from {', '.join((*ENDPOINTS, *own))}")
    return chosen


def _chosen_scenarios(text: str | None) -> tuple[Scenario, ...]:
    from loadtests.scenarios import scenario_from_id

    try:
        return tuple(dict.fromkeys(scenario_from_id(one) for one in (text or "").split(",") if one.strip()))
    except ValueError as error:
        raise usage(
            str(error), hint="see `python3 bench.py list scenarios`, and docs/methodology.md for the laws"
        ) from error


def _chosen_slo(text: str | None) -> Slo | None:
    from loadtests.search import Slo

    try:
        return Slo.parse(text) if text else None
    except ValueError as error:
        raise usage(str(error), hint="for example --slo p99=50ms") from error


def _interrupted(folder: Path) -> NoReturn:
    raise ExpectedError(
        f"interrupted; what was measured is in {folder}",
        hint=f"python3 bench.py report {folder}, or python3 bench.py run --resume {folder}",
        code=INTERRUPTED,
    )
