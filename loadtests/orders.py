"""What the generator is asked to do: prepared requests, targets and trials.

Both sides import this module, the harness and the generator's process, so it knows neither Locust nor
sockets. Orders go over the wire as JSON, a tag `op` first, bodies as base64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from addresses.connecting import ANSWER_S, MOST_BODY_BYTES
from loadtests.scenarios import Scenario

LONGEST_SLICE_S = 10.0
WARMUP_SLICE_S = 0.1
"""A warm-up slice is no shorter: shorter ones differ by more than what tells a warm target from a cold one."""
TURNS_IN_SLICE, ROUNDS_IN_SLICE = 8, 2
"""A slice holds at least so many answers one after the other, and so many rounds of all users: with
many users one round fills the first phase, and only what comes after it counts."""
LEAST_ROUNDS = 7
"""Each target is visited so often at least, where so many visits were ordered: noise that lasts is then met by all."""


TOKEN_VARIABLE: Final = "TITRATE_WORKER_TOKEN"  # noqa: S105 - its name
"""The environment variable that has the token, on either side."""


class PreparedRequest(Struct, frozen=True, kw_only=True):
    """One request, and the answer that counts as right.

    `expect_body` is compared byte for byte; None accepts any body, for a foreign server whose answers nobody
    knows. `within` is what numbers of a JSON answer may differ by, for a model whose own answers differ from call to
    call. An answer whose body is longer than `most_body_bytes` is broken off. Host and Content-Length are the
    generator's to write.
    """

    method: str
    path: str
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = msgspec.field(name="body_b64", default=b"")
    expect_status: int = 200
    expect_body: bytes | None = msgspec.field(name="expect_body_b64")
    within: float = 0.0
    most_body_bytes: int = MOST_BODY_BYTES


class TargetOrder(Struct, frozen=True, kw_only=True):
    """One target that is up: its id, `http://host:port[/prefix]`, requests, and the roots of its processes.

    Without `pids` (a foreign server, perhaps on another machine) no resources are measured. `launched` means that the
    processes are ours: the end of one is then the target's. `log` is the file that a server must not write to while it
    is measured; None where it may.
    """

    id: str
    base_url: str
    pids: tuple[int, ...] = ()
    launched: bool = True
    log: str | None = None
    requests: tuple[PreparedRequest, ...]

    def __post_init__(self) -> None:
        if not self.requests:
            raise ValueError(f"target {self.id}: a trial needs at least one request")


class Workforce(Struct, frozen=True, kw_only=True):
    """Other load generators that are to come: how many, to which address and port, and how long they are waited for.

    `token` is what each of them must know; none where it is empty.
    """

    expect: int
    bind: str = "*"
    port: int = 5557
    timeout_s: float = 60.0
    token: str = ""

    def __post_init__(self) -> None:
        if self.expect < 1 or self.timeout_s <= 0 or not 0 < self.port < 65_536:
            raise ValueError("workers are one at least, waited for some time, on a port of 1 to 65535")


class TrialOrder(Struct, frozen=True, kw_only=True, tag_field="op", tag="trial"):
    """One scenario on several targets that are up together, visited in random order, slice by slice.

    `slice_s` is the shortest slice and `longest_slice_s` bounds what a slow target may lengthen it to; `slices` are so
    many of the shortest, and fewer where one target's are longer. Where
    `longest_warmup_slices` is more than `warmup_slices`, a target is warmed up until three of its slices
    agree. `limit_ms` asks how many steady responses take longer. `out` is the folder of the
    samples (None: keep none), `label` the stem of their file names. `ceiling_rps` is
    what the generator reached against a null server, if it was calibrated.
    """

    scenario: Scenario
    targets: tuple[TargetOrder, ...]
    slices: int
    slice_s: float = 0.1
    longest_slice_s: float = LONGEST_SLICE_S
    warmup_slices: int = 1
    longest_warmup_slices: int = 0
    seed: int
    timeout_s: float = ANSWER_S
    ceiling_rps: float | None = None
    limit_ms: float | None = None
    out: str | None = None
    label: str

    def __post_init__(self) -> None:
        ids = [target.id for target in self.targets]
        if not ids or len(set(ids)) != len(ids):
            raise ValueError(f"a trial needs targets with different ids, not {ids}")
        if self.slices < 1 or self.warmup_slices < 0:
            raise ValueError("a trial needs at least one slice, and no fewer than no warm-up slices")
        if not 0 < self.slice_s <= self.longest_slice_s or self.timeout_s <= 0:
            raise ValueError("slice and timeout must be positive, and the longest slice no shorter than the shortest")

    def rounds(self, slice_s: float) -> int:
        """How often each target is visited where the longest of their slices came to `slice_s`: fewer, if longer."""
        as_long = math.ceil(self.slices * self.slice_s / max(slice_s, self.slice_s))
        return min(self.slices, max(LEAST_ROUNDS, as_long))


class CalibrationOrder(Struct, frozen=True, kw_only=True, tag_field="op", tag="calibrate"):
    """Find out what the generator can do at so many users, and at one, against a null server that is up."""

    target: TargetOrder
    users: int = 16
    slices: int = 10
    slice_s: float = 0.1
    timeout_s: float = ANSWER_S


class WorkersOrder(Struct, frozen=True, tag_field="op", tag="wait_for_workers"):
    """Wait for the workers that are expected, and say who they are."""


Order = TrialOrder | CalibrationOrder | WorkersOrder
