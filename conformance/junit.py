"""Findings as JUnit XML, the form that build servers draw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from conformance.finding import CaseVerdict, Finding

_ELEMENTS: Final = {
    CaseVerdict.WRONG: "failure",
    CaseVerdict.DIVERGES: "failure",
    CaseVerdict.SETUP_FAULT: "error",
    CaseVerdict.HARNESS_FAULT: "error",
    CaseVerdict.SKIPPED: "skipped",
}
_NOT_XML: Final = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


def to_junit(findings: Sequence[Finding]) -> str:
    """One test suite a target, one test case a finding; other verdicts than right are said as output."""
    root = ET.Element("testsuites", name="conformance")
    for target in dict.fromkeys(finding.target for finding in findings):
        own = [finding for finding in findings if finding.target == target]
        kinds = [_element(finding) for finding in own]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_clean(target),
            tests=str(len(own)),
            failures=str(kinds.count("failure")),
            errors=str(kinds.count("error")),
            skipped=str(kinds.count("skipped")),
        )
        for finding in own:
            _add(suite, finding)
    ET.indent(root)
    # Not as text at once: that would declare the locale's encoding, and the file is in UTF-8.
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text.decode() + "\n"


def write_junit(findings: Sequence[Finding], path: Path) -> None:
    """Writes `to_junit` in UTF-8. Raises OSError, with the path."""
    try:
        path.write_text(to_junit(findings), encoding="utf-8")
    except OSError as error:
        # The calls that write do not know where to.
        error.filename = error.filename or str(path)
        raise


def _add(suite: ET.Element, finding: Finding) -> None:
    case = ET.SubElement(suite, "testcase", classname=_clean(finding.target), name=_clean(finding.case_id))
    kind = _element(finding)
    text = _clean(
        f"{finding.proves} ({finding.clause})\nexpected: {finding.expected}\nactual: {finding.actual}\n"
        f"connection: {finding.fate or 'not judged'}\n{finding.repeat}"
    )
    if kind is not None:
        severity = "" if finding.severity is None else f" {finding.severity.value}"
        message = _clean(f"{finding.verdict.value}{severity}: {finding.actual}")
        ET.SubElement(case, kind, message=message).text = text
    elif finding.verdict is not CaseVerdict.RIGHT:
        ET.SubElement(case, "system-out").text = f"{finding.verdict.value}\n{text}"


def _element(finding: Finding) -> str | None:
    if finding.verdict is CaseVerdict.RIGHT and finding.connection is CaseVerdict.WRONG:
        return "failure"
    return _ELEMENTS.get(finding.verdict)


def _clean(text: str) -> str:
    """`text` without what XML 1.0 cannot hold, section 2.2, and without what turns or hides text."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
