"""Options that several verbs share, and what they come to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from commands import values
from experiment.errors import usage
from experiment.variants import BATCHES_QUEUED, DEADLINE_MS, BatchBounds
from servers.core.row_counts import LARGEST

if TYPE_CHECKING:
    from loadtests.orders import Workforce

MASTER_PORT: Final = 5557
"""Locust's own."""


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
    parser.add_argument(
        "--workers-timeout",
        type=values.number(86_400),
        default=60.0,
        metavar="S",
        help="how long they are waited for (default: 60)",
    )


def chosen_workforce(arguments: argparse.Namespace) -> Workforce | None:
    """What `add_worker_options` read; None for the one generator of this machine. Raises ExpectedError."""
    from loadtests.orders import Workforce

    if arguments.expect_workers is None:
        return None
    try:
        return Workforce(
            expect=arguments.expect_workers,
            bind=arguments.master_bind,
            port=arguments.master_port,
            timeout_s=arguments.workers_timeout,
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
