"""Every file of tests is in the matrix or elsewhere for a reason, and what is in it has what it imports there."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from matrix.core_tests import CORE_TESTS, ELSEWHERE, HARNESS_TESTS, unplaced
from servers.repository import REPOSITORY

FILES = sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("tests/*/test_*.py"))
GROUPS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
ROOTS = (REPOSITORY, REPOSITORY / "tests" / "support")


def test_every_file_of_tests_is_named_with_its_place() -> None:
    """Each is the core's, the harness's, or elsewhere for a reason; a new file beside the core's is in no place yet."""
    assert unplaced(FILES) == []
    assert unplaced(["tests/servers/test_new.py", "tests/new/test_new.py"]) == [
        "tests/new/test_new.py",
        "tests/servers/test_new.py",
    ]


def test_every_place_is_one_that_exists() -> None:
    """No list names a file or a folder that is gone, or the same file twice."""
    assert [name for name in (*CORE_TESTS, *HARNESS_TESTS, *ELSEWHERE) if not (REPOSITORY / name).exists()] == []
    assert not set(CORE_TESTS) & {*HARNESS_TESTS, *ELSEWHERE}


@cache
def _of_the_matrix() -> frozenset[str]:
    """The distributions that the group `examine` asks for by name."""
    groups = GROUPS["dependency-groups"]
    lines = [*groups["serve"], *(line for line in groups["examine"] if isinstance(line, str))]
    return frozenset(re.split(r"[>=<\[]", line)[0] for line in lines)


@cache
def _left_out() -> frozenset[str]:
    """The modules of distributions that the project or its group `dev` names, and `examine` does not."""
    named = {*GROUPS["project"]["dependencies"], *(one for one in GROUPS["dependency-groups"]["dev"])}
    absent = {re.split(r"[>=<\[]", line)[0] for line in named} - _of_the_matrix()
    return frozenset(
        module for module, owners in packages_distributions().items() if {*map(str.lower, owners)} & absent
    )


def _imported(path: Path) -> Iterator[str]:
    """What a file imports as it is imported; of a test or what supports tests, what its functions import too."""
    own = "tests" in path.parts
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            todo += node.orelse
        elif own or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += ast.iter_child_nodes(node)


def _files_of(module: str) -> Iterator[Path]:
    """The files of this repository that are run where a module is imported, its packages' among them."""
    parts = module.split(".")
    for root in ROOTS:
        for end in range(1, len(parts) + 1):
            place = root.joinpath(*parts[:end])
            yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())


def lacking(path: Path) -> set[str]:
    """What a file imports, by itself or by what it imports, that an environment of the matrix has not."""
    seen: set[Path] = set()
    found: set[str] = set()
    todo = [path]
    while todo:
        one = todo.pop()
        if one in seen:
            continue
        seen.add(one)
        for name in _imported(one):
            todo += _files_of(name)
            found |= {name.partition(".")[0]} & _left_out()
    return found


@pytest.mark.parametrize("name", [*CORE_TESTS, "bench.py"])
def test_what_the_matrix_runs_is_there_whole(name: str) -> None:
    """Nothing that the core's tests import, or the conformance suite, is missing from the group `examine`."""
    assert lacking(REPOSITORY / name) == set()


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    """A file that imports what draws lacks matplotlib, by itself or through a module of ours."""
    path = tmp_path / "test_x.py"
    path.write_text("import matplotlib.pyplot\nfrom loadtests import conductor\n")
    assert "matplotlib" in lacking(path)
    assert "matplotlib" in lacking(REPOSITORY / "reports" / "drawing.py")
