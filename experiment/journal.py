"""The run's journal: one JSON object a line, flushed as it is written.

Writing and reading meet only in this file's format, so a killed run is readable and visibly partial, and a
report can be drawn again on another machine. The last line may be torn (the writer died inside it): the
reader leaves it out, and reopening for a resume cuts it off.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

import msgspec
from msgspec import Struct

from experiment.journal_records import SCHEMA_VERSION, JournalRecord, RunRecord

FILE_NAME = "journal.jsonl"
PARTIAL = f".{FILE_NAME}."
"""How the name begins that a journal has until its first line is written."""

Decoded = TypeVar("Decoded")


class JournalError(ValueError):
    """The journal cannot be read or written as one; the text names the file and the line."""


class _Opening(Struct):
    """What every schema's first line has."""

    kind: str | None = None
    schema_version: Any = None


_OPENING: Final = msgspec.json.Decoder(_Opening)
_RECORD: Final = msgspec.json.Decoder(JournalRecord)


def encode(record: JournalRecord) -> bytes:
    """One journal line: compact UTF-8 JSON and a newline.

    Raises JournalError for NaN and infinities: RFC 8259 section 6 has none, and msgspec itself would write null.
    """
    try:
        text = json.dumps(msgspec.to_builtins(record), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise JournalError(f"a {type(record).__name__} cannot be written: {error}") from error
    return text.encode() + b"\n"


class Journal:
    """The open journal of one run folder. One writer at a time, by a lock; every append is flushed.

    `torn_bytes` is the length of the torn line that reopening has cut off.
    """

    def __init__(self, path: Path, stream: IO[bytes], *, torn_bytes: int = 0) -> None:
        self.path = path
        self.torn_bytes = torn_bytes
        self._stream = stream

    @classmethod
    def create(cls, folder: Path, header: RunRecord) -> Journal:
        """A new journal in `folder` (made if missing) whose first line is `header`.

        Raises JournalError where a journal exists already: results are never overwritten.
        """
        line = encode(header)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE_NAME
        partial = folder / f"{PARTIAL}{os.getpid()}"
        journal = cls(path, _locked(partial.open("wb"), path))
        journal._write(line)
        try:
            # Unlike an exclusive open it appears with its first line in it: whatever is there can be resumed.
            os.link(partial, path)
        except FileExistsError as error:
            journal.close()
            raise JournalError(f"{path} exists already; resume it or choose another folder") from error
        finally:
            partial.unlink()
        return journal

    @classmethod
    def reopen(cls, folder: Path) -> Journal:
        """The journal of `folder`, to append to. A torn last line is cut off first.

        Raises JournalError where there is none, and where another process has it open to write.
        """
        path = folder / FILE_NAME
        try:
            stream = path.open("r+b")
        except FileNotFoundError as error:
            raise JournalError(f"{path} does not exist: there is no run to resume") from error
        whole, torn = split_lines(_locked(stream, path).read())
        length = sum(len(line) + 1 for line in whole)
        stream.truncate(length)
        stream.seek(length)
        return cls(path, stream, torn_bytes=len(torn))

    def append(self, *records: JournalRecord) -> None:
        """Write records, several of them at once; they are in the file, each in one piece, when this returns."""
        self._write(b"".join(map(encode, records)))

    def _write(self, line: bytes) -> None:
        self._stream.write(line)
        self._stream.flush()

    def close(self) -> None:
        """Close the file, with its bytes on the disk."""
        if not self._stream.closed:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _locked(stream: IO[bytes], path: Path) -> IO[bytes]:
    """The stream, with the lock of its one writer, which ends with the writer in whatever way that ends."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        stream.close()
        raise JournalError(f"{path} is being written: that run is still going on") from error
    return stream


def split_lines(content: bytes) -> tuple[list[bytes], bytes]:
    """The whole lines of `content`, and what follows the last newline (empty unless torn)."""
    *whole, rest = content.split(b"\n")
    return whole, rest


def read_records(folder: Path) -> list[JournalRecord]:
    """Every whole record of `folder`'s journal in the order written; a torn last line is left out.

    Raises JournalError, with the line's number and the place in it, where an earlier line is not a record.
    """
    path = folder / FILE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise JournalError(f"{path} does not exist: this is not a run folder") from error
    whole, _torn = split_lines(content)
    if whole:
        _refuse_other_schema(path, whole[0])
    return [_decoded(path, number, line, _RECORD) for number, line in enumerate(whole, start=1)]


def _refuse_other_schema(path: Path, header: bytes) -> None:
    """Raise JournalError for a journal that no type here is meant for, before one of its lines is held against any."""
    opening = _decoded(path, 1, header, _OPENING)
    if opening.kind == "run" and opening.schema_version != SCHEMA_VERSION:
        raise JournalError(f"{path} has schema_version {opening.schema_version!r}; this reads {SCHEMA_VERSION}")


def _decoded(path: Path, number: int, line: bytes, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
    try:
        return decoder.decode(line)
    except msgspec.DecodeError as error:
        raise JournalError(f"{path}, line {number}: {error}") from error
