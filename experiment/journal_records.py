"""The record of a run: one type for every kind of line in its journal, with which lines are written and read back.

Each is declared by the side that knows the facts: trials, searches and the generator by `loadtests`, the gate and the
parity of answers by `conformance`, the rest here. A member with a default may be missing, since older journals lack it;
one that no type names is ignored, so that what a newer writer adds does not stop an older reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from msgspec import Struct

from conformance.finding import GateRecord, ParityRecord
from experiment.environment_record import EnvironmentRecord
from loadtests.trial_record import CapacityRecord, CeilingRecord, ScenarioRecord, TrialRecord

SCHEMA_VERSION: Final = 1

Setting: TypeAlias = bool | int | float | str | list[int] | Mapping[str, str] | None
"""A number, a word, the numbers of cores, or versions by package."""


VARIED: Final = "!"
"""In the id of a target, before a setting that the run varies, with its value."""
AT: Final = "@"
"""Before an interpreter's name."""
TWIN: Final = "#2"
"""After the second copy of a target, which is compared with the first: `flask+gunicorn+function+cpu!threads=2@py#2`."""

BLOCKS: Final = "blocks"
DECIDED: Final = "decided"
"""Until when a run goes on: its planned blocks, or nothing that is undecided."""


def target_of(identifier: str) -> str:
    """The target's own id, without what else a run adds to it."""
    return identifier.partition(AT)[0].partition(VARIED)[0].removesuffix(TWIN)


def varied_of(identifier: str) -> dict[str, str]:
    """The settings that the run varies, with their values in this id."""
    own = identifier.removesuffix(TWIN).partition(AT)[0].split(VARIED)[1:]
    return {name: value for name, _, value in (one.partition("=") for one in own)}


class TargetRecord(Struct, frozen=True, kw_only=True):
    """One thing under test. A foreign server has its name as id and no parts.

    `settings` are open: two targets that differ in one that this reader does not know must not pass for equal.
    """

    id: str
    framework: str | None = None
    server: str | None = None
    mode: str | None = None
    device: str | None = None
    twin_of: str | None = None
    judged: bool = True
    settings: Mapping[str, Setting] = {}

    @property
    def interpreter(self) -> str | None:
        """The name of the interpreter that it runs under, where a run compares several."""
        return self._text("interpreter")

    @property
    def base_url(self) -> str | None:
        """Where a foreign server is; None for one that is launched here."""
        return self._text("base_url")

    def _text(self, name: str) -> str | None:
        value = self.settings.get(name)
        return None if value is None else str(value)


class ComparisonRecord(Struct, frozen=True, kw_only=True):
    """Two targets that differ in one part, `axis`, and in nothing else."""

    baseline: str
    candidate: str
    axis: str


class NotRunRecord(Struct, frozen=True, kw_only=True):
    """What a run leaves out of its plan, and why."""

    what: str
    reason: str


class ModelRecord(Struct, frozen=True, kw_only=True):
    """A user's own model: where it is, digests that tell of a change, its tensors, and what its answers are held to.

    `signature`, `tags`, `scale` and `fix` are as the command line chose them; `statements` are what was
    found out by asking.
    """

    name: str
    saved_model: str
    digest: str
    payload: str | None
    payload_digest: str | None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    compared_with: str = ""
    signature: str | None = None
    tags: str | None = None
    scale: str | None = None
    fix: bool = False
    statements: tuple[str, ...] = ()


class RunRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="run"):
    """A journal's first line: what is to be measured, on what, by which command.

    `expect_workers` is how many load generators share the load; None where one of this machine does it all. `until`
    is `blocks` where the run ends with its planned blocks, and `decided` where more follow for what is undecided, as
    far as `at_most_s` in all allows.
    """

    schema_version: int = SCHEMA_VERSION
    run_id: str
    plan: str
    seed: int
    started_utc: str
    blocks: int
    until: str = BLOCKS
    at_most_s: float | None = None
    slice_s: float | None = None
    slo: str | None = None
    expect_workers: int | None = None
    price_per_core_hour: float | None = None
    targets: tuple[TargetRecord, ...]
    scenarios: tuple[ScenarioRecord, ...]
    comparisons: tuple[ComparisonRecord, ...]
    not_run: tuple[NotRunRecord, ...] = ()
    model: ModelRecord | None = None
    environment: EnvironmentRecord = EnvironmentRecord()
    command: tuple[str, ...] = ()


class LaunchRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="launch"):
    """One start of one target: how long it took, and `metadata`, what its `/metadata` says if it has one."""

    block: int
    target: str
    startup_s: float | None = None
    import_s: float | None = None
    load_s: float | None = None
    rss_mib: float | None = None
    metadata: Mapping[str, Any] | None = None


class RefusedRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="refused"):
    """A target that is not measured in one block, why, and the conformance cases that say so."""

    block: int
    target: str
    reason: str
    cases: tuple[str, ...] = ()


class PrimedRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="primed"):
    """What a target whose model is its own answered before a block: a digest by request, both named.

    None stands for a request that is answered in two ways when it is asked twice: no timed answer is compared to it.
    """

    block: int
    target: str
    answers: Mapping[str, str | None] = {}


class BegunRecord(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="begun"):
    """What is under way from here on: a trial of `targets` in `scenario`, or a search for `target` on `endpoint`."""

    block: int
    scenario: str | None = None
    targets: tuple[str, ...] = ()
    target: str | None = None
    endpoint: str | None = None

    def __str__(self) -> str:
        if self.scenario is not None:
            return f"{self.scenario} of block {self.block + 1}"
        return f"the capacity of {self.target} on {self.endpoint} in block {self.block + 1}"


class LookRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="look"):
    """A look at the figures so far, and what follows it: `blocks` more from `block` on, of these targets by scenario.

    Look 1 is the one after the planned blocks. `undecided` of so many `pairs` were open; None where nobody asked, and
    someone wanted more blocks. Where no block follows, `reason` says why.
    """

    number: int
    block: int
    blocks: int
    scenarios: Mapping[str, tuple[str, ...]] = {}
    undecided: int | None = None
    pairs: int | None = None
    reason: str | None = None

    @property
    def end(self) -> int:
        """The number of blocks that the run has when these are over."""
        return self.block + self.blocks


class BlockRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="block"):
    """A block is over, `at_s` after the run was begun or resumed: of each target, what its trials took by scenario.

    `target_s` is the rest of it: what bringing up, priming and stopping one target took; `gate_s` what judging one
    took, where that was in this block.
    """

    block: int
    at_s: float
    target_s: float
    gate_s: float | None = None
    trial_s: Mapping[str, float] = {}


class PlaceRecord(Struct, frozen=True, kw_only=True):
    """Where one trial of all targets together belongs."""

    block: int
    scenario: str


class ResumedRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="resumed"):
    """A run that was stopped goes on.

    `torn_bytes` is the length of the last line, which was cut off; `in_flight` what was under way. The places in `void`
    are measured anew, `finished` trials stay and `left` are to come. `changed` names what of the environment is not as
    it was when the run began. `until` and `at_most_s` are there where it goes on otherwise than it was begun; the time
    counts from here.
    """

    at_utc: str
    torn_bytes: int = 0
    in_flight: BegunRecord | None = None
    void: tuple[PlaceRecord, ...] = ()
    finished: int = 0
    left: int = 0
    changed: tuple[str, ...] = ()
    until: str | None = None
    at_most_s: float | None = None


class EndRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="end"):
    """The harness is done, at the planned end or, with the reason, before it. `measuring_s` are those under load.

    `refused_peers` counts the messages of strangers at the workers' port.
    """

    complete: bool = False
    reason: str | None = None
    wall_s: float | None = None
    measuring_s: float | None = None
    refused_peers: int = 0


JournalRecord: TypeAlias = (
    RunRecord
    | CeilingRecord
    | LaunchRecord
    | GateRecord
    | ParityRecord
    | RefusedRecord
    | PrimedRecord
    | BegunRecord
    | TrialRecord
    | CapacityRecord
    | BlockRecord
    | LookRecord
    | ResumedRecord
    | EndRecord
)
