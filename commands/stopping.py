"""When a run is over: after so many blocks, or when nothing is undecided or its time is up."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final

from experiment.errors import usage

if TYPE_CHECKING:
    from experiment.rounds import Stopping

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600}


def add_stopping_options(parser: argparse.ArgumentParser) -> None:
    """How many blocks, and until when."""
    parser.add_argument(
        "--blocks",
        metavar="N",
        help="so many blocks instead of the plan's; with --resume, so many in all",
    )
    parser.add_argument(
        "--until",
        choices=("blocks", "decided"),
        help="decided: after the plan's blocks go on with what is undecided, and only that"
        "\n(default: decided for plan quick, blocks for the others)",
    )
    parser.add_argument(
        "--at-most",
        metavar="TIME",
        help="wall time of the whole run, such as 90s, 15m or 2h, after which no more blocks follow the plan's;"
        "\nimplies --until decided (default: 6m for plan quick, 20m for the others)",
    )


def chosen_stopping(arguments: argparse.Namespace) -> Stopping:
    """What `add_stopping_options` read; what nobody asked for is None. Raises ExpectedError."""
    from experiment.journal_records import BLOCKS, DECIDED
    from experiment.rounds import Stopping

    at_most_s = None if arguments.at_most is None else _seconds(arguments.at_most)
    if at_most_s is not None and arguments.until == BLOCKS:
        raise usage("--at-most is for a run that goes on until it is decided", hint="leave --until blocks out")
    until = arguments.until or (DECIDED if at_most_s is not None else None)
    return Stopping(blocks=_blocks(arguments.blocks), until=until, at_most_s=at_most_s)


def _blocks(text: str | None) -> int | None:
    from experiment.rounds import LEAST_BLOCKS, MOST_BLOCKS

    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text) or not LEAST_BLOCKS <= int(text) <= MOST_BLOCKS:
        raise usage(
            f"--blocks {text!r} is no whole number from {LEAST_BLOCKS} to {MOST_BLOCKS}", hint="for example --blocks 8"
        )
    return int(text)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)([smh])", text)
    if found is None or float(found[1]) == 0:
        raise usage(f"--at-most {text!r} is no time", hint="for example --at-most 90s, 15m or 2h")
    return float(found[1]) * _UNIT_S[found[2]]
