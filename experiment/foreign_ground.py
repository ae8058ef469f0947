"""A run folder may come from a stranger, so it is foreign ground: what is read, written and believed in it is bounded.

Nothing in it is followed out of it, and nothing is read that is no file or larger than a run's. What it names is run
only where `experiment.own_runs` says so.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

from experiment.errors import usage

MOST_JOURNAL_BYTES: Final = 128 << 20
"""The journal of the plan `full` with every target has a tenth of it."""
MOST_SAMPLES_BYTES: Final = 256 << 20
"""One trial's: six million requests."""
MOST_NOTE_BYTES: Final = 32 << 20
"""Any other file that is read: a ladder, counts, a summary."""
BEGUN_HERE: Final = ".begun-here"
"""The file in it that tells who wrote the first line of its journal."""
MOST_ENTRIES: Final = 100_000
"""What may lie in a run folder; five times the samples of the most trials."""

ONLY_REGULAR: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Flags of an open that follows no link and waits for nobody."""
_NO_LINK: Final = "a run has files and folders of its own only: copy what it points to into its place, or remove it"


_STEERING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters but tab and newline, what turns or hides text (Unicode's category Cf), halves of characters."""
_PERHAPS_STEERING: Final = re.compile(
    rb"\\u00[01789]|\\u06|\\u20|\\u[dD]|\\u[fF][eEfF]|\\[bfr]"
    rb"|[\x7f]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xef\xbf[\xb9-\xbb]"
)
"""What JSON text has where a string in it may have one of these."""

_PERHAPS_EXTREME: Final = re.compile(rb"[0-9][eE][+-]?[0-9]{3}|(?<![0-9.])[0-9]{20}")
_MOST: Final = 1e100
_MOST_DIGITS: Final = 20


def plain(text: str) -> str:
    """The text with an escape for each character that would steer a terminal, or hide what is there."""
    return _STEERING.sub(lambda found: escaped(found[0]), text)


def escaped(text: str) -> str:
    """As JSON escapes characters: in pieces of UTF-16."""
    pieces = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in zip(pieces[::2], pieces[1::2], strict=True))


def plain_json(line: bytes) -> bytes:
    """A line of JSON whose strings are plain and whose figures are finite when squared. Raises ValueError."""
    if not _PERHAPS_STEERING.search(line) and not _PERHAPS_EXTREME.search(line):
        return line
    found = json.loads(line, parse_int=_whole, parse_float=_number)
    return json.dumps(_plainly(found), ensure_ascii=False, separators=(",", ":")).encode()


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"{text[:40]} is larger than any figure of a run")
    return int(text)


def _number(text: str) -> float:
    found = float(text)
    if found and not 1 / _MOST <= abs(found) <= _MOST:
        raise ValueError(f"{text[:40]} is larger or smaller than any figure of a run")
    return found


def _plainly(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list):
        return [_plainly(inner) for inner in value]
    if isinstance(value, dict):
        return {plain(name): _plainly(inner) for name, inner in value.items()}
    return value


def look_over(folder: Path) -> None:
    """Raise ExpectedError where `folder` holds what no run writes there and what leads out of it or never ends.

    Links, pipes, sockets and devices, wherever in it. A folder that is not there holds nothing.
    """
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise usage(f"{folder} is not a folder", hint="a run is a folder, as `bench.py run` printed it")
    except FileNotFoundError:
        return
    left, entries = [folder], 0
    while left:
        with os.scandir(left.pop()) as found:
            for entry in found:
                entries += 1
                if entries > MOST_ENTRIES:
                    raise usage(f"{folder} holds over {MOST_ENTRIES} files", hint="that is more than a run writes")
                if entry.is_dir(follow_symlinks=False):
                    left.append(Path(entry.path))
                elif not entry.is_file(follow_symlinks=False):
                    kind = "a symbolic link" if entry.is_symlink() else "no file"
                    raise usage(f"{entry.path} is {kind}", hint=_NO_LINK)


@contextmanager
def opened_file(path: Path, most_bytes: int) -> Iterator[IO[bytes]]:
    """A file, open to read. Raises ExpectedError for what is none or is larger, and OSError, with its path."""
    try:
        stream = os.fdopen(os.open(path, os.O_RDONLY | ONLY_REGULAR), "rb")
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise usage(f"{path} is a symbolic link", hint=_NO_LINK) from error
        raise
    with stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise usage(f"{path} is no file", hint=_NO_LINK)
        if found.st_size > most_bytes:
            raise usage(f"{path} has {found.st_size} bytes; {most_bytes} is the most", hint="no run writes so many")
        with naming(path):
            yield stream


def read_file(path: Path, most_bytes: int = MOST_NOTE_BYTES) -> bytes:
    """All of a file. Raises as `opened_file` does."""
    with opened_file(path, most_bytes) as stream:
        # A file that grows meanwhile is read no further than it was allowed to be.
        return stream.read(most_bytes)


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file that appears whole or not at all, in place of whatever has its name. Raises OSError."""
    partial = path.with_name(path.name + ".partial")
    with naming(path):
        # What lies there, a link perhaps, is removed and not written to: an exclusive open follows none.
        partial.unlink(missing_ok=True)
        try:
            with partial.open("xb") as stream:
                stream.write(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def own_folder(path: Path) -> Path:
    """A folder inside of one that is written to, made if missing. Raises ExpectedError for a link, and OSError."""
    if path.is_symlink():
        raise usage(f"{path} is a symbolic link", hint=_NO_LINK)
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an OSError say which path it is about: the system calls that write know none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise
