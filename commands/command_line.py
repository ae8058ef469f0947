"""What a command line is read by: options in full only, errors in one line and a hint, help as wide as the terminal."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from itertools import groupby
from typing import Any, Final, NoReturn

from experiment.errors import usage

_NARROWEST: Final = 20
"""What wraps at fewer columns than this is no longer read."""

_NOTE: Final = " " * 6
"""How far in the second line of an example stands."""


class CommandLine(argparse.ArgumentParser):
    """A parser of `bench.py`'s. No abbreviations: `--scenario`, for `--scenarios`, would start a run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": WrappedHelp, "allow_abbrev": False, **options})
        self.given: set[str] = set()
        for name in (None, "store"):
            self.register("action", name, _StoredOnce)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Begins with no option given."""
        self.given.clear()
        return super().parse_known_args(args, namespace)

    def read(self, words: Sequence[str], verbs: Mapping[str, argparse.ArgumentParser]) -> argparse.Namespace:
        """What the words say. Raises ExpectedError for what cannot be, where argparse would print half its help."""
        found: argparse.Namespace
        found, unknown = self.parse_known_args(words)
        if unknown:
            parser = verbs.get(found.verb, self)
            kind = "option" if unknown[0].startswith("-") else "argument"
            near = get_close_matches(unknown[0].partition("=")[0], parser._option_string_actions, n=1)  # noqa: SLF001 - argparse has no other list of them
            raise usage(
                f"unknown {kind} {unknown[0]!r}",
                hint=f"did you mean {near[0]}?" if near else f"see `python {parser.prog} --help`",
            )
        return found

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found, in our words."""
        choice = re.fullmatch(r"argument ([^:]+): invalid choice: (\S+) \(choose from (.*)\)", message)
        if choice:
            message = f"unknown {choice[1]} {choice[2]}; choose from {choice[3].replace(chr(39), '')}"
        raise usage(message.removeprefix("argument "), hint=f"see `python {self.prog} --help`")


class _StoredOnce(argparse.Action):
    """An option that is an error when it is given again, where the last one would win in silence."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if option_string is not None and isinstance(parser, CommandLine):
            if self.dest in parser.given:
                parser.error(f"{option_string} is given twice")
            parser.given.add(self.dest)
        setattr(namespace, self.dest, values)


class WrappedHelp(argparse.HelpFormatter):
    """Help that is wrapped at blanks, and nowhere else, to the width of the terminal."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return _wrapped(" ".join(text.split()), width)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Prose by paragraphs, examples line by line: where one of them is too wide, all have their notes below."""
        lines = text.splitlines()
        too_wide = any(len(line) > width for line in lines if line.startswith(" "))
        filled = []
        for is_prose, group in groupby(lines, key=lambda line: line[:1] not in ("", " ") and not line.endswith(":")):
            if is_prose:
                filled += _wrapped(" ".join(group), width)
            else:
                filled += [part for line in group for part in (_example(line, width) if too_wide else [line])]
        return "\n".join(indent + line for line in filled)


def _wrapped(text: str, width: int, first: str = "", further: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        max(width, _NARROWEST),
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _example(line: str, width: int) -> list[str]:
    """A command, broken as a shell takes it, and under it what it does."""
    if not line.startswith(" "):
        return [line]
    command, _, note = line.strip().partition("   ")
    if line.startswith(" " * _NARROWEST):  # what the command above it does
        command, note = "", command
    lines = _wrapped(command, width - 2, "  ", _NOTE)
    return [f"{one} \\" for one in lines[:-1]] + lines[-1:] + _wrapped(note.strip(), width, _NOTE, _NOTE)
