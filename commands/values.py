"""What an argument may be: read whole, once, to a typed value, or refused in one line before anything is started."""

from __future__ import annotations

import argparse
import errno
import math
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from addresses.address import AddressError, host_of, port_of
from experiment.errors import usage

LARGEST_SEED: Final = 2**63 - 1
_DIGITS: Final = 18


def whole(least: int, most: int) -> Callable[[str], int]:
    """Whole numbers within two bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(rf"-?[0-9]{{1,{_DIGITS + 1}}}", text) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{_shown(text)} is no whole number from {least} to {most}")
        return int(text)

    return read


def number(most: float) -> Callable[[str], float]:
    """Numbers above 0, up to a bound."""

    def read(text: str) -> float:
        plain = re.fullmatch(rf"[0-9]{{0,{_DIGITS}}}\.?[0-9]{{0,{_DIGITS}}}(?:e-?[0-9]{{1,3}})?", text)
        try:
            value = float(text) if plain else math.nan
        except ValueError:  # a point alone
            value = math.nan
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"{_shown(text)} is no number above 0, up to {most:g}")
        return value

    return read


seed = whole(0, LARGEST_SEED)


def path(text: str) -> Path:
    """Where a file or folder is, or may come to be."""
    _looked_at(text)
    return Path(text)


def source(text: str) -> Path:
    """What is read from. A device has no end."""
    found = _looked_at(text)
    if found is not None and (stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode)):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is a device")
    return Path(text)


def name_and_source(text: str) -> str:
    """`NAME=PATH`, whose path can be looked at; what NAME may be, its reader knows."""
    _, given, where = text.partition("=")
    if given:
        source(where)
    return text


def folder(text: str) -> Path:
    """A folder, there or not."""
    found = _looked_at(text)
    if found is not None and not stat.S_ISDIR(found.st_mode):
        raise argparse.ArgumentTypeError(f"{_shown(text)} is no folder")
    return Path(text)


def _looked_at(text: str) -> os.stat_result | None:
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    try:
        return os.stat(text)  # noqa: PTH116 - a path that is too long, too
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise argparse.ArgumentTypeError(f"{_shown(text)}: {error.strerror}") from error


def host(text: str) -> str:
    """The name or the address of a machine."""
    try:
        return host_of(text.removeprefix("[").removesuffix("]") if ":" in text else text)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def host_or_all(text: str) -> str:
    """The name or an address of this machine, or `*` for all of its addresses."""
    return text if text == "*" else host(text)


def port(text: str) -> int:
    """The number of a port."""
    return _port(text, least=1)


def port_or_any(text: str) -> int:
    """The number of a port, 0 for a free one."""
    return _port(text, least=0)


def _port(text: str, *, least: int) -> int:
    try:
        return port_of(text, least=least)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def readable(arguments: list[str]) -> list[str]:
    """The arguments of a command line, none of which breaks whatever it is written into. Raises ExpectedError."""
    for text in arguments:
        if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
            raise usage(f"{_shown(text)} is no text in UTF-8", hint="each argument is printed, and kept in the journal")
        if text.startswith("--") and text.endswith("=--"):
            # argparse makes an empty list of it, whatever the option's type.
            raise usage(f"{_shown(text)}: '--' is no value", hint="see `python3 bench.py --help`")
    return arguments


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
