"""A run folder may come from a stranger, so it is foreign ground: what is read, written and believed in it is bounded.

Nothing in it is followed out of it, nothing is read that is no file or larger than a run's, and what it names is run
only where this user's own `run` has written it: programs, models and addresses stand in the journal's first line.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from experiment.errors import ExpectedError, usage
from servers.models.catalog import cache_dir

MOST_JOURNAL_BYTES: Final = 128 << 20
"""The journal of the plan `full` with every target has a tenth of it."""
MOST_SAMPLES_BYTES: Final = 256 << 20
"""One trial's: six million requests."""
MOST_NOTE_BYTES: Final = 32 << 20
"""Any other file that is read: a ladder, counts, a summary."""
MOST_ENTRIES: Final = 100_000
"""What may lie in a run folder; five times the samples of the most trials."""

BEGUN_HERE: Final = ".begun-here"
"""The file of a run folder that says, in a way that only this user's key can, who wrote the journal's first line."""
_KEY: Final = "own-runs.key"
_KEY_BYTES: Final = 32
_MOST_MARKS: Final = 1 << 16
_ONLY_REGULAR: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_NO_LINK: Final = "a run has files and folders of its own only: copy what it points to into its place, or remove it"


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
        stream = os.fdopen(os.open(path, os.O_RDONLY | _ONLY_REGULAR), "rb")
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
                stream.write(content.encode() if isinstance(content, str) else content)
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


def sign(folder: Path, header: bytes) -> None:
    """Note in `folder` that this user's harness wrote `header`, the journal's first line.

    Without a place for a key nothing is noted, and such a run is resumed as a stranger's is. Raises OSError.
    """
    try:
        key = _own_key()
    except OSError:
        return
    line = hmac.new(key, header, hashlib.sha256).hexdigest().encode() + b"\n"
    path = folder / BEGUN_HERE
    with naming(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _ONLY_REGULAR), "ab") as marks:
        # Several, where two runs tried to begin in one folder: only one of them has its journal there.
        marks.write(line)


def require_own(folder: Path, header: bytes, *, named: str) -> None:
    """Raise ExpectedError unless `header` was written by this user's harness; `named` says what it would run."""
    try:
        key, marks = _own_key(), read_file(folder / BEGUN_HERE, _MOST_MARKS).split()
    except OSError:
        key, marks = b"", []
    made = hmac.new(key, header, hashlib.sha256).hexdigest().encode()
    if not any(hmac.compare_digest(made, mark) for mark in marks):
        raise ExpectedError(
            f"{folder} was not begun here by you, or its first line was changed since; it names {named}",
            hint="where you trust all of these, add --trust-run",
            code=usage("").code,
        )


def _own_key() -> bytes:
    """This user's key, made where there is none. Raises OSError."""
    path = cache_dir() / _KEY
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{_KEY}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
        # The first of several to come so far gives it its key.
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise OSError(errno.EINVAL, "it is no key", str(path))
    return key
