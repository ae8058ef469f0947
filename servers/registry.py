"""The parts that targets are made of, found by listing folders: nothing of them is imported.

What sets a part apart from the usual, its file declares in constants, which are read as text (`_DECLARED`).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

_HERE: Final = Path(__file__).parent

Role = Literal["contract", "floor", "native", "null"]
Interface = Literal["wsgi", "asgi"]

_DECLARED: Final = ("ROLE", "INTERFACE", "NEEDS", "EXTRA", "DEVICES")
"""What a file may declare: a framework's role and interface; the modules that it or a mode needs beyond the usual, and
the extra that installs them; the devices that a mode runs on."""

DEVICES: Final = ("cpu", "gpu")

BASELINES: Final[Mapping[str, tuple[str, ...]]] = {
    "framework": ("flask", "flask-native"),
    "server": ("gunicorn",),
    "mode": ("eager", "function"),
    "device": ("cpu",),
}
"""What others are held against, by part: the first of these that is measured, or else what was named first."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file: its name as a part, the module, and what it declares."""

    name: str
    module: str
    path: Path

    @cached_property
    def declared(self) -> Mapping[str, Any]:
        """The constants of `_DECLARED` in the file, by name."""
        found = {}
        for node in ast.parse(self.path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in _DECLARED:
                found[node.target.id] = ast.literal_eval(node.value) if node.value else None
        return found

    @property
    def lacks(self) -> str | None:
        """The reason why it cannot run in this environment; None where it can."""
        missing = [name for name in self.declared.get("NEEDS", ()) if find_spec(name) is None]
        extra = self.declared.get("EXTRA")
        return f"{missing[0].replace('_', '-')} is not installed; the extra `{extra}` installs it" if missing else None


@dataclass(frozen=True, kw_only=True)
class Framework(Part):
    """One adapter in `servers/apps`; its kind follows from the file's name, and from what it declares."""

    @property
    def role(self) -> Role:
        """What it is measured for: `native` is the article's code in the framework's own idiom."""
        role: Role = "native" if self.module.endswith("_native") else self.declared.get("ROLE", "contract")
        return role

    @property
    def native(self) -> bool:
        """Whether it is outside the contract, and only observed."""
        return self.role == "native"

    @property
    def contract(self) -> bool:
        """Whether it obeys the HTTP contract and is judged by it."""
        return self.role in ("contract", "floor")

    @property
    def interface(self) -> Interface:
        """What its application speaks to a server."""
        interface: Interface = self.declared.get("INTERFACE", "wsgi")
        return interface


@dataclass(frozen=True, kw_only=True)
class Mode(Part):
    """One execution mode in `servers/core/modes`."""

    @property
    def devices(self) -> tuple[str, ...]:
        """What it runs on."""
        devices: tuple[str, ...] = self.declared.get("DEVICES", DEVICES)
        return devices


def _frameworks() -> dict[str, Framework]:
    paths = sorted(path for path in (_HERE / "apps").glob("*_*.py") if not path.stem.startswith("_"))
    names = [path.stem.removesuffix("_app").replace("_", "-") for path in paths]
    return {name: Framework(name=name, module=path.stem, path=path) for name, path in zip(names, paths, strict=True)}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if path.stem != "__init__")


FRAMEWORKS: Final = _frameworks()
MODES: Final = {
    path.stem: Mode(name=path.stem, module=path.stem, path=path) for path in _files(_HERE / "core" / "modes")
}
ENDPOINTS: Final = tuple(path.stem for path in _files(_HERE / "core" / "endpoints"))
