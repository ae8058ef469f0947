"""What the documents say of the repository: files that are there, commands that parse, environments that tox has."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from servers.repository import REPOSITORY

PAGES = (
    *sorted(path for path in REPOSITORY.glob("*.md") if path.name != "CHANGELOG.md"),
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "deploy").glob("*.md")),
)
NAMES = [str(page.relative_to(REPOSITORY)) for page in PAGES]


def missing_links(text: str, folder: Path) -> list[str]:
    """Relative links of a page in that folder that lead to nothing."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [link for link in links if "://" not in link and not (folder / link).exists()]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `python bench.py ...` that a page shows as code, up to a comment, a pipe or a redirection."""
    shown = [*re.findall(r"`([^`\n]*)`", text), *re.sub(r"\\\n\s*", " ", text).splitlines()]
    for line in shown:
        if found := re.match(r"\s*python bench\.py\s*(.*)", line):
            yield shlex.split(re.split(r"\s[#|>&]|\s{3,}", found[1].replace("\\|", "|"))[0], comments=True)


def wrong_options(words: list[str]) -> list[str]:
    """What of a command line `bench.py` would not know: its verb, or an option of that verb."""
    words = [re.sub(r"[\[\]]", "", word) for word in words]
    verb = words[0] if words and not words[0].startswith("-") else "run"
    if not (REPOSITORY / "commands" / f"{verb}.py").is_file():
        return [verb]
    parser = argparse.ArgumentParser()
    import_module(f"commands.{verb}").add_arguments(parser)
    known = {option for action in parser._actions for option in action.option_strings}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


def tox_names(text: str) -> set[str]:
    """The environments that a page tells to run."""
    lists = re.findall(r"\btox (?:run-parallel |run |p |r )?-e ([a-z0-9,-]+)", text)
    return {name for one in lists for name in one.split(",") if name}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link of the page leads to a file or a folder of the repository."""
    page = REPOSITORY / name
    assert missing_links(page.read_text(encoding="utf-8"), page.parent) == []


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_ones_that_bench_knows(name: str) -> None:
    """Every verb and every option of a `bench.py` command on the page exists."""
    for words in commands((REPOSITORY / name).read_text(encoding="utf-8")):
        assert wrong_options(words) == [], words


def test_environments_are_ones_that_tox_has() -> None:
    """Every environment that a page tells to run is one that tox.ini makes, by name or by its factors."""
    named = set().union(*(tox_names(page.read_text(encoding="utf-8")) for page in PAGES))
    assert named
    command = [sys.executable, "-m", "tox", "config", "-k", "description", "-e", ",".join(sorted(named))]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert {name for name in named if f"[testenv:{name}]" in done.stdout} == named


def test_what_is_wrong_is_found(tmp_path: Path) -> None:
    """A link to nothing, a verb and an option that do not exist are each found; what is right is not."""
    assert missing_links("[a](b.md) [c](https://d) [e](#f)", tmp_path) == ["b.md"]
    assert [wrong_options(words) for words in commands("`python bench.py cheese` `python bench.py run --chese 1`")] == [
        ["cheese"],
        ["--chese"],
    ]
    assert [wrong_options(words) for words in commands("`python bench.py run --plan smoke\\|quick`")] == [[]]
    assert tox_names("`uv run tox -e lint,types` and `tox -m quick`") == {"lint", "types"}
