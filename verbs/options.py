"""Options that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Servers that are up already, what their models answer, and the interpreter of those that are launched."""
    parser.add_argument(
        "--url", metavar="NAME=BASE_URL", action="append", default=[], help="a server of yours that is up already"
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="FILE",
        help="JSON: endpoint to reference answers of the model behind --url (default: predictions not judged)",
    )
    parser.add_argument(
        "--server-python", type=Path, metavar="PATH", help="interpreter that launched servers run under"
    )
