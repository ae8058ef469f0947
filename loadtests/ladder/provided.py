"""What the module that provides the rungs must have. Met by structure: nothing here imports it by name."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

Variant = Mapping[str, str]
"""One piece of one request's path: rung, framework, server, mode, endpoint, encoding, twin; empty where it has none."""

Say = Callable[[str], None]


class RungCall(Protocol):
    """A piece that can be called: `prepare(at)` is not timed, `call` is, and `agrees` says whether it was right."""

    @property
    def payloads(self) -> int:
        """How many payloads it has, numbered from 0."""

    @property
    def prepare(self) -> Callable[[int], Any]:
        """Makes what `call` consumes."""

    @property
    def call(self) -> Callable[[Any], Any]:
        """The piece itself."""

    @property
    def agrees(self) -> Callable[[int, Any], bool]:
        """Whether what `call` gave for that payload is right."""

    @property
    def outside(self) -> bool:
        """Whether it runs in a process of its own."""

    @property
    def laps(self) -> tuple[str, ...]:
        """The rungs that one call goes through, where it is several; it then gives their nanoseconds and a result."""


class Rungs(Protocol):
    """The module: what there is, and how it is opened."""

    def environment(self) -> Mapping[str, str]:
        """Variables that must stand before the measuring process starts, the hash seed among them."""

    def frameworks(self) -> Sequence[str]:
        """The frameworks there are."""

    def modes(self) -> Sequence[str]:
        """The execution modes that can run here."""

    def servers(self) -> Sequence[str]:
        """The servers that take any framework."""

    def endpoints(self) -> Sequence[str]:
        """The endpoints there are."""

    def encodings(self, endpoint: str) -> Sequence[str]:
        """An endpoint's encodings, the usual one first."""

    def group_variants(
        self, *, chosen: Sequence[str], server: str, mode: str, endpoint: str, encoding: str
    ) -> Sequence[Variant]:
        """What is measured side by side for one mode, endpoint and encoding."""

    def opened(self, variants: Sequence[Variant], say: Say) -> AbstractContextManager[Sequence[RungCall]]:
        """The variants' steps, in order, for as long as the block runs."""


def provider(root: Path, named: str | None) -> Rungs:
    """The module `named`, or the one that pyproject.toml under `root` names. Raises KeyError, ImportError."""
    if named is None:
        named = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["titrate"]["ladder"]
    return cast("Rungs", import_module(str(named)))


def variant_id(variant: Variant) -> str:
    """`wsgi-flask-function-predict-json`: the parts that there are, in order."""
    parts = (variant[name] for name in ("rung", "framework", "server", "mode", "endpoint", "encoding", "twin"))
    return "-".join(part for part in parts if part)


def group_of(variant: Variant) -> str:
    """What is measured side by side: `function/predict/json`."""
    return "/".join(variant[name] for name in ("mode", "endpoint", "encoding"))
