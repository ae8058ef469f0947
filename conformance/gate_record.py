"""What the journal of a run keeps of the conformance gate and of parity."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from conformance.finding import Difference, Finding


class GateRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="gate"):
    """What the cases found of one target in one block.

    `seconds` is how long they took; `counts` says how many findings of each verdict there are, `topics` the same by the
    word that ids begin with. `findings` are those that are not right.
    """

    block: int
    target: str
    passed: bool = False
    seconds: float | None = None
    counts: Mapping[str, int] = {}
    topics: Mapping[str, Mapping[str, int]] = {}
    findings: tuple[Finding, ...] = ()


class ParityRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="parity"):
    """Whether several targets answered the same cases byte for byte alike; the first of them is the baseline."""

    block: int
    targets: tuple[str, ...]
    cases: int = 0
    differences: tuple[Difference, ...] = ()
