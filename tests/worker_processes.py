"""Workers of a master, as processes of their own, for the tests of more than one machine."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtests.remote import ROOT


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@contextmanager
def worker(
    port: int,
    *,
    master: str = "127.0.0.1",
    keep: Path | None = None,
    within: Sequence[str] = (),
    program: Sequence[str] = ("-m", "loadtests.generator", "--port"),
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of the master at `port`; `within` is a command that runs another one, such as `ip netns exec NAME`.

    `program` says what is run, up to the port's number. Whatever has become of it, it is gone afterwards.
    """
    command = [*within, sys.executable, *program, str(port), "--master", master]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*command, *(["--keep", str(keep)] if keep else [])],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
            process.kill()
            process.wait()
            log.seek(0)
            print(log.read().decode(errors="replace"))
