"""Columns of samples files: the same as numpy reads, and a broken file is told as one."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from reports import latencies, npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_columns_are_those_that_were_written(tmp_path: Path, save: object) -> None:
    """In the order asked for and with their types, stored and compressed, empty ones too."""
    written = {"a": np.arange(5, dtype=np.int64), "b": np.array([1, -1], dtype=np.int8), "c": np.zeros(0, np.int16)}
    assert callable(save)
    save(tmp_path / "some.npz", **written)
    found = npz.columns(tmp_path / "some.npz", ("c", "a", "b"))
    for name, column in zip(("c", "a", "b"), found, strict=True):
        assert column.dtype == written[name].dtype
        np.testing.assert_array_equal(column, written[name])


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    """The checksum of a column is held against its bytes."""
    path = tmp_path / "some.npz"
    np.savez(path, a=np.arange(100, dtype=np.int64))
    content = bytearray(path.read_bytes())
    content[400] ^= 1
    path.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile):
        npz.columns(path, ("a",))


@pytest.mark.parametrize("column", [np.zeros((2, 2)), np.array([{}], dtype=object), np.float64(1.0)])
def test_only_rows_of_numbers_are_columns(
    tmp_path: Path, column: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> None:
    """A table, objects and a single number are refused."""
    np.savez(tmp_path / "some.npz", a=column)
    with pytest.raises(ValueError, match="not a row of numbers"):
        npz.columns(tmp_path / "some.npz", ("a",))


def _unpackable(path: Path) -> bytes:
    """The file with a first compressed block of a kind that there is none of."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        one = archive.getinfo("phase.npy")
    # A local header has 30 bytes, the name and as many more as its last two bytes say.
    at = one.header_offset + 30
    content[at + len(one.filename) + int.from_bytes(content[at - 2 : at], "little")] = 0xFF
    return bytes(content)


def test_a_broken_file_of_samples_names_itself(tmp_path: Path) -> None:
    """No file, no archive, half of one, a column too few, bytes that do not unpack: each is the file's own error."""
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, **{name: np.arange(50) for name in ("phase", "error", "due_ns", "sent_ns")})
    broken = {
        "none.npz": None,
        "text.npz": b"no archive",
        "half.npz": whole.read_bytes()[:300],
        "few.npz": whole.read_bytes(),
        "packed.npz": _unpackable(whole),
    }
    for name, content in broken.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(latencies.SamplesError, match=name):
            latencies.read(tmp_path / name)
