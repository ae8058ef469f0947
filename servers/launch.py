"""Starting targets, waiting until they are ready, pinning them to their cores, and stopping them for sure."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from addresses.address import Address
from addresses.connecting import NoAnswerError, get, places
from servers.guard import GRACE_S
from servers.last_words import last_words_of_log
from servers.repository import REPOSITORY
from servers.settings import Settings
from servers.target import Target
from servers.web_servers import command_line

_POLL_S: Final = 0.05
_PROBE_TIMEOUT_S: Final = 2.0


class LaunchError(Exception):
    """A server that did not become ready; the message says what its log said last."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nothing listens on at this moment. Raises OSError for a host that is not this machine."""
    return listening_place(host, 0).port


def listening_place(host: str, port: int) -> Address:
    """The first address of `host` at which this machine can listen; a port of 0 is replaced by a free one.

    One address, whatever the name has: the servers do not agree on which of several they take. Raises OSError, that of
    the last one tried.
    """
    refusal: OSError | None = None
    for family, place in places(host, port):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                # As the servers do: connections of one that has just ended are in nobody's way.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
                probe.listen(1)
                # With its interface, where it holds on one of them only.
                number, _ = socket.getnameinfo(place, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
                return Address(host=number, port=probe.getsockname()[1])
        except OSError as error:
            refusal = error
    raise refusal or OSError(f"{host} has no address")


@dataclass(slots=True, kw_only=True)
class Server:
    """A launched server. Use it as a context manager: leaving it ends every process of it.

    `contract` says whether it has the contract's readiness and metadata; one that has not must load before it listens.
    """

    name: str
    contract: bool
    settings: Settings
    log: Path
    guard: subprocess.Popen[bytes]
    started: float
    startup_s: float = 0.0

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return str(self._address)

    @property
    def _address(self) -> Address:
        return Address(host=self.settings.host, port=self.settings.port)

    def processes(self) -> list[psutil.Process]:
        """The server's processes, the guard left out; empty once they have ended."""
        try:
            return psutil.Process(self.guard.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def ended(self) -> str | None:
        """How it ended, and what its log said last; None while it is up."""
        status = self.guard.poll()
        if status is None:
            return None
        how = f"signal {status - 128}" if status > 128 else f"exit status {status}"
        return f"it ended with {how}; its last words: {self._last_words()}"

    def rss_mib(self) -> float:
        """Resident memory of all its processes, shared pages counted in each; one that ends meanwhile has none."""
        found = 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += process.memory_info().rss
        return found / 2**20

    def metadata(self) -> dict[str, Any] | None:
        """What `GET /metadata` answers; None outside the contract, where there is none, and where no answer comes."""
        if not self.contract:
            return None
        try:
            status, body = get(self._address, "/metadata")
            found = json.loads(body)
        except (NoAnswerError, ValueError, RecursionError):
            return None
        its_own = status == 200 and isinstance(found, dict) and found.get("target") == self.name
        return found if its_own else None

    def wait_ready(self, timeout_s: float) -> None:
        """Return when it is ready; raises LaunchError when it ends first or takes longer than `timeout_s`."""
        while not self.is_ready(timeout_s):
            time.sleep(_POLL_S)

    def is_ready(self, timeout_s: float) -> bool:
        """Whether it is ready by now; raises LaunchError when it has ended, or `timeout_s` after its start."""
        if self.guard.poll() is not None:
            raise LaunchError(f"{self.name} did not start: {self._last_words()}")
        if self._answers() and self._listens():
            self.startup_s = time.monotonic() - self.started
            return True
        if time.monotonic() > self.started + timeout_s:
            raise LaunchError(f"{self.name} was not ready after {timeout_s:.0f} s: {self._last_words()}")
        return False

    def pin(self, cpus: Iterable[int]) -> None:
        """Keep every thread of every process on `cpus`. Does nothing where the system has no affinity (not Linux).

        Done after start-up, so that targets may start on all cores at once; later threads inherit it.
        """
        if not hasattr(os, "sched_setaffinity"):
            return
        wanted = set(cpus)
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):  # one that ends meanwhile
                for thread in process.threads():
                    os.sched_setaffinity(thread.id, wanted)

    def ask_to_stop(self) -> None:
        """Begin to end it, without waiting."""
        if self.guard.stdin is not None:
            self.guard.stdin.close()

    def stop(self) -> None:
        """End all its processes; returns when none is left."""
        self.ask_to_stop()
        try:
            self.guard.wait(timeout=2 * GRACE_S)
        except subprocess.TimeoutExpired:
            for process in self.processes():
                process.kill()
            self.guard.kill()
            self.guard.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        # Outside the contract there is no readiness; models load before it listens, so any answer will do.
        try:
            status, _ = get(self._address, "/readyz" if self.contract else "/", timeout_s=_PROBE_TIMEOUT_S)
        except NoAnswerError:
            return False
        return status == 200 or not self.contract

    def _listens(self) -> bool:
        """Whether it is this server that has the port: another one there would be measured in its place."""
        try:
            return any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.settings.port
                for process in self.processes()
                for connection in process.net_connections("inet")
            )
        except psutil.NoSuchProcess:
            # One that ends while it is looked at: the guard tells the next time.
            return False

    def _last_words(self) -> str:
        return last_words_of_log(self.log.read_text(encoding="utf-8", errors="replace"))


def launch(target: Target, settings: Settings, log: Path) -> Server:
    """Start `target` and return at once; its output goes to `log`. A port of 0 is replaced by a free one.

    Raises ServerError for settings that its server cannot honour.
    """
    return start(target.id, lambda own: command_line(target.server, own), settings, log, contract=target.kind.contract)


def start(
    name: str, command: Callable[[Settings], list[str]], settings: Settings, log: Path, *, contract: bool
) -> Server:
    """Start the command line that `command` makes of the settings once their port is known, under the guard."""
    settings = replace(
        settings,
        port=settings.port or free_port(settings.host),
        python=settings.python or sys.executable,
    )
    guarded = [sys.executable, "-m", "servers.guard", *command(settings)]
    log.parent.mkdir(parents=True, exist_ok=True)
    # A log of before is removed and not written to, nor is what a link of its name points to.
    log.unlink(missing_ok=True)
    with log.open("xb") as output:
        guard = subprocess.Popen(
            guarded,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(name, settings) | {"PYTHONUNBUFFERED": "1"},
            cwd=settings.models_dir,
            # Ctrl-C in the terminal must reach the harness alone, which then stops things in order.
            start_new_session=True,
        )
    return Server(name=name, contract=contract, settings=settings, log=log, guard=guard, started=time.monotonic())


def child_environment(name: str, settings: Settings) -> dict[str, str]:
    """The environment of a serving process: the caller's, with the server's on top and the repository importable."""
    return {**os.environ, **settings.environment(name), "PYTHONPATH": str(REPOSITORY)}
