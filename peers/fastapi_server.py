"""FastAPI on uvicorn: one process of one event loop and its thread pool, with uvloop and httptools."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from servers.guard import GRACE_S
from servers.launch import REPOSITORY, LaunchError, free_port
from servers.settings import Settings

NAME: Final = "fastapi+uvicorn"

_START_TIMEOUT_S: Final = 120.0
_POLL_S: Final = 0.05


@dataclass(slots=True, kw_only=True)
class FastApiServer:
    """A launched one, as a context manager; leaving it ends its processes, and so does this process's death."""

    guard: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def launch(cls, settings: Settings, log: Path) -> FastApiServer:
        """Start it under the environment that our own targets get: TensorFlow's threads and flags, the hash seed."""
        port = free_port()
        command = [
            *(sys.executable, "-m", "servers.guard"),
            *(sys.executable, "-m", "uvicorn", "peers.fastapi_app:app", "--host", "127.0.0.1", "--port", str(port)),
            *("--workers", "1", "--loop", "uvloop", "--http", "httptools", "--no-access-log"),
            *("--timeout-keep-alive", str(settings.keep_alive_s), "--log-level", "warning", "--backlog", "1024"),
        ]
        environment = {**os.environ, **settings.environment(NAME), "PYTHONPATH": str(REPOSITORY)}
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            guard = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=settings.models_dir,
                start_new_session=True,
            )
        return cls(guard=guard, port=port, log=log)

    def wait_ready(self) -> None:
        """Return when it answers; its models load before it listens. Raises LaunchError."""
        give_up = time.monotonic() + _START_TIMEOUT_S
        while not self._answers():
            if self.guard.poll() is not None or time.monotonic() > give_up:
                last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["it wrote nothing"]
                raise LaunchError(f"{NAME} did not start: {last[0]}")
            time.sleep(_POLL_S)

    def processes(self) -> list[psutil.Process]:
        """The server's processes, the guard left out."""
        return psutil.Process(self.guard.pid).children(recursive=True)

    def pin(self, cpus: tuple[int, ...]) -> None:
        """Keep every thread of it on `cpus`; threads that its pool starts later inherit that."""
        for process in self.processes():
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cpus)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2.0)
        try:
            connection.request("GET", "/openapi.json")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        assert self.guard.stdin is not None  # noqa: S101 - PIPE was asked for
        self.guard.stdin.close()
        try:
            self.guard.wait(timeout=2 * GRACE_S)
        except subprocess.TimeoutExpired:
            for process in self.processes():
                process.kill()
            self.guard.kill()
            self.guard.wait()
