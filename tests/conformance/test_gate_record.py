"""What the journal keeps of the gate and of parity: its JSON to the byte, and records of older runs."""

from __future__ import annotations

import json

import msgspec

from conformance.finding import CaseVerdict, Difference, Finding, Level, Severity
from conformance.gate_record import GateRecord, ParityRecord

FINDING = Finding(
    case_id="a-b",
    target="t",
    verdict=CaseVerdict.WRONG,
    level=Level.MUST,
    severity=Severity.WRONG_2XX,
    proves="A claim.",
    clause="PEP 3333",
    expected="e",
    actual="a",
    repeat="r",
    connection=CaseVerdict.RIGHT,
    fate="kept",
)
GATE = (
    '{"kind":"gate","block":1,"target":"t","passed":false,"seconds":0.5,"counts":{"right":2,"wrong":1},'
    '"topics":{"a":{"wrong":1}},"findings":[{"case":"a-b","target":"t","verdict":"wrong","level":"must",'
    '"severity":"wrong_2xx","proves":"A claim.","clause":"PEP 3333","expected":"e","actual":"a","repeat":"r",'
    '"connection":"right","fate":"kept"}]}'
)
PARITY = (
    '{"kind":"parity","block":1,"targets":["a","b"],"cases":3,'
    '"differences":[{"case":"a-b","baseline":"a","target":"b","detail":"d"}]}'
)


def test_a_gate_record_is_this_json() -> None:
    """Members stand in this order under these names, and come back equal."""
    record = GateRecord(
        block=1,
        target="t",
        passed=False,
        seconds=0.5,
        counts={"right": 2, "wrong": 1},
        topics={"a": {"wrong": 1}},
        findings=(FINDING,),
    )
    assert msgspec.json.encode(record).decode() == GATE
    assert msgspec.json.decode(GATE, type=GateRecord) == record


def test_a_parity_record_is_this_json() -> None:
    """The same of the differences between targets."""
    difference = Difference(case_id="a-b", baseline="a", target="b", detail="d")
    record = ParityRecord(block=1, targets=("a", "b"), cases=3, differences=(difference,))
    assert msgspec.json.encode(record).decode() == PARITY
    assert msgspec.json.decode(PARITY, type=ParityRecord) == record


def test_records_of_older_runs_are_read() -> None:
    """Members that came later are left out in old journals, and have a value all the same."""
    old = {"kind": "gate", "block": 0, "target": "t", "passed": True, "counts": {"right": 1}, "findings": []}
    read = msgspec.json.decode(json.dumps(old), type=GateRecord)
    assert (read.passed, read.seconds, read.topics) == (True, None, {})
    assert msgspec.convert({"kind": "parity", "block": 0, "targets": []}, ParityRecord).differences == ()


def test_severities_rise() -> None:
    """A severity is worse than those above it, and the silent wrong answer is the worst."""
    assert max(Severity) is Severity.SILENT_WRONG_ANSWER
    assert Severity.BYTES_ONLY < Severity.WRONG_4XX <= Severity.SERVER_ERROR < Severity.WRONG_2XX
