"""Every case against a base URL, and all that was found of the target.

The target's fault is told from the harness's: where nobody listens at the start, nothing is said of the
target; a server that stops listening between two cases is the target's.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from msgspec import structs

from addresses.connecting import ANSWER_S
from conformance.case import Case, Reference
from conformance.finding import CaseVerdict, Difference, Finding, GateRecord, Severity
from conformance.parity import Answers, differences
from conformance.session import Session

_FAULTS: Final = (CaseVerdict.SETUP_FAULT, CaseVerdict.HARNESS_FAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """All findings on one target, in the order of the cases; `answers` and `within` are for `parity.differences`."""

    findings: tuple[Finding, ...]
    answers: Answers
    seconds: float
    within: Mapping[str, float] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each verdict there are; verdicts that did not occur are left out."""
        return dict(Counter(finding.verdict.value for finding in self.findings))

    @property
    def topics(self) -> dict[str, dict[str, int]]:
        """The same by topic, which is how the id of a case begins."""
        found: dict[str, Counter[str]] = {}
        for finding in self.findings:
            found.setdefault(finding.case_id.partition("-")[0], Counter())[finding.verdict.value] += 1
        return {topic: dict(counts) for topic, counts in found.items()}

    @property
    def told(self) -> bool:
        """Whether the suite could tell: False where it failed itself or found nobody to ask."""
        return bool(self.findings) and not any(finding.verdict in _FAULTS for finding in self.findings)

    @property
    def passed(self) -> bool:
        """Whether the target may be measured: all could be told, and no MUST is broken."""
        return self.told and not any(finding.breaks_a_must for finding in self.findings)

    def record(self, *, block: int, target: str) -> GateRecord:
        """What the journal keeps; right findings are only counted."""
        return GateRecord(
            block=block,
            target=target,
            passed=self.passed,
            seconds=round(self.seconds, 3),
            counts=self.counts,
            topics=self.topics,
            findings=tuple(each for each in self.findings if not each.is_quiet),
        )


def run_cases(
    cases: Iterable[Case],
    base_url: str,
    target: str,
    reference: Reference | None = None,
    *,
    judged: bool = True,
    foreign: bool = False,
    options: Sequence[str] = (),
    timeout_s: float = ANSWER_S,
    budget_s: float = 120.0,
    hidden: Mapping[str, str] | None = None,
) -> Examination:
    """Every case against the server at `base_url`, one after the other, a fresh connection each.

    `judged` False makes every finding an observation; `foreign` says that `target` names a URL of the
    user's, and `options` are what else of the command line belongs into the repeat command. `timeout_s`
    bounds one exchange, `budget_s` all of them: what is left then is a harness fault, since a verdict on half
    of a suite is none. `hidden` says of cases what the WSGI server is known to keep from every application, so that
    none can be right. Raises ValueError on a URL that is no plain HTTP base URL.
    """
    started = time.monotonic()
    session = Session(
        base_url=base_url,
        target=target,
        reference=reference,
        judged=judged,
        foreign=foreign,
        options=options,
        timeout_s=timeout_s,
        hidden=hidden,
    )
    findings: list[Finding] = []
    listening: bool | None = None
    for case in cases:
        listening = session.listens() if listening is None else listening
        if not listening:
            findings.append(_unheard(session, case, first=not findings))
        elif time.monotonic() - started > budget_s:
            findings.append(session.fault(case, f"not run: the budget of {budget_s:g} s was spent"))
        else:
            findings.append(session.run(case))
    return Examination(
        findings=tuple(findings), answers=session.answers, within=session.within, seconds=time.monotonic() - started
    )


def _unheard(session: Session, case: Case, *, first: bool) -> Finding:
    why = f"nobody listens at {session.base_url}"
    verdict = CaseVerdict.SETUP_FAULT if first else CaseVerdict.SKIPPED
    return session.finding(case, verdict, expected="a server that listens", actual=why)


def held_against(examinations: Mapping[str, Examination]) -> tuple[dict[str, Examination], list[Difference]]:
    """The examinations with a divergence for every difference from the first target, and the differences.

    A finding that was wrong stays wrong, and says in addition that the other target is right, or how it is wrong.
    """
    if len(examinations) < 2:
        return dict(examinations), []
    within = {case: each for examination in examinations.values() for case, each in examination.within.items()}
    found = differences({name: examination.answers for name, examination in examinations.items()}, within)
    told = {(one.target, one.case_id): one for one in found}
    verdicts = {
        (name, finding.case_id): finding.verdict
        for name, examination in examinations.items()
        for finding in examination.findings
    }
    changed = {
        name: replace(
            examination,
            findings=tuple(
                _diverging(finding, told[name, finding.case_id], verdicts)
                if (name, finding.case_id) in told
                else finding
                for finding in examination.findings
            ),
        )
        for name, examination in examinations.items()
    }
    return changed, found


def _diverging(finding: Finding, unlike: Difference, verdicts: Mapping[tuple[str, str], CaseVerdict]) -> Finding:
    baseline = verdicts[unlike.baseline, unlike.case_id]
    detail = f"{unlike.detail}; {_who_is_right(finding, unlike.baseline, baseline)}"
    if finding.verdict is CaseVerdict.WRONG:
        return structs.replace(finding, actual=f"{finding.actual}; {detail}")
    return structs.replace(
        finding,
        verdict=CaseVerdict.DIVERGES,
        severity=finding.severity or Severity.BYTES_ONLY,
        expected=f"the answer of {unlike.baseline}",
        actual=detail,
    )


def _who_is_right(finding: Finding, baseline: str, verdict: CaseVerdict) -> str:
    right = (CaseVerdict.RIGHT, CaseVerdict.SERVERS_OWN)
    own, other = finding.verdict in right, verdict in right
    if own and other:
        return "both are lawful, and only one of them can stay"
    if other:
        return f"{baseline} is right"
    return f"{finding.target} is right" if own else "neither is right"
