"""Several servers up together: launched a few at a time, pinned when all are ready, and stopped whatever happens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from servers.launch import Server, launch
from servers.settings import Settings
from servers.target import Target

START_TIMEOUT_S: Final = 180.0

_POLL_S: Final = 0.05
_LANES: Final = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Berth:
    """One server that is to be up: its name in the fleet, what it serves, and how it is run."""

    name: str
    target: Target
    settings: Settings


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The servers that are up, by name. Their output goes to `logs`, a file each; all are pinned to `cpus`, if any."""

    logs: Path
    cpus: Sequence[int] = ()
    servers: dict[str, Server] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def launch(self, berths: Sequence[Berth], started: Callable[[str], None] = lambda _name: None) -> None:
        """Bring them up, one for each core at a time; `started` is told of each.

        Start-up is CPU-bound, so more at once would only make each look slower. Raises LaunchError if one fails, and
        ServerError for settings that its server cannot honour.
        """
        waiting = list(berths)
        starting: dict[str, Server] = {}
        while waiting or starting:
            while waiting and len(starting) < _LANES:
                one = waiting.pop(0)
                log = self.logs / f"{one.name}.log"
                starting[one.name] = self._stack.enter_context(launch(one.target, one.settings, log))
            for name in [name for name, server in starting.items() if server.is_ready(START_TIMEOUT_S)]:
                self.servers[name] = starting.pop(name)
                started(name)
            time.sleep(_POLL_S)
        # Only now: a server that is pinned while others still start would share its core with their start-up.
        if self.cpus:
            self.pin(self.cpus)

    def pin(self, cpus: Sequence[int]) -> None:
        """Keep every server on these cores."""
        for server in self.servers.values():
            server.pin(cpus)

    def pids(self, name: str) -> tuple[int, ...]:
        """Process ids of one server; none for a name that is not in the fleet."""
        return tuple(process.pid for process in self.servers[name].processes()) if name in self.servers else ()

    def log(self, name: str) -> str | None:
        """Where a server under the contract writes what it has to say; the tutorial code may log as it likes."""
        server = self.servers.get(name)
        return str(server.log.absolute()) if server and server.contract else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # Ask all of them first: each takes its time to stop, and they can take it together.
        for server in self.servers.values():
            server.ask_to_stop()
        self._stack.__exit__(kind, error, at)
