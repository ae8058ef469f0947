"""What the journal keeps of the gate and of parity: its JSON to the byte, and records of older runs."""

from __future__ import annotations

import json

import msgspec
import pytest

from conformance.finding import CaseVerdict, Difference, Finding, GateRecord, Level, ParityRecord, Severity
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
