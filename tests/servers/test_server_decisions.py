"""What a server is said to decide by itself, seen by an application that writes down what it is given."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from addresses.address import Address
from conformance.cases import select
from conformance.fate import Fate
from conformance.http_connection import HttpExchange
from conformance.http_request import HttpRequest
from conformance.socket_connection import SocketConnection
from servers.launch import free_port
from servers.server_decisions import HIDDEN
from servers.settings import Settings
from servers.web_servers import command_line

GOOD_BODY = '{"feature":24.5}'

_LOOKS = 10


@contextmanager
def _recorder(server: str) -> Iterator[Address]:
    settings = Settings(port=free_port(), python=sys.executable, threads=2)
    command = [word.replace("servers.entry:app", "recorder_app:app") for word in command_line(server, settings)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1] / "support", stderr=subprocess.DEVNULL) as process:
        address = Address.of(f"http://127.0.0.1:{settings.port}")
        deadline = time.monotonic() + 60
        try:
            while not _listens(address) and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()


def _listens(address: Address) -> bool:
    with SocketConnection(address, timeout_s=5) as wire:
        return wire.connects()


def _request(case_id: str) -> HttpRequest:
    (case,) = select(ids=[case_id])
    assert case.request is not None
    return case.request


@pytest.fixture(name="granian", scope="module")
def _granian() -> Iterator[Address]:
    with _recorder("granian") as address:
        yield address


@pytest.fixture(name="gunicorn", scope="module")
def _gunicorn() -> Iterator[Address]:
    with _recorder("gunicorn") as address:
        yield address


def _seen(address: Address, case_id: str) -> dict[str, Any]:
    with SocketConnection(address, timeout_s=10) as wire:
        exchange = wire.ask(_request(case_id))
    assert exchange.answer is not None, exchange.describe()
    found: dict[str, Any] = json.loads(exchange.answer.body)
    return found


def test_every_entry_is_shown() -> None:
    """Each thing that a server is said to decide has its witness in this file."""
    assert {server: set(cases) for server, cases in HIDDEN.items()} == {
        "granian": {*GRANIAN, "head-fragment", "head-two-content-types"},
        "waitress": {"connection-after-options"},
    }


GRANIAN = {"body-cut-chunks": GOOD_BODY, "length-chunk-cut": GOOD_BODY, "length-chunk-size-letters": ""}


@pytest.mark.parametrize("case_id", GRANIAN)
def test_granian_hands_a_cut_body_on_as_if_it_were_whole(granian: Address, gunicorn: Address, case_id: str) -> None:
    """On granian the read ends without an exception; gunicorn raises, so there an application can tell."""
    seen = _seen(granian, case_id)
    assert (seen["body"], seen["fault"]) == (GRANIAN[case_id], "")
    assert _seen(gunicorn, case_id)["fault"]


def test_granian_cuts_the_fragment_off(granian: Address, gunicorn: Address) -> None:
    """On granian nothing that the application is given holds the fragment; on gunicorn the raw target does."""
    assert not any("#" in target for target in _seen(granian, "head-fragment")["targets"])
    assert any("#" in target for target in _seen(gunicorn, "head-fragment")["targets"])


def test_granian_hands_on_one_of_two_content_types(granian: Address) -> None:
    """On granian the application is given one Content-Type, and no sign that there were two."""
    assert _seen(granian, "head-two-content-types")["content_type"] == "application/json"


def test_waitress_closes_after_204_unannounced(gunicorn: Address) -> None:
    """After an answer of 204, waitress closes though it said nothing of it; gunicorn keeps the connection."""

    def asked(address: Address) -> HttpExchange:
        with SocketConnection(address, timeout_s=10) as wire:
            return wire.ask(HttpRequest(method="OPTIONS", target="/predict"))

    # The client looks at once whether the connection has ended; on a busy machine waitress may come to it later.
    with _recorder("waitress") as address:
        seen = [asked(address) for _ in range(_LOOKS)]
    assert all(each.answer is not None and each.answer.keep_alive for each in seen)
    assert any(each.fate is Fate.CLOSED for each in seen)
    assert all(asked(gunicorn).fate is Fate.KEPT for _ in range(_LOOKS))
