"""Findings held against each other: where two targets are unlike, the finding says so, and which one is right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from msgspec import structs

from conformance.examination import Examination
from conformance.finding import CaseVerdict, Difference, Finding, Severity
from conformance.parity import differences


def held_against(examinations: Mapping[str, Examination]) -> tuple[dict[str, Examination], list[Difference]]:
    """The examinations with a divergence for every difference from the first target, and the differences.

    A finding that was wrong stays wrong, and says in addition that the other target is right, or how it is wrong.
    """
    if len(examinations) < 2:
        return dict(examinations), []
    found = differences({name: examination.answers for name, examination in examinations.items()})
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
