"""Which file of product code imports which, by its text: imports for type checkers and inside functions count too."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]

Graph = Mapping[str, frozenset[str]]
"""By module, the modules of the same tree that it imports."""


def pyproject() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def packages() -> tuple[str, ...]:
    """The packages of product code, as import-linter is told them."""
    return tuple(pyproject()["tool"]["importlinter"]["root_packages"])


def layers() -> tuple[tuple[str, ...], ...]:
    """The packages by floor, highest first, as import-linter is told them."""
    return tuple(tuple(name.strip() for name in floor.split("|")) for floor in _floors()["layers"])


def programs() -> set[str]:
    """Modules that join the parts as `bench.py` does, wherever they lie: import-linter is told to pass over them."""
    return {one.partition(" -> ")[0] for one in _floors()["ignore_imports"]}


def _floors() -> dict[str, list[str]]:
    contracts: list[dict[str, list[str]]] = pyproject()["tool"]["importlinter"]["contracts"]
    return next(one for one in contracts if "layers" in one)


def product_files(root: Path = REPOSITORY, names: tuple[str, ...] | None = None) -> list[Path]:
    """Every file of product code below `root`."""
    folders = packages() if names is None else names
    single = [root / "bench.py"] if (root / "bench.py").is_file() else []
    return [*single, *(file for name in folders for file in sorted((root / name).rglob("*.py")))]


def module_name(file: Path, root: Path = REPOSITORY) -> str:
    """`servers.core.reply` of `servers/core/reply.py`; a package is named without `__init__`."""
    return ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def import_graph(root: Path = REPOSITORY, names: tuple[str, ...] | None = None) -> Graph:
    """The imports of every file of product code."""
    files = {module_name(file, root): file for file in product_files(root, names)}
    return {name: frozenset(_imported(file, files)) - {name} for name, file in files.items()}


def circle(graph: Graph) -> list[str]:
    """The modules of one circle, the first one again at the end; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as found:
        return list(found.args[1])
    return []


def upward(graph: Graph, floors: tuple[tuple[str, ...], ...]) -> list[str]:
    """Every import of a higher floor, or of a neighbour on the same floor, as `importer -> imported`."""
    height = {name: -at for at, floor in enumerate(floors) for name in floor}
    found = []
    for importer, imported in graph.items():
        own = importer.partition(".")[0]
        for other in sorted(imported):
            package = other.partition(".")[0]
            if own in height and package in height and package != own and height[package] >= height[own]:
                found.append(f"{importer} -> {other}")
    return found


def _imported(file: Path, known: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in known or node.module in known:
                    yield whole if whole in known else node.module
