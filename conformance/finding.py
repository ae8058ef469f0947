"""What one case found on one target, and where two targets are unlike: as the journal keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from functools import total_ordering
from typing import Final

from msgspec import Struct, field


class Level(StrEnum):
    """How binding a case is, in the words of RFC 2119. Only a broken MUST fails the gate."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class CaseVerdict(StrEnum):
    """What became of one case on one target."""

    RIGHT = "right"
    WRONG = "wrong"
    DIVERGES = "diverges"
    """It answers otherwise than the target it is held against, on the same server."""
    SERVERS_OWN = "servers_own"
    """The WSGI server refused the request before the application saw it, as the case lets it."""
    OBSERVED = "observed"
    """The target is not judged; expected and actual say what it does."""
    SKIPPED = "skipped"
    SETUP_FAULT = "setup_fault"
    """Nothing listened at the base URL: no case was tried."""
    HARNESS_FAULT = "harness_fault"
    """The suite itself failed, or ran out of time; nothing is said of the target."""


@total_ordering
class Severity(Enum):
    """How bad a wrong answer is, in rising order; worst of all is the one that looks right."""

    BYTES_ONLY = "bytes_only"
    WRONG_4XX = "wrong_4xx"
    SERVER_ERROR = "server_error"
    """A 5xx for a client's error or for a good request, or no answer at all."""
    WRONG_2XX = "wrong_2xx"
    SILENT_WRONG_ANSWER = "silent_wrong_answer"

    def __lt__(self, other: Severity) -> bool:
        return _RISING.index(self) < _RISING.index(other)


_RISING: Final = tuple(Severity)


class Finding(Struct, frozen=True, kw_only=True):
    """What one case found on one target. `repeat` is the command line that shows it again.

    The connection's fate is judged by itself: `connection` is right or wrong, or observed, with `fate` in words; None
    where there was no exchange to judge.
    """

    case_id: str = field(name="case")
    target: str
    verdict: CaseVerdict
    level: Level
    severity: Severity | None
    proves: str
    clause: str
    expected: str
    actual: str
    repeat: str
    connection: CaseVerdict | None = None
    fate: str = ""

    @property
    def breaks_a_must(self) -> bool:
        """Whether this finding alone keeps the target from passing."""
        wrong = self.verdict in (CaseVerdict.WRONG, CaseVerdict.DIVERGES) or self.connection is CaseVerdict.WRONG
        return wrong and self.level is Level.MUST

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to tell: all is right."""
        return self.verdict is CaseVerdict.RIGHT and self.connection is not CaseVerdict.WRONG


class Difference(Struct, frozen=True, kw_only=True):
    """One case that a target answers otherwise than the baseline does, and the first thing that differs."""

    case_id: str = field(name="case")
    baseline: str
    target: str
    detail: str


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
