"""Columns of an .npz file, and only those that are asked for.

numpy.load does the same, but works out the header of every column anew, and the headers of a run's thousands of files
are nearly all alike: the 720 files of the published example take 0.27 s of CPU time here and 0.93 s there.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

_Column = npt.NDArray[Any]

SIGNATURE = b"PK\x03\x04"
LOCAL_HEADER_BYTES = 30

PREFIX_BYTES = 10
"""Magic, version and length of the header, in version 1.0 of the .npy format, which is what numpy.savez writes."""


def columns(path: Path, names: Sequence[str]) -> list[_Column]:
    """The one-dimensional columns of those names, in that order; they cannot be written to.

    Raises KeyError for one that is missing, and OSError, ValueError, zlib.error or zipfile.BadZipFile for what is no
    such file; every column's checksum is held against its bytes.
    """
    content = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [_column(_member(archive, content, f"{name}.npy")) for name in names]


def _member(archive: zipfile.ZipFile, content: bytes, name: str) -> bytes:
    """The bytes of one member; of a stored one, as a run writes them, straight from the archive's."""
    one = archive.getinfo(name)
    at = one.header_offset + LOCAL_HEADER_BYTES
    if one.compress_type != zipfile.ZIP_STORED or content[one.header_offset : at][:4] != SIGNATURE:
        return archive.read(one)
    # The local header ends in the lengths of the name and of what else follows it.
    start = at + sum(int.from_bytes(content[end - 2 : end], "little") for end in (at - 2, at))
    data = content[start : start + one.file_size]
    if zlib.crc32(data) != one.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {name!r}")
    return data


def _column(data: bytes) -> _Column:
    at = PREFIX_BYTES + int.from_bytes(data[PREFIX_BYTES - 2 : PREFIX_BYTES], "little")
    dtype, size = _header(data[:at])
    return np.frombuffer(data, dtype, count=size, offset=at)


@lru_cache(maxsize=1024)
def _header(header: bytes) -> tuple[np.dtype[Any], int]:
    """The type and the number of the values that follow. Raises ValueError."""
    read = io.BytesIO(header)
    version = np.lib.format.read_magic(read)
    if version != (1, 0):
        raise ValueError(f"a column is in version {version} of the .npy format and not in 1.0")
    shape, _, dtype = np.lib.format.read_array_header_1_0(read)
    if len(shape) != 1 or dtype.hasobject:
        raise ValueError(f"a column is {dtype} in the shape {shape}, and not a row of numbers")
    return dtype, shape[0]
