"""All contenders of a block, up together: launched a few at a time, pinned, and stopped whatever happens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from experiment.errors import ExpectedError, usage
from experiment.line_up import Contender
from servers.launch import LaunchError, Server, launch
from servers.settings import Settings
from servers.web_servers import ServerError

_START_TIMEOUT_S: Final = 180.0
_POLL_S: Final = 0.05
_LANES: Final = os.cpu_count() or 1


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The contenders that are up. A foreign server is up already, and is left alone."""

    settings: Settings
    cpus: tuple[int, ...]
    logs: Path
    servers: dict[str, Server] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def launch(self, contenders: Sequence[Contender], started: Callable[[str], None]) -> None:
        """Bring them up, one for each core at a time; `started` is told of each. Raises ExpectedError if one fails.

        Start-up is CPU-bound, so more at once would only make each look slower.
        """
        waiting = [one for one in contenders if one.target is not None]
        self.urls |= {one.id: one.base_url for one in contenders if one.base_url is not None}
        starting: dict[str, Server] = {}
        try:
            while waiting or starting:
                while waiting and len(starting) < _LANES:
                    one = waiting.pop(0)
                    starting[one.id] = self._start(one)
                for name in [name for name, server in starting.items() if server.is_ready(_START_TIMEOUT_S)]:
                    self.servers[name] = starting.pop(name)
                    self.urls[name] = self.servers[name].base_url
                    started(name)
                time.sleep(_POLL_S)
        except LaunchError as error:
            raise ExpectedError(str(error), hint=f"its whole output is under {self.logs}") from error
        except ServerError as error:
            raise usage(str(error)) from error
        # Only now: a server that is pinned while others still start would share its core with their start-up.
        for server in self.servers.values():
            if self.cpus:
                server.pin(self.cpus)

    def pids(self, name: str) -> list[int]:
        """Process ids of one contender; none for a foreign server."""
        return [process.pid for process in self.servers[name].processes()] if name in self.servers else []

    def _start(self, contender: Contender) -> Server:
        assert contender.target is not None  # noqa: S101 - the caller has sorted foreign ones out
        log = self.logs / f"{contender.id}.log"
        own = contender.interpreter
        settings = replace(self.settings, python=str(own.python)) if own else self.settings
        return self._stack.enter_context(launch(contender.target, settings, log))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # Ask all of them first: each takes its time to stop, and they can take it together.
        for server in self.servers.values():
            server.ask_to_stop()
        self._stack.__exit__(kind, error, at)
