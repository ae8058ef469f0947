"""What the documents say of the repository: files that are there, commands that parse, environments that tox has."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from import_graph import layers

from servers.repository import REPOSITORY

PAGES = (
    *sorted(path for path in REPOSITORY.glob("*.md") if path.name != "CHANGELOG.md"),
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "deploy").glob("*.md")),
)
INSTALLERS = ("pip", "uv")
"""What brings the rest, and need not be among it."""
NAMES = [str(page.relative_to(REPOSITORY)) for page in PAGES]


def missing_links(text: str, folder: Path) -> list[str]:
    """Relative links of a page in that folder that lead to nothing."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [link for link in links if "://" not in link and not (folder / link).exists()]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `python3 bench.py ...` that a page shows as code, up to a comment, a pipe or a redirection."""
    shown = [*re.findall(r"`([^`\n]*)`", text), *re.sub(r"\\\n\s*", " ", text).splitlines()]
    for line in shown:
        if found := re.match(r"\s*(?:python3? |\./)bench\.py\s*(.*)", line):
            yield shlex.split(re.split(r"\s[#|>&]|\s{3,}", found[1].replace("\\|", "|"))[0], comments=True)


def wrong_options(words: list[str]) -> list[str]:
    """What of a command line `bench.py` would not know: its verb, or an option of that verb."""
    words = [re.sub(r"[\[\]]", "", word) for word in words]
    verb = words[0] if words and not words[0].startswith("-") else "run"
    if not (REPOSITORY / "commands" / f"{verb}.py").is_file():
        return [verb]
    parser = argparse.ArgumentParser(allow_abbrev=False)
    import_module(f"commands.{verb}").add_arguments(parser)
    known = {option for action in parser._actions for option in action.option_strings}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


def module_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """The module and the words after it of every `python -m ...` on a page, up to a comment or what a shell joins."""
    for module, rest in re.findall(r"\bpython3? -m ([\w.]+)([^`\n#|>&]*)", re.sub(r"\\\n\s*", " ", text)):
        yield module, shlex.split(rest)


@cache
def _help_of(module: str) -> str:
    """What a module of this repository says to `--help`; "" where it takes no options."""
    path = REPOSITORY.joinpath(*module.split("."))
    source = (path / "__main__.py") if path.is_dir() else path.with_suffix(".py")
    if "add_argument(" not in source.read_text(encoding="utf-8"):
        return ""
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout


def wrong_module(module: str, words: list[str]) -> list[str]:
    """What of a `python -m` command does not exist: the module, or an option of one of this repository's."""
    path = REPOSITORY.joinpath(*module.split("."))
    if not (REPOSITORY / module.partition(".")[0]).is_dir():
        return [] if module in INSTALLERS or find_spec(module) else [module]
    if not (path / "__main__.py").is_file() and not path.with_suffix(".py").is_file():
        return [module]
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in _help_of(module).split()]


def locust_options(text: str) -> set[str]:
    """The long options of every `locust -f loadtests/locustfile.py ...` on a page."""
    lines = re.findall(r"^\S*locust -f loadtests/locustfile\.py(.*)$", re.sub(r"\\\n\s*", " ", text), re.MULTILINE)
    return {word for line in lines for word in shlex.split(line) if word.startswith("--")}


def tox_names(text: str) -> set[str]:
    """The environments that a page tells to run."""
    lists = re.findall(r"\b(?:tox|bench\.py test) (?:run-parallel |run |p |r )?-e ([a-z0-9,-]+)", text)
    return {name for one in lists for name in one.split(",") if name}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of the page leads to a file or a folder of the repository."""
    page = REPOSITORY / name
    assert missing_links(page.read_text(encoding="utf-8"), page.parent) == []


def test_the_methodology_is_short_enough_to_be_read() -> None:
    """1500 words; what was measured on the way, and why, is in docs/design-notes.md."""
    assert len((REPOSITORY / "docs" / "methodology.md").read_text(encoding="utf-8").split()) <= 1500


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_ones_that_bench_knows(name: str) -> None:
    """Every verb and every option of a `bench.py` command on the page exists."""
    for words in commands((REPOSITORY / name).read_text(encoding="utf-8")):
        assert wrong_options(words) == [], words


@pytest.mark.parametrize("name", NAMES)
def test_modules_that_are_run_exist(name: str) -> None:
    """Every module that the page runs with `python -m` is there, and so is every option that it is given."""
    for module, words in module_commands((REPOSITORY / name).read_text(encoding="utf-8")):
        assert wrong_module(module, words) == [], module


def test_options_of_locust_are_its_own_or_those_of_our_file() -> None:
    """Locust's help has its own; the file's are in the table of the page that tells of it."""
    page = (REPOSITORY / "docs" / "locust.md").read_text(encoding="utf-8")
    shown = locust_options(page)
    assert {"--host", "--headless", "--csv"} <= shown
    its_own = subprocess.run(
        [sys.executable, "-m", "locust", "--help"], capture_output=True, text=True, check=True
    ).stdout
    file = (REPOSITORY / "loadtests" / "locustfile.py").read_text(encoding="utf-8")
    ours = set(re.findall(r'"(--[a-z-]+)"', file[file.index("def add_options") :]))
    assert shown - set(re.findall(r"--[a-z-]+", its_own)) - ours == set()
    assert ours - {"--seed"} <= set(re.findall(r"--[a-z-]+", page))


def test_environments_are_ones_that_tox_has() -> None:
    """Every environment that a page tells to run is one that tox.ini makes, by name or by its factors."""
    named = set().union(*(tox_names(page.read_text(encoding="utf-8")) for page in PAGES))
    assert named
    command = [sys.executable, "-m", "tox", "config", "-k", "description", "-e", ",".join(sorted(named))]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert {name for name in named if f"[testenv:{name}]" in done.stdout} == named


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """A link to nothing, a verb, a module and an option that do not exist are each found; what is right is not."""
    assert missing_links("[a](b.md) [c](https://d) [e](#f)", tmp_path) == ["b.md"]
    assert [
        wrong_options(words) for words in commands("`python3 bench.py cheese` `python3 bench.py run --chese 1`")
    ] == [
        ["cheese"],
        ["--chese"],
    ]
    assert [wrong_options(words) for words in commands("`python3 bench.py run --plan smoke\\|quick`")] == [[]]
    shown = (
        "`python -m matrix.cheese` `python -m matrix.examine x --chese` python3 -m pip install uv && python3 -m uv run"
    )
    assert [wrong_module(*one) for one in module_commands(shown)] == [["matrix.cheese"], ["--chese"], [], []]
    assert [wrong_module(*one) for one in module_commands("python -m matrix.examine NAME \\\n  --out DIR")] == [[]]
    assert wrong_module("chese", []) == ["chese"]
    assert tox_names("`uv run tox -e lint` and `bench.py test -e types`, `tox -m quick`") == {"lint", "types"}


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
