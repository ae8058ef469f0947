"""Who imports whom: floors that only look down, and no two files that need each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from import_graph import REPOSITORY, Graph, circle, import_graph, layers, packages, programs, upward


@pytest.fixture(name="graph", scope="module")
def _graph() -> Graph:
    return import_graph()


def test_no_two_files_import_each_other(graph: Graph) -> None:
    """There is no circle of imports between files, those for type checkers and those inside functions included."""
    assert circle(graph) == []


def test_no_import_runs_up_a_floor_or_to_a_neighbour(graph: Graph) -> None:
    """Every import between packages goes down the floors that pyproject.toml lists; nobody imports a program."""
    assert [one for one in upward(graph, layers()) if one.partition(" -> ")[0] not in programs()] == []
    assert programs() == {"loadtests.locustfile"}
    assert not any(programs() & imported for imported in graph.values())


def test_every_package_has_a_floor() -> None:
    """A package of product code that is new is put on a floor, and import-linter is told of it."""
    found = {file.parent.name for file in REPOSITORY.glob("*/__init__.py")} - {"tests"}
    assert found == set(packages()) == {name for floor in layers() for name in floor}


@pytest.mark.parametrize(
    "imported", ["import low.b", "from low import b", "from low.b import noun", "if TYPE_CHECKING:\n    import low.b"]
)
def test_a_circle_is_found(tmp_path: Path, imported: str) -> None:
    """A circle between two files is found, in whatever form one of them imports the other."""
    _write(tmp_path, {"low/a.py": imported, "low/b.py": "def late():\n    from low.a import verb\n", "high/c.py": ""})
    assert set(circle(import_graph(tmp_path, ("high", "low")))) == {"low.a", "low.b"}


@pytest.mark.parametrize(
    ("importer", "imported"), [("low/a.py", "high.c"), ("low/a.py", "beside.d"), ("beside/d.py", "low.a")]
)
def test_an_import_that_runs_up_or_sideways_is_found(tmp_path: Path, importer: str, imported: str) -> None:
    """An import of a higher floor, or of another package on the same one, is found; one that goes down is not."""
    files = {"low/a.py": "", "beside/d.py": "", "high/c.py": "import low.a, beside.d"}
    _write(tmp_path, files | {importer: f"import {imported}"})
    graph = import_graph(tmp_path, ("high", "low", "beside"))
    assert upward(graph, (("high",), ("low", "beside"))) == [
        f"{importer.removesuffix('.py').replace('/', '.')} -> {imported}"
    ]


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


def _helped_by(file: Path) -> list[str]:
    """The files of tests that a file of tests imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    named += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return [name for name in named if name.rpartition(".")[2].startswith("test_")]


def test_no_file_of_tests_imports_another(tmp_path: Path) -> None:
    """What tests share is in tests/support, so that a file of tests can be read, moved and run by itself."""
    files = sorted((REPOSITORY / "tests").rglob("*.py"))
    assert {file.name: found for file in files if (found := _helped_by(file))} == {}
    (tmp_path / "test_x.py").write_text("from test_y import z\nimport test_w\nimport tested\n")
    assert _helped_by(tmp_path / "test_x.py") == ["test_y", "test_w"]
