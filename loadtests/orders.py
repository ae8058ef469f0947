"""What the generator is asked to do: prepared requests, targets and trials, and their JSON.

Both sides import this module, the harness and the generator's process, so it knows neither Locust nor
sockets.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtests.scenarios import Scenario

LONGEST_SLICE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRequest:
    """One request, and the answer that counts as right.

    `expect_body` is compared byte for byte; None accepts any body, for a foreign server whose answers nobody
    knows. Host and Content-Length are the generator's to write.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    expect_status: int = 200
    expect_body: bytes | None

    def to_json(self) -> dict[str, Any]:
        """Bodies as base64 under `body_b64` and `expect_body_b64`."""
        return {
            "method": self.method,
            "path": self.path,
            "headers": dict(self.headers),
            "body_b64": _to_base64(self.body),
            "expect_status": self.expect_status,
            "expect_body_b64": None if self.expect_body is None else _to_base64(self.expect_body),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PreparedRequest:
        """The request that `to_json` wrote."""
        expect = data["expect_body_b64"]
        return cls(
            method=data["method"],
            path=data["path"],
            headers=data["headers"],
            body=base64.b64decode(data["body_b64"]),
            expect_status=data["expect_status"],
            expect_body=None if expect is None else base64.b64decode(expect),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOrder:
    """One target that is up: its id, `http://host:port[/prefix]`, requests, and the roots of its processes.

    Without `pids` (a foreign server, perhaps on another machine) no resources are measured.
    """

    id: str
    base_url: str
    requests: tuple[PreparedRequest, ...]
    pids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.requests:
            raise ValueError(f"target {self.id}: a trial needs at least one request")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "id": self.id,
            "base_url": self.base_url,
            "pids": list(self.pids),
            "requests": [request.to_json() for request in self.requests],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetOrder:
        """The target that `to_json` wrote."""
        return cls(
            id=data["id"],
            base_url=data["base_url"],
            pids=tuple(data["pids"]),
            requests=tuple(PreparedRequest.from_json(request) for request in data["requests"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workforce:
    """Other load generators that are to come: how many, to which address and port, and how long they are waited for."""

    expect: int
    bind: str = "*"
    port: int = 5557
    timeout_s: float = 60.0

    def __post_init__(self) -> None:
        if self.expect < 1 or self.timeout_s <= 0 or not 0 < self.port < 65_536:
            raise ValueError("workers are one at least, waited for some time, on a port of 1 to 65535")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOrder:
    """One scenario on several targets that are up together, visited in random order, slice by slice.

    `slice_s` is the shortest slice and `longest_slice_s` bounds what a slow target may lengthen it to. Where
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
    timeout_s: float = 10.0
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

    def to_json(self) -> dict[str, Any]:
        """The message `{"op": "trial", ...}`."""
        return {
            "op": "trial",
            "scenario": self.scenario.to_json(),
            "targets": [target.to_json() for target in self.targets],
            "slices": self.slices,
            "slice_s": self.slice_s,
            "longest_slice_s": self.longest_slice_s,
            "warmup_slices": self.warmup_slices,
            "longest_warmup_slices": self.longest_warmup_slices,
            "seed": self.seed,
            "timeout_s": self.timeout_s,
            "ceiling_rps": self.ceiling_rps,
            "limit_ms": self.limit_ms,
            "out": self.out,
            "label": self.label,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TrialOrder:
        """The order that `to_json` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        return cls(
            scenario=Scenario.from_json(data["scenario"]),
            targets=tuple(TargetOrder.from_json(target) for target in data["targets"]),
            slices=data["slices"],
            slice_s=data["slice_s"],
            longest_slice_s=data["longest_slice_s"],
            warmup_slices=data["warmup_slices"],
            longest_warmup_slices=data["longest_warmup_slices"],
            seed=data["seed"],
            timeout_s=data["timeout_s"],
            ceiling_rps=data["ceiling_rps"],
            limit_ms=data["limit_ms"],
            out=data["out"],
            label=data["label"],
        )


def _to_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
