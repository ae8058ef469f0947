"""Serve one target until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from addresses.address import Address
from commands import values
from commands.options import add_batch_options, add_model_options, chosen_bounds, chosen_reading
from experiment.errors import usage

if TYPE_CHECKING:
    from servers.settings import Settings

EPILOG: Final = """\
examples:
  python3 bench.py serve flask
  python3 bench.py serve bottle+granian+eager --port 8080
  python3 bench.py serve bottle+waitress --batch 8 --queue 32 --deadline-ms 500
  python3 bench.py serve flask --model mine=path/to/my_model
  curl -d '{"feature": 24.5}' -H 'Content-Type: application/json' http://127.0.0.1:8000/predict
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("target", help="framework+server+mode+device; trailing parts default to gunicorn+function+cpu")
    parser.add_argument(
        "--host",
        type=values.host,
        default="127.0.0.1",
        help="name or address to listen on, :: and 0.0.0.0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--port",
        type=values.port_or_any,
        default=8000,
        help="port to listen on, 0 for a free one (default: %(default)s)",
    )
    parser.add_argument("--workers", type=values.whole(1, 1024), default=1, help="processes (default: %(default)s)")
    parser.add_argument(
        "--threads", type=values.whole(1, 10_000), default=None, help="request threads a process (default: as measured)"
    )
    add_batch_options(parser)
    add_model_options(parser)


def main(arguments: argparse.Namespace) -> NoReturn:
    """Become the server: the process is replaced, so Ctrl-C and signals reach it and nothing stands between."""
    from commands.terminal import StandardError
    from experiment.built_models import built_models
    from experiment.user_model_setup import refuse_in_vain, set_up_user_model
    from servers.launch import child_environment
    from servers.settings import Settings
    from servers.target import Target, TargetError
    from servers.web_servers import ServerError, command_line

    place = _listening_place(arguments.host, arguments.port)
    try:
        target = Target.parse(arguments.target)
        refuse_in_vain(arguments.model, (target,))
        reading = chosen_reading(arguments)
        model = set_up_user_model(StandardError(), arguments.model, arguments.payload, (target.mode,), reading)
        if model and (reason := model.lacks(target)):
            raise usage(f"{target.id} cannot serve {model.name}: {reason}", hint="another mode may")
        settings = Settings(
            host=place.host,
            port=place.port,
            workers=arguments.workers,
            python=sys.executable,
            models_dir=Path(),
        )
        settings = chosen_bounds(arguments).placed(settings, arguments.threads)
        # What the server cannot honour is refused here, before models are built in vain.
        command_line(target.server, settings)
        settings = replace(settings, models_dir=built_models(StandardError()))
        settings = model.placed(settings) if model else settings
        _say_what_cannot_fill(settings)
        command = command_line(target.server, settings)
    except (TargetError, ServerError) as error:
        raise usage(str(error), hint="see `python3 bench.py list targets`") from error
    everywhere = ", and on every other address of this machine" if place.reachable != place else ""
    print(f"{target.id} on {place.reachable}{everywhere}", file=sys.stderr, flush=True)
    os.chdir(settings.models_dir)
    os.execve(command[0], command, child_environment(target.id, settings))  # noqa: S606 - a list, and no shell wanted


def _listening_place(host: str, port: int) -> Address:
    from addresses.connecting import in_words
    from servers.launch import listening_place

    try:
        return listening_place(host, port)
    except OSError as error:
        where = Address(host=host, port=port).place
        raise usage(f"nobody can listen on {where} here: {in_words(error)}", hint="see --host and --port") from error


def _say_what_cannot_fill(settings: Settings) -> None:
    if settings.batch and settings.threads <= settings.batch + settings.queue:
        print(
            f"note: {settings.threads} threads cannot fill a batch of {settings.batch} and a queue of {settings.queue}:"
            " overload will wait in the server's own backlog, without a deadline",
            file=sys.stderr,
        )
