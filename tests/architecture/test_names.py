"""One name, one thing: no two public types are called alike, and no two modules."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from import_graph import product_files

from servers.registry import ENDPOINTS

_SAME_EVERYWHERE: Final = frozenset({"__init__", "__main__", "conftest"})
"""Python's and pytest's own names."""


def test_no_two_modules_have_one_name() -> None:
    """A module's name says which one it is. Only an endpoint's cases are called as the endpoint: so they are found."""
    assert set(_twice(_modules(product_files()))) <= set(ENDPOINTS)


def test_no_two_public_types_have_one_name() -> None:
    """A class or an alias of a type that others may import is the only one of its name."""
    assert set(_twice(_types(product_files()))) == set()


def test_a_name_used_twice_is_found(tmp_path: Path) -> None:
    """Two modules of one name are found, and a class and an alias of one name; what is private may repeat."""
    files = {
        "one/same.py": "class Noun: ...\nclass _Own: ...",
        "two/same.py": "from typing import Any\nNoun = dict[str, Any]\nNOUN = 1\nclass _Own: ...",
        "two/other.py": "from one.same import Noun",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    found = product_files(tmp_path, ("one", "two"))
    assert list(_twice(_modules(found))) == ["same"]
    assert list(_twice(_types(found))) == ["Noun"]


def _twice(named: Iterable[tuple[str, Path]]) -> Mapping[str, list[Path]]:
    places: dict[str, list[Path]] = defaultdict(list)
    for name, file in named:
        places[name].append(file)
    return {name: files for name, files in places.items() if len(files) > 1}


def _modules(files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    return ((file.stem, file) for file in files if file.stem not in _SAME_EVERYWHERE)


def _types(files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for file in files:
        for node in ast.parse(file.read_text()).body:
            name = _type_name(node)
            # An alias is written as a class is, a constant in capitals.
            if name[:1].isupper() and not name.isupper():
                yield name, file


def _type_name(node: ast.stmt) -> str:
    match node:
        case ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case _:
            return ""
