"""The parts that targets are made of, found by listing folders: nothing of them is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One adapter in `servers/apps`; its kind follows from the file's name."""

    name: str
    module: str

    @property
    def native(self) -> bool:
        """Whether it is the article's code in the framework's own idiom, outside the contract."""
        return self.module.endswith("_native")

    @property
    def contract(self) -> bool:
        """Whether it obeys the HTTP contract and is judged by it."""
        return not self.native and self.name != "null"


def _frameworks() -> dict[str, Framework]:
    modules = sorted(path.stem for path in (_HERE / "apps").glob("*_*.py") if not path.stem.startswith("_"))
    found = (Framework(name=module.removesuffix("_app").replace("_", "-"), module=module) for module in modules)
    return {framework.name: framework for framework in found}


FRAMEWORKS: Final = _frameworks()
MODES: Final = tuple(sorted(path.stem for path in (_HERE / "core" / "modes").glob("*.py") if path.stem != "__init__"))
ENDPOINTS: Final = tuple(
    sorted(path.stem for path in (_HERE / "core" / "endpoints").glob("*.py") if path.stem != "__init__")
)
DEVICES: Final = ("cpu", "gpu")
