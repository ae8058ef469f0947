"""The settings that a comparison may vary, the values that each takes, and which targets they mean something to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from servers.core.row_counts import LARGEST
from servers.settings import Executor, Settings
from servers.target import Target
from servers.web_servers import SERVERS, ServerError

Value = int | str

_SERVERS_OWN: Final = ("threads", "workers", "keep_alive_s")
"""What stands in a server's command line, if it means anything to it."""

_NO_GRAPH: Final = {"eager": ("executor",), "lite": ("executor", "inter_threads")}
"""What means nothing to a mode that runs no TensorFlow graph."""

_CONTRACTS_OWN: Final = ("executor", "batch", "queue", "deadline_ms")
"""What the contract's core alone has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A member of `Settings` with the values that it takes: whole numbers from `least` to `most`, or words."""

    name: str
    least: int = 1
    most: int = 100_000
    words: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What it takes, in words."""
        return " or ".join(self.words) if self.words else f"a whole number from {self.least} to {self.most}"

    def value(self, text: str) -> Value:
        """The value that `text` is. Raises ValueError where it is none."""
        if self.words and text in self.words:
            return text
        if not self.words and text.isascii() and text.isdigit() and self.least <= int(text) <= self.most:
            return int(text)
        raise ValueError(f"{self.name} is {self.range}, not {text!r}")

    def refusal(self, target: Target, settings: Settings) -> str | None:
        """Why it cannot be varied on a target that is run under `settings`; None where it can."""
        if self.name in _NO_GRAPH.get(target.mode, ()):
            return f"{self.name} means nothing to mode {target.mode}"
        if self.name in _CONTRACTS_OWN and not target.kind.contract:
            return f"{target.framework} has no {self.name}"
        if self.name in _SERVERS_OWN:
            two: list[dict[str, Any]] = [{self.name: 1}, {self.name: 2}]
            try:
                first, second = (SERVERS[target.server](replace(settings, **one)) for one in two)
            except ServerError as error:
                return str(error)
            # Whether they reach the application's own pool of threads is the interface's, not the server's.
            if first == second and not (self.name == "threads" and target.kind.interface == "asgi"):
                return f"server {target.server} takes no {self.name}"
        return None


VARIABLES: Final[Mapping[str, Variable]] = {
    one.name: one
    for one in (
        Variable(name="threads", most=1000),
        Variable(name="workers", most=1000),
        # 0 is TensorFlow's own choice: a thread a core.
        Variable(name="intra_threads", least=0, most=1000),
        Variable(name="inter_threads", least=0, most=1000),
        Variable(name="executor", words=get_args(Executor)),
        Variable(name="batch", least=0, most=LARGEST),
        Variable(name="queue"),
        Variable(name="deadline_ms"),
        Variable(name="keep_alive_s"),
    )
}

ALIASES: Final[Mapping[str, str]] = {
    "intra": "intra_threads",
    "inter": "inter_threads",
    "keep-alive": "keep_alive_s",
    "deadline": "deadline_ms",
}
"""Shorter names of them."""
