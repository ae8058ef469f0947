"""Starting targets, waiting until they are ready, pinning them to their cores, and stopping them for sure."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

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
    """A TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


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
        return f"http://{self.settings.host}:{self.settings.port}"

    def processes(self) -> list[psutil.Process]:
        """The server's processes, the guard left out; empty once they have ended."""
        try:
            return psutil.Process(self.guard.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def rss_mib(self) -> float:
        """Resident memory of all its processes, shared pages counted in each."""
        return sum(process.memory_info().rss for process in self.processes()) / 2**20

    def metadata(self) -> dict[str, Any] | None:
        """What `GET /metadata` answers; None outside the contract, where there is none."""
        if not self.contract:
            return None
        with urllib.request.urlopen(f"{self.base_url}/metadata", timeout=_PROBE_TIMEOUT_S) as answer:  # noqa: S310 - http
            found: dict[str, Any] = json.load(answer)
        return found

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
        path = "/readyz" if self.contract else "/"
        connection = http.client.HTTPConnection(self.settings.host, self.settings.port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
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
