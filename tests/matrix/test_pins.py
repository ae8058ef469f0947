"""Lower bounds: each is one that the environment `lowest` has passed with, and the groups repeat them rightly."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from matrix.environments import bounds, is_release
from servers.repository import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
VERSIONS = REPOSITORY / "docs" / "versions.md"


def vouched(text: str) -> dict[str, str]:
    """The lowest versions that the page says have passed."""
    below = text.partition("## The lowest versions")[2]
    return dict(re.findall(r"^\| ([a-z0-9-]+) \| ([0-9][^ |]*) \|$", below, re.MULTILINE))


def unvouched(floors: dict[str, str], passed: dict[str, str]) -> list[str]:
    """Bounds that nobody has seen to work."""
    return [name for name, floor in floors.items() if not is_release(passed.get(name, ""), floor)]


def test_every_lower_bound_has_been_passed_with() -> None:
    """What pyproject.toml allows at the lowest is what `lowest` resolved to and passed with, package for package."""
    assert unvouched(bounds(), vouched(VERSIONS.read_text(encoding="utf-8"))) == []


def _lowered(floor: str) -> str:
    """The minor release before, or the major one where there is none."""
    parts = [int(part) for part in floor.split(".")][:2]
    if len(parts) == 2 and parts[1]:
        return f"{parts[0]}.{parts[1] - 1}"
    return str(parts[0] - 1)


@pytest.mark.parametrize("name", bounds())
def test_a_bound_that_is_lowered_by_a_minor_release_fails(name: str) -> None:
    """Each bound, lowered by one minor release, is one that the page does not vouch for."""
    floors = bounds()
    passed = vouched(VERSIONS.read_text(encoding="utf-8"))
    assert unvouched(floors | {name: _lowered(floors[name])}, passed) == [name]


def test_a_dependency_without_a_bound_is_an_error(tmp_path: Path) -> None:
    """A line with no lower bound, or with another kind, is not passed over."""
    for line in ("flask", "flask==3.1"):
        (tmp_path / "p.toml").write_text(f'[project]\ndependencies = ["{line}"]\n', encoding="utf-8")
        with pytest.raises(ValueError, match="lower bound"):
            bounds(tmp_path / "p.toml")


def test_a_group_repeats_the_bounds_of_the_project() -> None:
    """What a server needs is in the project's own list, or in its extras, word for word."""
    known = {*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["lite"]}
    assert set(PROJECT["dependency-groups"]["serve"]) <= known
    examine = [line for line in PROJECT["dependency-groups"]["examine"] if isinstance(line, str)]
    assert set(examine) <= known | set(PROJECT["dependency-groups"]["dev"])


def test_a_served_target_needs_no_generator() -> None:
    """Neither Locust nor matplotlib is in the group that `--server-python` environments have."""
    names = {re.split(r"[>=<\[]", line)[0] for line in PROJECT["dependency-groups"]["serve"]}
    assert not names & {"locust", "matplotlib", "scipy", "pytest", "httptools"}
