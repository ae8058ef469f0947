"""FastAPI on uvicorn: one process of one event loop and its thread pool, with uvloop and httptools."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from servers.launch import Server, start
from servers.settings import Settings

NAME: Final = "fastapi+uvicorn"


def launch(settings: Settings, log: Path) -> Server:
    """Start it as our own targets are, under their environment: TensorFlow's threads and flags, the hash seed."""
    return start(NAME, _command, settings, log, contract=False)


def _command(settings: Settings) -> list[str]:
    return [
        *(settings.python, "-m", "uvicorn", "peers.fastapi_app:app"),
        *("--host", settings.host, "--port", str(settings.port)),
        *("--workers", "1", "--loop", "uvloop", "--http", "httptools", "--no-access-log"),
        *("--timeout-keep-alive", str(settings.keep_alive_s), "--log-level", "warning", "--backlog", "1024"),
    ]
