"""What a master and its workers say to each other, as custom messages over Locust's own channel.

Every message but the first carries the `tag` of what it belongs to, so that an answer that comes too late answers
nothing else. The channel encrypts nothing, as Locust's never does. Anybody may write to the master's port: what a
worker says has one of the shapes below, and where the master has a token the worker proves that it has it, too.

| word       | from   | says                                                                       |
|------------|--------|----------------------------------------------------------------------------|
| `hello`    | worker | host, digest of its code, calibration, proof, once it is connected         |
| `ping`     | master | asks for the worker's clock; answered at once, by `pong`                   |
| `trial`    | master | an order and the worker's segment of its load; answered by `ready`         |
| `probe`    | master | one exchange with one target; answered by `probed`                         |
| `prepare`  | master | the next slice; answered by `ready` when connections are open              |
| `run`      | master | when it opens, by the worker's clock; answered by many `rows`, and `done`  |
| `end`      | master | the trial is over: stop the users                                          |
| `refused`  | master | why the worker is not taken; it is to leave                                |
| `fault`    | worker | what went wrong there, with the traceback                                  |
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from loadtests.clock_offsets import ClockOffset
from loadtests.orders import TOKEN_VARIABLE
from loadtests.runner import LostWorkerError, SliceResult, shifted
from loadtests.samples import ROW
from loadtests.trial_record import Calibration

PREFIX = "titrate_"
TO_WORKER = ("ping", "trial", "probe", "prepare", "run", "end", "refused")

_Word = Annotated[str, Meta(max_length=300)]


class Hello(Struct, frozen=True, kw_only=True):
    """A worker's first word: where it is, what it runs, what it can do, and that it knows the token."""

    host: _Word
    code: _Word
    calibration: Calibration | None
    proof: _Word = ""


class Tagged(Struct, frozen=True, kw_only=True):
    """An answer, and what it answers."""

    tag: int


class Pong(Tagged, frozen=True, kw_only=True):
    """The worker's clock."""

    clock_ns: int


class Probed(Tagged, frozen=True, kw_only=True):
    """What came of a probe."""

    lost: str | None


class Rows(Tagged, frozen=True, kw_only=True):
    """A piece of a slice's samples."""

    rows: bytes


class Done(Tagged, frozen=True, kw_only=True):
    """The end of a slice's samples, and what they are held to."""

    size: int = msgspec.field(name="bytes")
    sha256: bytes
    result: SliceResult


class WorkerFault(Tagged, frozen=True, kw_only=True):
    """What went wrong there."""

    message: str
    traceback: str


SHAPES: Final[Mapping[str, type[Struct]]] = {
    "hello": Hello,
    "pong": Pong,
    "ready": Tagged,
    "probed": Probed,
    "rows": Rows,
    "done": Done,
    "fault": WorkerFault,
}
"""What a worker may say, and how."""


def proof(token: str, client: str) -> str:
    """What shows that the worker of this id knows the token, and tells nobody who listens what it is."""
    return hmac.new(token.encode(), client.encode(), hashlib.sha256).hexdigest() if token else ""


OTHER_CODE: Final = "it runs other code than this machine"
NO_TOKEN: Final = "it does not know the token"  # noqa: S105 - a sentence
HINTS: Final = {
    OTHER_CODE: "check out the same commit on both, without changes in loadtests/ or addresses/",
    NO_TOKEN: f"give the worker the master's: --worker-token FILE, or {TOKEN_VARIABLE} in its environment",
}
"""What helps where a worker is refused."""

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
