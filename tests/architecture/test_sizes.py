"""Files that one can hold in one's head: 300 lines at most, or a reason in the docstring."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from import_graph import product_files

LONGEST: Final = 300

REASON: Final = "One file, because "
"""How the docstring's sentence begins that says why a file is longer."""


def test_no_file_is_long_without_a_reason() -> None:
    """A file of product code has at most 300 lines, or its docstring says why it is one file."""
    assert [str(file) for file in product_files() if _is_too_long(file)] == []


def test_a_long_file_is_found(tmp_path: Path) -> None:
    """A file of 301 lines is found; one of 300 is not, and neither is one that gives its reason."""
    lines = "x = 1\n" * (LONGEST - 1)
    for name, text in {
        "long.py": f'"""A noun."""\n{lines}x = 2\n',
        "short.py": f'"""A noun."""\n{lines}',
        "reasoned.py": f'"""A noun.\n\n{REASON}the numbers belong together.\n"""\n{lines}',
    }.items():
        (tmp_path / name).write_text(text)
    assert [file.name for file in sorted(tmp_path.iterdir()) if _is_too_long(file)] == ["long.py"]


def _is_too_long(file: Path) -> bool:
    text = file.read_text()
    return len(text.splitlines()) > LONGEST and REASON not in (ast.get_docstring(ast.parse(text)) or "")
