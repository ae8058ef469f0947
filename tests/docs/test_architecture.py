"""What docs/architecture.md says of the house: files that are there, and arrows that imports obey."""

from __future__ import annotations

import re

from import_graph import REPOSITORY, layers

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
_PLACEHOLDER = "NAME"


def named_files(text: str) -> list[str]:
    """The paths in code style; a bare file name stands in the folder of the path before it."""
    found: list[str] = []
    for code in re.findall(r"`([\w./]+\.(?:py|toml|ini)|[\w./]+/)`", text):
        folder = found[-1].rpartition("/")[0] if found else ""
        found.append(code if "/" in code or (REPOSITORY / code).is_file() else f"{folder}/{code}")
    return found


def test_every_file_that_the_page_names_is_there() -> None:
    """A path on the page is a file or a folder of the repository."""
    named = [path for path in named_files(PAGE) if _PLACEHOLDER not in path]
    assert len(named) > 80
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_arrows_go_down_the_floors_that_are_held() -> None:
    """The picture has an arrow from each package to one below it, and to no other."""
    height = {package: -at for at, floor in enumerate(layers()) for package in floor}
    arrows = re.findall(r"^ *(\w+)(?:\[.*\])? --> (\w+)", PAGE, re.MULTILINE)
    assert {name for arrow in arrows for name in arrow} - {"bench"} == set(height)
    assert [arrow for arrow in arrows if height.get(arrow[0], 1) <= height[arrow[1]]] == []


def test_a_file_that_is_not_there_is_seen() -> None:
    """Paths, names beside a path and folders are all read off the page."""
    assert named_files("`servers/a.py`, `b.py` in `c/`, `tox.ini` and `run --x`") == [
        "servers/a.py",
        "servers/b.py",
        "c/",
        "tox.ini",
    ]
