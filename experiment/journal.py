"""The run's journal: one JSON object a line, flushed as it is written, and the reader of a run folder.

Writing and reading meet only in this file's format, so a killed run is readable and visibly partial, and a
report can be drawn again on another machine. The last line may be torn (the writer died inside it): the
reader leaves it out, and reopening for a resume cuts it off. What a resumed run begins anew counts once: its `resumed`
record names the places whose earlier trials no longer count.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from experiment import fields
from experiment.attempts import last_begun, without_void
from experiment.measured import LINE
from experiment.records import (
    Capacity,
    Comparison,
    Gate,
    Launch,
    Parity,
    RecordError,
    Refusal,
    Run,
    Scenario,
    Target,
    Trial,
)
from experiment.thinning import kept_every

if TYPE_CHECKING:
    from types import TracebackType

FILE_NAME = "journal.jsonl"
SCHEMA_VERSION = 1
PARTIAL = f".{FILE_NAME}."
"""How the name begins that a journal has until its first line is written."""

KINDS = frozenset(
    {"run", "generator", "launch", "gate", "parity", "refused", "begun", "trial", "capacity", "resumed", "end"}
)


class JournalError(ValueError):
    """The journal cannot be read or written as one; the text names the file and the line."""


def _refuse_constant(name: str) -> float:
    raise JournalError(f"{name} is not a JSON number")


def encode(record: Mapping[str, Any]) -> bytes:
    """One journal line: compact UTF-8 JSON and a newline.

    Raises JournalError for NaN and infinities (RFC 8259 section 6 has none) and for a kind that is not known.
    """
    if record.get("kind") not in KINDS:
        raise JournalError(f"unknown kind of record: {record.get('kind')!r}")
    try:
        text = json.dumps(record, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise JournalError(f"a {record['kind']} record cannot be written: {error}") from error
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
    def create(cls, folder: Path, header: Mapping[str, Any]) -> Journal:
        """A new journal in `folder` (made if missing) whose first line is the `run` record `header`.

        Raises JournalError where a journal exists already: results are never overwritten.
        """
        if header.get("kind") != "run" or header.get("schema_version") != SCHEMA_VERSION:
            raise JournalError(f"a journal starts with a run record of schema_version {SCHEMA_VERSION}")
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

    def append(self, *records: Mapping[str, Any]) -> None:
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Every whole record of `folder`'s journal in the order written; a torn last line is left out.

    Raises JournalError with the line's number where an earlier line is not a record.
    """
    path = folder / FILE_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise JournalError(f"{path} does not exist: this is not a run folder") from error
    whole, _torn = split_lines(content)
    records: list[dict[str, Any]] = []
    for number, line in enumerate(whole, start=1):
        try:
            record = json.loads(line, parse_constant=_refuse_constant)
        except ValueError as error:
            raise JournalError(f"{path}, line {number}: {error}") from error
        if not isinstance(record, dict) or record.get("kind") not in KINDS:
            raise JournalError(f"{path}, line {number}: not a journal record")
        records.append(record)
    return records


def read_run(folder: Path) -> Run:
    """The run in `folder`. Where a resumed run measured a place again, only that counts.

    Raises JournalError where the folder holds no journal, or a broken one.
    """
    records = read_records(folder)
    if not records or records[0]["kind"] != "run":
        raise JournalError(f"{folder / FILE_NAME} does not start with a run record")
    header = records[0]
    version = header.get("schema_version")
    if version != SCHEMA_VERSION:
        raise JournalError(f"{folder / FILE_NAME} has schema_version {version!r}; this reads {SCHEMA_VERSION}")
    # Every figure of a report is traced to the lines that it came from.
    numbered = [record | {LINE: number} for number, record in enumerate(records, start=1)]
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for record in numbered:
        by_kind[record["kind"]].append(record)
    last = numbered[-1]
    try:
        by_kind["trial"] = without_void(numbered)
        trials = [Trial.from_json(record) for record in by_kind["trial"]]
        launches = [Launch.from_json(record) for record in by_kind["launch"]]
        gates = [Gate.from_json(record) for record in by_kind["gate"]]
        parities = [Parity.from_json(record) for record in by_kind["parity"]]
        capacities = [Capacity.from_json(record) for record in by_kind["capacity"]]
        refusals = [Refusal.from_json(record) for record in by_kind["refused"]]
        return Run(
            folder=folder,
            run_id=str(header["run_id"]),
            plan=str(header["plan"]),
            seed=int(header["seed"]),
            started_utc=str(header["started_utc"]),
            blocks=int(header["blocks"]),
            slice_s=header.get("slice_s"),
            targets=tuple(Target.from_json(entry) for entry in header["targets"]),
            scenarios=tuple(Scenario.from_json(entry) for entry in header["scenarios"]),
            comparisons=tuple(Comparison.from_json(entry) for entry in header["comparisons"]),
            not_run=tuple(header.get("not_run", ())),
            model=header.get("model") or {},
            environment=header.get("environment", {}),
            command=tuple(header.get("command", ())),
            generator=by_kind["generator"][-1] if by_kind["generator"] else {},
            launches=tuple({(one.block, one.target): one for one in launches}.values()),
            gates=tuple({(one.block, one.target): one for one in gates}.values()),
            parities=tuple({(one.block, one.targets): one for one in parities}.values()),
            refusals=tuple({(one.block, one.target): one for one in refusals}.values()),
            trials=tuple({(one.block, one.target, one.scenario): one for one in trials}.values()),
            capacities=tuple({(one.block, one.target, one.endpoint): one for one in capacities}.values()),
            slo=header.get("slo"),
            expect_workers=header.get("expect_workers"),
            kept_every=kept_every(folder),
            price_per_core_hour=fields.number(header, "price_per_core_hour"),
            begun=last_begun(records),
            resumptions=tuple(by_kind["resumed"]),
            # Records after an end mean that a resumed run is not over.
            end=last if last["kind"] == "end" else None,
        )
    except (KeyError, TypeError, RecordError) as error:
        raise JournalError(f"{folder / FILE_NAME} is broken: {error}") from error
