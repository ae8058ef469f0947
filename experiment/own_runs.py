"""Whose run goes on: what a journal's first line names is run only where this user's own harness wrote that line.

Interpreters, models and addresses stand there, and whoever has the folder can change them. So a run has a mark beside
its journal that only this user's key makes of that line.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from experiment.errors import USAGE, ExpectedError
from experiment.foreign_ground import BEGUN_HERE, ONLY_REGULAR, naming, read_file
from servers.models.catalog import cache_dir

_KEY: Final = "own-runs.key"
_KEY_BYTES: Final = 32
_MOST_MARKS: Final = 1 << 16


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
    with (
        naming(path),
        os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | ONLY_REGULAR, 0o644), "ab") as marks,
    ):
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
            code=USAGE,
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
