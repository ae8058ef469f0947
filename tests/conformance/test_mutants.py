"""The faults that are planted: what is mutated, what is left alone, and that each is noticed where it should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import mutants

ROOT = Path(__file__).parents[2]
SOURCE = '''
"""A docstring."""
from typing import Final
LIMIT: Final = 8
PATTERN = "[a-z]\\\\Z"
def small(value: int) -> bool:
    """Another."""
    if value < LIMIT and value:
        return True
    raise ValueError("some prose")
'''


def _changes() -> set[tuple[str, str]]:
    return {(one.was, one.now) for one in mutants("a.py", SOURCE)}


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("LIMIT: Final = 8", "LIMIT: Final = 9"),
        ("LIMIT: Final = 8", "LIMIT: Final = 7"),
        ("PATTERN = '[a-z]\\\\Z'", "PATTERN = '[a-z]'"),
        ("if value < LIMIT and value:", "if value <= LIMIT and value:"),
        ("if value < LIMIT and value:", "if value < LIMIT or value:"),
        ("if value < LIMIT and value:", "if not (value < LIMIT and value):"),
        ("return True", "return False"),
        ("raise ValueError('some prose')", "pass"),
    ],
)
def test_each_kind_of_fault_is_planted(was: str, now: str) -> None:
    """Constants, patterns, comparisons, connectives, conditions, returns and raises are broken one at a time."""
    assert (was, now) in _changes()


def test_types_docstrings_imports_and_prose_are_left_alone() -> None:
    """What no client can see is not broken, and no mutant equals the original."""
    changes = _changes()
    assert not any("int" in was and was != now and "small" in was for was, now in changes)
    assert not any("prose" in now for _, now in changes)
    assert all(was != now for was, now in changes)


def test_every_mutant_compiles() -> None:
    """A mutant is a whole module that Python accepts."""
    for one in mutants("a.py", SOURCE):
        compile(one.source, one.file, "exec")


def test_excuses_are_for_mutants_that_exist() -> None:
    """Every equivalent mutant on the list is planted, and has a reason; one whose line has changed must go."""
    excuses = json.loads((ROOT / "tests" / "support" / "equivalent_mutants.json").read_text(encoding="utf-8"))
    files = {name.partition(": ")[0] for name in excuses}
    planted = {one.name for file in files for one in mutants(file, (ROOT / file).read_text(encoding="utf-8"))}
    assert set(excuses) <= planted
    assert all(len(reason) > 20 for reason in excuses.values())


def test_the_script_says_what_it_would_plant() -> None:
    """`--list` tries nothing and imports no server."""
    done = subprocess.run(
        [sys.executable, "tests/support/mutation.py", "--list", "--files", "servers/apps/bottle_app.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert "servers/apps/bottle_app.py" in done.stdout
    assert len(done.stdout.splitlines()) > 10
