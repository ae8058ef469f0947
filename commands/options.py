"""Options that several verbs share, and what they come to."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands import values
from experiment.errors import in_words, usage
from experiment.variants import BATCHES_QUEUED, DEADLINE_MS, BatchBounds
from servers.core.row_counts import LARGEST

if TYPE_CHECKING:
    from loadtests.orders import Workforce
    from servers.models.user_model import Reading

MASTER_PORT: Final = 5557
"""Locust's own."""
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Servers that are up already, what their models answer, and the interpreter of those that are launched."""
    parser.add_argument(
        "--url",
        metavar="NAME=BASE_URL",
        action="append",
        default=[],
        help="a server of yours that is up already; beside --model also TensorFlow Serving's .../v1/models/M:predict"
        "\nor Open Inference's .../v2/models/M/infer",
    )
    parser.add_argument(
        "--figures",
        type=values.source,
        metavar="FILE",
        help="JSON: endpoint to reference answers of the model behind --url (default: predictions not judged)",
    )
    parser.add_argument(
        "--server-python",
        metavar="[NAME=]PATH",
        action="append",
        default=[],
        help="interpreter that launched servers run under; given again, every target runs under each,"
        "\nand they are compared",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """A SavedModel of the user's own, and a request to it."""
    parser.add_argument(
        "--model",
        type=values.name_and_source,
        metavar="NAME=SAVED_MODEL",
        help="serve a SavedModel of yours as POST /NAME",
    )
    parser.add_argument(
        "--payload",
        type=values.source,
        metavar="FILE",
        help="a request to it: .json, .jpg, .png, or .pb for a TensorProto (default: made up from its signature)",
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="take sizes that it leaves open from --payload, so that modes may run it that need them beforehand",
    )
    parser.add_argument(
        "--signature", metavar="NAME", help="which of its signatures (default: serving_default, or the only one)"
    )
    parser.add_argument("--tags", metavar="A,B", help="which of its graphs, by its tags (default: serve)")
    parser.add_argument(
        "--scale",
        metavar="SCALE",
        help="what a picture's levels become for it: 0..255, 0..1, -1..1, imagenet, or MEAN/DEVIATION in levels,"
        "\neach one number or three with commas (default: as type or graph show; else pictures are refused)",
    )


def chosen_reading(arguments: argparse.Namespace) -> Reading:
    """What `add_model_options` read of how the SavedModel is to be read."""
    from servers.models.user_model import Reading

    return Reading(signature=arguments.signature, tags=arguments.tags, scale=arguments.scale, fix=arguments.fix)


def with_values(arguments: list[str]) -> list[str]:
    """The words of a command line, a scale that begins with a minus made one word with its option.

    `argparse` would take it for an option.
    """
    found: list[str] = []
    for word in arguments:
        if found and found[-1] == "--scale" and word.startswith("-") and not word.startswith("--"):
            found[-1] = f"--scale={word}"
        else:
            found.append(word)
    return found


def add_worker_options(parser: argparse.ArgumentParser) -> None:
    """Load generators on other machines."""
    parser.add_argument(
        "--expect-workers",
        type=values.whole(1, 1000),
        metavar="N",
        help="share the load among N `bench.py worker`s on other machines (see docs/more-machines.md)",
    )
    parser.add_argument(
        "--master-bind",
        type=values.host_or_all,
        default="*",
        metavar="HOST",
        help="address that workers come to (default: all of this machine)",
    )
    parser.add_argument(
        "--master-port",
        type=values.port,
        default=MASTER_PORT,
        metavar="N",
        help="port that they come to (default: %(default)s)",
    )
    add_token_option(parser)
    parser.add_argument(
        "--workers-timeout",
        type=values.number(86_400),
        default=60.0,
        metavar="S",
        help="how long they are waited for (default: 60)",
    )


def add_token_option(parser: argparse.ArgumentParser) -> None:
    """What tells a worker from a stranger."""
    parser.add_argument(
        "--worker-token",
        type=Path,
        metavar="FILE",
        help="the file whose content every worker must know (default: TITRATE_WORKER_TOKEN in the environment;"
        "\na run that listens beyond loopback makes one and says it)",
    )


def worker_token(path: Path | None) -> str:
    """The token of `add_token_option` or of the environment; empty where there is none. Raises ExpectedError."""
    from loadtests.orders import TOKEN_VARIABLE

    if path is None:
        return os.environ.get(TOKEN_VARIABLE, "")
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = in_words(error) if isinstance(error, OSError) else "it is no text"
        raise usage(f"--worker-token {path} cannot be read: {said}", hint="a file with one line") from error
    if not token:
        raise usage(f"--worker-token {path} is empty", hint="a file with one line")
    return token


def chosen_workforce(arguments: argparse.Namespace) -> Workforce | None:
    """What `add_worker_options` read; None for the one generator of this machine. Raises ExpectedError."""
    from loadtests.orders import Workforce

    if arguments.expect_workers is None:
        return None
    token = worker_token(arguments.worker_token)
    if not token and arguments.master_bind not in _LOOPBACK:
        token = secrets.token_urlsafe(18)
        told = f"TITRATE_WORKER_TOKEN={token} python3 bench.py worker --master ADDRESS_OF_THIS_MACHINE"
        print(f"workers need this run's token: {told}", file=sys.stderr, flush=True)
    try:
        return Workforce(
            expect=arguments.expect_workers,
            bind=arguments.master_bind,
            port=arguments.master_port,
            timeout_s=arguments.workers_timeout,
            token=token,
        )
    except ValueError as error:
        raise usage(f"--expect-workers {arguments.expect_workers}: {error}") from error


def add_price_option(parser: argparse.ArgumentParser) -> None:
    """What the reader pays for a core."""
    parser.add_argument(
        "--price-per-core-hour",
        metavar="P",
        help="in your own currency; the report then also has the cost of a million predictions",
    )


def add_open_option(parser: argparse.ArgumentParser) -> None:
    """Whether the page is shown at once."""
    parser.add_argument("--open", action="store_true", help="open the page in a browser when it is drawn")


def price_of(arguments: argparse.Namespace) -> float | None:
    """The price that `add_price_option` read, or None. Raises ExpectedError."""
    if arguments.price_per_core_hour is None:
        return None
    from reports.costs import read_price

    try:
        return read_price(arguments.price_per_core_hour)
    except ValueError as error:
        raise usage(f"--price-per-core-hour {error}", hint="for example --price-per-core-hour 0.04") from error


def add_batch_options(parser: argparse.ArgumentParser) -> None:
    """Dynamic batching of the classifier, and the bounds of its queue."""
    parser.add_argument(
        "--batch",
        type=values.whole(0, 10**6),
        default=0,
        metavar="N",
        help=f"batch up to N requests of /classify into one call, at most {LARGEST} (default: 0, off)",
    )
    parser.add_argument(
        "--queue",
        type=values.whole(0, 10**9),
        metavar="N",
        help=f"requests that may wait for a batch; more get 503 (default: {BATCHES_QUEUED} batches)",
    )
    parser.add_argument(
        "--deadline-ms",
        type=values.whole(0, 10**9),
        metavar="N",
        help=f"longest wait for a batch; longer gets 504 (default: {DEADLINE_MS})",
    )


def chosen_bounds(arguments: argparse.Namespace) -> BatchBounds:
    """What `add_batch_options` read."""
    return BatchBounds(batch=arguments.batch, queue=arguments.queue, deadline_ms=arguments.deadline_ms)
