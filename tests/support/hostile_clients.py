"""Several clients that each send a hostile request and then a good one, over and over, against one server."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from hostile_requests import Attack, Ending, attacks, good_request, goods

from addresses.address import Address
from conformance.fate import Fate
from conformance.socket_connection import SocketConnection
from experiment.priming import agrees, predicted
from servers.models.payloads import Payload

CLIENTS: Final = 8
"""As many as the server has threads: all of them may be busy with hostile requests at once."""

_HOSTILE_TIMEOUT_S: Final = 10.0
"""How long a client waits for an answer to a hostile request. It is not what is judged, so it may be long."""

_SLOW_PIECES: Final = 5
_SLOW_PAUSE_S: Final = 0.04
_PROGRESS_S: Final = 5.0
_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time: closing sends RST."""


@dataclass(slots=True, kw_only=True)
class Siege:
    """`hostile` requests in all, and after each of them a good one on another connection.

    A good request that is not answered within `patience_s` is a failure, and so are a wrong answer, and a hostile
    request that gets a 500 or hangs. `good` are endpoint and payload, sent by turns. `statuses` counts the answers to
    hostile requests, `slowest_s` is of the good ones.
    """

    base_url: str
    hostile: int
    patience_s: float
    good: Sequence[tuple[str, Payload]] = field(default_factory=goods)
    seed: int = 0
    most_failures: int = 8
    statuses: Counter[int | str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest_after: str = ""
    done: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _attacks: Iterator[tuple[int, Attack]] = field(init=False)

    def run(self, name: str) -> None:
        """Send everything, with a line of progress every few seconds; returns when all clients have ended."""
        self._attacks = zip(range(self.hostile), attacks(self.seed), strict=False)
        clients = [threading.Thread(target=self._client, name=f"client-{n}", daemon=True) for n in range(CLIENTS)]
        for client in clients:
            client.start()
        said = started = time.monotonic()
        for client in clients:
            while client.is_alive():
                client.join(0.2)
                if time.monotonic() - said > _PROGRESS_S:
                    said = time.monotonic()
                    print(f"{name}: {self.done}/{self.hostile} after {said - started:.0f} s", flush=True)
        print(
            f"{name}: {self.done} hostile requests in {time.monotonic() - started:.1f} s, {dict(self.statuses)}; "
            f"slowest good answer {1e3 * self.slowest_s:.0f} ms, after {self.slowest_after}; "
            f"{len(self.failures)} failures",
            flush=True,
        )

    def _client(self) -> None:
        address = Address.of(self.base_url)
        with SocketConnection(address, timeout_s=self.patience_s) as wire:
            while len(self.failures) < self.most_failures:
                with self._lock:
                    number, attack = next(self._attacks, (None, None))
                if number is None or attack is None:
                    return
                try:
                    self._one(address, wire, number, attack)
                except Exception as fault:  # noqa: BLE001 - a thread's fault is the test's
                    self._fail(f"{attack.name}: the client failed: {fault!r}")

    def _one(self, address: Address, wire: SocketConnection, number: int, attack: Attack) -> None:
        status = attacked(address, attack)
        # By turns on a connection that was open all along, and on a new one.
        if number % 2:
            wire.close()
        endpoint, payload = self.good[number % len(self.good)]
        sent = time.monotonic()
        exchange = wire.ask(good_request(endpoint, payload))
        took_s = time.monotonic() - sent
        answer = exchange.answer
        with self._lock:
            self.done += 1
            self.statuses[status] += 1
            if took_s > self.slowest_s:
                self.slowest_s, self.slowest_after = took_s, f"{attack.name} ({payload.name})"
        if status in (500, str(Fate.TIMED_OUT)):
            self._fail(f"{attack.name}: {status} for {attack.request.wire('localhost')[:300]!r}")
        if answer is None or took_s > self.patience_s:
            self._fail(f"after {attack.name}: {payload.name} got {exchange.describe()} in {took_s:.2f} s")
        elif answer.status != 200 or not agrees(predicted(payload, answer.body), payload.expected):
            self._fail(f"after {attack.name}: {payload.name} got {answer.describe()}")

    def _fail(self, what: str) -> None:
        with self._lock:
            self.failures.append(what)


def attacked(address: Address, attack: Attack) -> int | str:
    """Send one hostile request on a connection of its own; the status of its answer, or what became of it."""
    if attack.ending is Ending.ANSWERED:
        with SocketConnection(address, timeout_s=_HOSTILE_TIMEOUT_S) as wire:
            exchange = wire.ask(attack.request)
        return exchange.answer.status if exchange.answer else str(exchange.fate)
    data = attack.request.wire(address.authority, address.prefix)
    with (
        socket.create_connection((address.host, address.port), timeout=_HOSTILE_TIMEOUT_S) as connection,
        # A server may well answer, or hang up, before it has everything.
        contextlib.suppress(OSError),
    ):
        if attack.ending is Ending.SLOW:
            size = -(-len(data) // _SLOW_PIECES)
            for start in range(0, len(data), size):
                connection.sendall(data[start : start + size])
                time.sleep(_SLOW_PAUSE_S)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
            return str(attack.ending)
        connection.sendall(data)
        if attack.ending is Ending.RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return str(attack.ending)
