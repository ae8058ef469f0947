"""What is kept of the gate: its JSON in the journal to the byte, records of older runs, and findings as JUnit XML."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from broken_apps import TrailingNewline
from contract_app import serving
from msgspec.structs import replace

from conformance.finding import CaseVerdict, Difference, Finding, GateRecord, Level, ParityRecord, Severity
from conformance.junit import to_junit, write_junit
from conformance.tensor_messages import DT_DOUBLE, NotTensorError, doubles, floats, read, read_any, tensor

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


GOOD = tensor(shape=(2, 1), content=floats(1.5, -2.0))


def test_an_answer_is_read_in_rows() -> None:
    """Type, sizes and values come back, nested by the shape; other types and ranks are for a user's model."""
    assert read(GOOD) == {"dtype": 1, "tensor_shape": [2, 1], "tensor_content": [[1.5], [-2.0]]}
    wide = read_any(tensor(dtype=DT_DOUBLE, shape=(1, 2, 1), content=doubles(1, 2)))
    assert wide["tensor_content"] == [[[1.0], [2.0]]]
    assert read_any(tensor(shape=(), content=floats(3)))["tensor_content"] == 3.0


def test_fields_stand_in_their_order_on_the_wire() -> None:
    """The bytes are those that the format prescribes: key, length and content of each field."""
    assert GOOD.hex() == "0801" + "1208" + "12020802" + "12020801" + "2208" + floats(1.5, -2.0).hex()
    assert tensor(dtype=None, shape=None) == b""
    assert tensor(dtype=None, shape=()) == b"\x12\x00"
    assert tensor(dtype=-1, shape=None) == b"\x08" + b"\xff" * 9 + b"\x01"


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        GOOD[:-1],
        GOOD + b"\x18\x00",
        GOOD + b"\x08\x01",
        GOOD + b"\xf2\x7f\x03abc",
        tensor(shape=(2, 1), float_val=(1.5, -2.0)),
        tensor(shape=(2, 1), content=floats(1.5)),
        tensor(shape=(-2, -1), content=floats(1.5, -2.0)),
        tensor(shape=(2, 1), content=floats(1.5, -2.0), unknown_rank=True),
        tensor(dtype=DT_DOUBLE, shape=(2, 1), content=doubles(1.5, -2.0)),
        tensor(dtype=7, shape=(2, 1), content=floats(1.5, -2.0)),
        tensor(shape=(2,), content=floats(1.5, -2.0)),
    ],
)
def test_what_no_answer_may_be_is_told(body: bytes) -> None:
    """Malformed bytes, other fields, repeated ones, lengths that do not fit, another type or rank are no answer."""
    with pytest.raises(NotTensorError):
        read(body)


HOSTILE_TEXT = "\x00\x1b <&> \ud800"


def _finding(**fields: Any) -> Finding:
    made = Finding(
        case_id="a-b",
        target="t",
        verdict=CaseVerdict.WRONG,
        level=Level.MUST,
        severity=Severity.WRONG_2XX,
        proves="A claim.",
        clause="c",
        expected="e",
        actual="a",
        repeat="r",
    )
    return replace(made, **fields)


def test_junit_counts_and_survives_hostile_text(tmp_path: Path) -> None:
    """JUnit tells failures from errors and skips, and what XML cannot hold does not break it."""
    findings = [_finding(verdict=verdict, actual=HOSTILE_TEXT) for verdict in CaseVerdict]
    path = tmp_path / "conformance.xml"
    write_junit([*findings, _finding(target="u", verdict=CaseVerdict.RIGHT)], path)
    first, second = ET.parse(path).getroot()  # noqa: S314 - it has just been written here
    assert {name: first.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8",
        "failures": "2",
        "errors": "2",
        "skipped": "1",
    }
    assert (second.get("name"), second.get("failures")) == ("u", "0")
    assert to_junit([]).startswith("<?xml")


ROOT = Path(__file__).parents[2]


def _face(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "conformance", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    return done.stdout


def test_pytest_face_needs_a_server() -> None:
    """Under pytest without a URL every case is skipped, with a line that says how to name one."""
    said = _face()
    assert "--base-url http://127.0.0.1:8000" in said
    assert "skipped" in said
    assert "passed" not in said


def test_pytest_face_examines_a_server() -> None:
    """Under pytest with a URL each case is a test that passes or fails by its finding."""
    with serving(TrailingNewline()) as base_url:
        said = _face("--base-url", base_url, "-k", "predict-number or routing-options-predict")
    assert "1 failed, 1 passed" in said
    assert "white space around the value" in said
