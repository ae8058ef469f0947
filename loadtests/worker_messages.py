"""What a master and its workers say to each other, as custom messages over Locust's own channel.

Every message but the first carries the `tag` of what it belongs to, so that an answer that comes too late answers
nothing else. The channel knows no password and encrypts nothing, as Locust's never does.

| word       | from   | says                                                                       |
|------------|--------|----------------------------------------------------------------------------|
| `hello`    | worker | host, digest of its code, calibration, once it is connected                |
| `ping`     | master | asks for the worker's clock; answered at once, by `pong`                   |
| `trial`    | master | an order and the worker's segment of its load; answered by `ready`         |
| `probe`    | master | one exchange with one target; answered by `probed`                         |
| `prepare`  | master | the next slice; answered by `ready` when connections are open              |
| `run`      | master | when it opens, by the worker's clock; answered by many `rows`, and `done`  |
| `end`      | master | the trial is over: stop the users                                          |
| `refused`  | master | the worker runs other code, and is to leave                                |
| `fault`    | worker | what went wrong there, with the traceback                                  |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from loadtests.clock_offsets import ClockOffset
from loadtests.runner import LostWorkerError, SliceResult, shifted
from loadtests.samples import ROW

PREFIX = "titrate_"
TO_WORKER = ("ping", "trial", "probe", "prepare", "run", "end", "refused")
TO_MASTER = ("hello", "pong", "ready", "probed", "rows", "done", "fault")

SAME_CODE = "check out the same commit on both, without changes in loadtests/ or addresses/"
"""What helps where the two digests differ."""

CHUNK_BYTES = 25_000 * ROW.itemsize
"""About a megabyte: heartbeats have to get through between two messages."""


def code_digest() -> str:
    """What both sides must have in common: the generator's code, which decides how a sample comes about."""
    found = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted([*here.glob("*.py"), *(here.parent / "addresses").glob("*.py")]):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def pack(result: SliceResult) -> Iterator[tuple[str, dict[str, Any]]]:
    """The messages that bring a slice's result to the master."""
    rows = result.rows
    for at in range(0, len(rows), CHUNK_BYTES):
        yield "rows", {"rows": rows[at : at + CHUNK_BYTES]}
    told = msgspec.to_builtins(msgspec.structs.replace(result, rows=b""))
    yield "done", {"bytes": len(rows), "sha256": hashlib.sha256(rows).digest(), "result": told}


def unpack(chunks: Sequence[bytes], done: Mapping[str, Any], clock: ClockOffset) -> SliceResult:
    """The result that `pack` sent, its times turned into the master's. Raises LostWorkerError where it is not whole."""
    rows = b"".join(chunks)
    if len(rows) != done["bytes"] or hashlib.sha256(rows).digest() != done["sha256"]:
        raise LostWorkerError(f"of {done['bytes']} bytes of samples {len(rows)} have come, or others")
    result = msgspec.convert(done["result"], SliceResult)
    return msgspec.structs.replace(
        result,
        rows=shifted(rows, -clock.offset_ns),
        opened_ns=result.opened_ns - clock.offset_ns,
        deadline_ns=result.deadline_ns - clock.offset_ns,
        clock=clock,
    )
