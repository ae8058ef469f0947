"""JSON as the contract writes it, recognised."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.canonical import NotJsonError, Number, float32_fault, form_fault, read


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_shortest_float32_is_accepted(value: float) -> None:
    """The spelling that NumPy gives a float32 is never too long, and reads back to the same float32."""
    text = str(np.float32(value))
    assert float32_fault(Number(text)) is None
    assert struct.pack("<f", float(text)) == struct.pack("<f", value)


@pytest.mark.parametrize("text", ["0.10000000149011612", "16777217.5", "1.40129846e-45", "-133.75640", "133.756401"])
def test_longer_float32_is_found(text: str) -> None:
    """A spelling with more digits than float32 needs is found; zeros at the end are none."""
    assert (float32_fault(Number(text)) is None) == (text == "-133.75640")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
    )
)
def test_canonical_writing_is_recognised(value: object) -> None:
    """What a compact sorting encoder writes is canonical, whether it escapes or not."""
    for ascii_only in (True, False):
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=ascii_only)
        try:
            body = text.encode()
        except UnicodeEncodeError:
            continue
        assert form_fault(body, read(body)) is None


@pytest.mark.parametrize("body", [b'{"b":1,"a":1}', b"[1, 2]", b" 1", b"1\n", b'"\\/"', b'{"a":{"d":1,"c":2}}'])
def test_form_faults_are_found(body: bytes) -> None:
    """White space, unsorted keys and needless escapes are not canonical."""
    assert form_fault(body, read(body)) is not None


@pytest.mark.parametrize("body", [b"", b"NaN", b"{}x", b"\xff", b'{"a":1,"a":1}', b"[" * 100_000])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """The suite's own reader is as strict as the contract, and survives what would overflow a stack."""
    with pytest.raises(NotJsonError):
        read(body)
