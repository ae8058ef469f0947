"""The run's journal: one JSON object a line, flushed as it is written.

Writing and reading meet only in this file's format, so a killed run is readable and visibly partial, and a
report can be drawn again on another machine. The last line may be torn (the writer died inside it): the
reader leaves it out, and reopening for a resume cuts it off. Where a line cannot be written whole, none of it stays,
and for the line that says so room is kept.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, Self, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from experiment.foreign_ground import MOST_JOURNAL_BYTES, look_over, naming, plain_json, read_file
from experiment.journal_records import SCHEMA_VERSION, JournalRecord, RunRecord

FILE_NAME = "journal.jsonl"
PARTIAL = f".{FILE_NAME}."
"""How the name begins that a journal has until its first line is written."""
RESERVE: Final = f"{PARTIAL}reserve"
"""A file that takes the room of the journal's last line until that is written: the disk may be full by then."""
_RESERVED_BYTES: Final = 64 << 10
_MOST_LINE_BYTES: Final = 16 << 20

Decoded = TypeVar("Decoded")
Vouch: TypeAlias = Callable[[Path, bytes], None]


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
    # Half a character, of a command line in another encoding, stands as JSON's escape of it.
    return text.encode("utf-8", "backslashreplace") + b"\n"


class Journal:
    """The open journal of one run folder. One writer at a time, by a lock; every append is in the file at once.

    `torn_bytes` is the length of the torn line that reopening has cut off, `header` the bytes of the first line.
    """

    def __init__(self, path: Path, stream: IO[bytes], *, header: bytes, torn_bytes: int = 0) -> None:
        self.path = path
        self.header = header
        self.torn_bytes = torn_bytes
        self._stream = stream

    @classmethod
    def create(cls, folder: Path, header: RunRecord, vouch: Vouch | None = None) -> Journal:
        """A new journal in `folder` (made if missing) whose first line is `header`, for which `vouch` may leave a mark.

        Raises JournalError where a journal exists already: results are never overwritten; ExpectedError where something
        else is in the folder that no run writes, and OSError.
        """
        line = encode(header)
        folder.mkdir(parents=True, exist_ok=True)
        look_over(folder)
        path = folder / FILE_NAME
        if path.exists():
            raise JournalError(f"{path} exists already; resume it or choose another folder")
        partial = folder / f"{PARTIAL}{os.getpid()}"
        journal = cls(path, _locked(partial.open("wb", buffering=0), path), header=line)
        try:
            journal._write(line)
            if vouch:
                vouch(folder, line)
            journal._reserve()
            # Unlike an exclusive open it appears with its first line in it: whatever is there can be resumed.
            os.link(partial, path)
        except FileExistsError as error:
            journal.close()
            raise JournalError(f"{path} exists already; resume it or choose another folder") from error
        except OSError:
            journal.close()
            raise
        finally:
            partial.unlink()
        return journal

    @classmethod
    def reopen(cls, folder: Path) -> Journal:
        """The journal of `folder`, to append to. A torn last line is cut off first.

        Raises JournalError where there is none, and where another process has it open to write; ExpectedError where
        something is in the folder that no run writes, and OSError.
        """
        look_over(folder)
        path = folder / FILE_NAME
        try:
            stream = path.open("r+b", buffering=0)
        except FileNotFoundError as error:
            raise JournalError(f"{path} does not exist: there is no run to resume") from error
        _locked(stream, path)
        whole, torn = split_lines(read_file(path, MOST_JOURNAL_BYTES))
        if not whole:
            stream.close()
            raise JournalError(f"{path} has no whole line: there is no run to resume")
        length = sum(len(line) + 1 for line in whole)
        journal = cls(path, stream, header=whole[0] + b"\n", torn_bytes=len(torn))
        try:
            with naming(path):
                stream.truncate(length)
                stream.seek(length)
            journal._reserve()
        except OSError:
            journal.close()
            raise
        return journal

    def append(self, *records: JournalRecord) -> None:
        """Write records, several of them at once; they are in the file, each in one piece, when this returns.

        Raises OSError, with the path, where they cannot be; then nothing of them is.
        """
        self._write(b"".join(map(encode, records)))

    def end(self, record: JournalRecord) -> None:
        """Write the last record, for which room was kept, and close. Raises OSError where even that cannot be."""
        try:
            try:
                self.append(record)
            except OSError:
                (self.path.parent / RESERVE).unlink(missing_ok=True)
                self.append(record)
        finally:
            self.close()

    def _write(self, lines: bytes) -> None:
        with naming(self.path):
            before = self._stream.tell()
            try:
                left = memoryview(lines)
                while left:
                    left = left[self._stream.write(left) :]
            except OSError:
                # A part of a line in the middle would leave a journal that nobody reads.
                self._stream.truncate(before)
                self._stream.seek(before)
                raise

    def _reserve(self) -> None:
        path = self.path.parent / RESERVE
        path.unlink(missing_ok=True)
        with naming(path), path.open("xb", buffering=0) as stream:
            stream.write(bytes(_RESERVED_BYTES))

    def close(self) -> None:
        """Close the file, with its bytes on the disk."""
        if not self._stream.closed:
            with suppress(OSError):
                # Removed with the next resume, if not now.
                (self.path.parent / RESERVE).unlink(missing_ok=True)
            with naming(self.path), self._stream:
                os.fsync(self._stream.fileno())

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
        whole, _torn = split_lines(read_file(path, MOST_JOURNAL_BYTES))
    except FileNotFoundError as error:
        raise JournalError(f"{path} does not exist: this is not a run folder") from error
    if whole:
        _refuse_other_schema(path, whole[0])
    return [_decoded(path, number, line, _RECORD) for number, line in enumerate(whole, start=1)]


def _refuse_other_schema(path: Path, header: bytes) -> None:
    """Raise JournalError for a journal that no type here is meant for, before one of its lines is held against any."""
    opening = _decoded(path, 1, header, _OPENING)
    if opening.kind == "run" and opening.schema_version != SCHEMA_VERSION:
        raise JournalError(f"{path} has schema_version {opening.schema_version!r}; this reads {SCHEMA_VERSION}")


def _decoded(path: Path, number: int, line: bytes, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
    if len(line) > _MOST_LINE_BYTES:
        raise JournalError(f"{path}, line {number}: it has {len(line)} bytes; {_MOST_LINE_BYTES} is the most")
    try:
        return decoder.decode(plain_json(line))
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{path}, line {number}: {error}") from error
