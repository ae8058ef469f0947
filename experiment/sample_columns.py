"""The samples of a run's trials, end to end in one column a name: what is alike in them then takes no room.

A time stands as its distance from the one before it in the same request, the first of them as that from the request
before; and the bytes of a column stand by their weight, all lowest bytes first. Of the 46 bytes of a request zlib then
leaves 9, where it leaves 25 of a file a trial. Nothing is rounded.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from experiment.foreign_ground import MOST_SAMPLES_BYTES, opened_file

FOLDER: Final = "samples"
TIMES: Final = ("due_ns", "sent_ns", "first_ns", "done_ns")
"""In the order in which they happen; those of a type other than `<i8` are columns like any other."""

MOST_FILES: Final = 20_000
"""Trials that one archive may hold; the plan `full` with every target has a third of them."""

_FILE: Final = r"\A[A-Za-z0-9_][A-Za-z0-9._@+~-]{0,240}\.npz\Z"
_COLUMN: Final = r"\A[a-z][a-z_]{0,31}\Z"
_TYPE: Final = r"\A(\|[iu]1|<[iu][248])\Z"
_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '(\|[iu]1|<[iu][248])', 'fortran_order': False, 'shape': \((\d{1,12}),\), \} *\n",
    re.DOTALL,
)
"""Of a column, in version 1.0 of the .npy format. numpy evaluates it and makes room for all it claims."""
BROKEN: Final = (OSError, KeyError, ValueError, EOFError, NotImplementedError, zlib.error, zipfile.BadZipFile)
"""By which `columns` says that a file is not one of a trial's samples."""

Column = npt.NDArray[Any]


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What the columns hold: their types, and how many samples each trial's file has, in their order."""

    version: Literal[1] = 1
    columns: dict[Annotated[str, msgspec.Meta(pattern=_COLUMN)], Annotated[str, msgspec.Meta(pattern=_TYPE)]]
    samples: dict[Annotated[str, msgspec.Meta(pattern=_FILE)], Annotated[int, msgspec.Meta(ge=0)]]

    @property
    def size(self) -> int:
        """All samples."""
        return sum(self.samples.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The samples of all trials. Every column has `index.size` values."""

    index: Index
    columns: Mapping[str, Column]

    @property
    def plain_bytes(self) -> int:
        """What they take without compression."""
        return sum(column.nbytes for column in self.columns.values())

    def thinned(self, every: int) -> Table:
        """Every `every`-th sample of each trial, its first one included."""
        lengths = list(self.index.samples.values())
        place = np.arange(self.index.size) - np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
        kept = place % every == 0
        return Table(
            index=Index(
                columns=self.index.columns,
                samples={name: -(-length // every) for name, length in self.index.samples.items()},
            ),
            columns={name: column[kept] for name, column in self.columns.items()},
        )

    def encoded(self, name: str) -> bytes:
        """One column as it stands in an archive."""
        values = self.columns[name]
        if _is_time(name, self.index.columns):
            before = _before(name, self.index.columns)
            steps = values - self.columns[before] if before else np.diff(values, prepend=np.int64(0))
            # A small negative number would have all its upper bits set; so they take turns: 0, -1, 1, -2, 2.
            values = (steps << 1) ^ (steps >> 63)
        return np.ascontiguousarray(values).view(np.uint8).reshape(-1, values.itemsize).T.tobytes()

    def write(self, folder: Path) -> None:
        """One .npz a trial into `folder`, as a run writes them."""
        ends = np.cumsum([0, *self.index.samples.values()]).tolist()
        for name, (begin, end) in zip(self.index.samples, pairwise(ends), strict=True):
            with zipfile.ZipFile(folder / name, "w") as file:
                for column, values in self.columns.items():
                    with file.open(f"{column}.npy", "w") as member:
                        np.lib.format.write_array(member, values[begin:end], allow_pickle=False)


def read(folder: Path, heard: Callable[[int, int], None]) -> tuple[Table | None, list[str]]:
    """The samples of the .npz files in `folder`, and the names of what is none; None where there is no sample file.

    `heard` is told how many files of how many have been read. Raises ValueError for more than MOST_FILES.
    """
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    if len(paths) > MOST_FILES:
        raise ValueError(f"{folder} has {len(paths)} files; {MOST_FILES} is the most")
    found: dict[str, dict[str, Column]] = {}
    left_out: list[str] = []
    types: dict[str, str] = {}
    for number, path in enumerate(paths):
        heard(number, len(paths))
        columns = _columns(path)
        types = types or {name: column.dtype.str for name, column in columns.items()}
        if columns and {name: column.dtype.str for name, column in columns.items()} == types:
            found[path.name] = columns
        else:
            left_out.append(path.name)
    if not found:
        return None, left_out
    lengths = {name: next(iter(columns.values())).size for name, columns in found.items()}
    whole = {name: np.concatenate([columns[name] for columns in found.values()]) for name in sorted(types)}
    return Table(index=Index(columns=dict(sorted(types.items())), samples=lengths), columns=whole), left_out


def decoded(index: Index, members: Mapping[str, bytes]) -> Table:
    """The samples of an archive whose `members` are its columns by name. Raises ValueError where they do not fit."""
    if len(index.samples) > MOST_FILES:
        raise ValueError(f"it has {len(index.samples)} samples files; {MOST_FILES} is the most")
    if not index.columns or members.keys() != index.columns.keys():
        raise ValueError("its columns of samples are not those of its index")
    columns: dict[str, Column] = {}
    for name in sorted(index.columns, key=lambda one: (one in TIMES and TIMES.index(one), one)):
        kind = np.dtype(index.columns[name])
        if len(members[name]) != index.size * kind.itemsize:
            raise ValueError(f"its column {name} has {len(members[name])} bytes and not {kind.itemsize} a sample")
        planes = np.frombuffer(members[name], dtype=np.uint8).reshape(kind.itemsize, -1)
        values = np.ascontiguousarray(planes.T).view(kind).reshape(-1)
        if _is_time(name, index.columns):
            steps = (values.view(np.uint64) >> np.uint64(1)).view(np.int64) ^ -(values & 1)
            before = _before(name, index.columns)
            values = steps + columns[before] if before else np.cumsum(steps)
        columns[name] = values
    return Table(index=index, columns=dict(sorted(columns.items())))


def columns(path: Path, names: Sequence[str] | None = None) -> dict[str, Column]:
    """The columns of those names in a samples file, None for all; they cannot be written to.

    Every column's checksum is held against its bytes, and no more is read than the file holds: a run stores them as
    they are, so one that unpacks to more is none of a run's.

    Raises KeyError for a column that is missing, others of BROKEN for what is no such file, and ExpectedError.
    """
    with opened_file(path, MOST_SAMPLES_BYTES) as stream, zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise ValueError("its columns are packed, which those of a run are not")
        wanted = [member.filename.removesuffix(".npy") for member in members] if names is None else names
        return {name: _column(archive.read(f"{name}.npy")) for name in wanted}


def _column(data: bytes) -> Column:
    header = _HEADER.match(data)
    if header is None:
        raise ValueError(
            f"a column begins with {data[:80]!r} and is not a row of numbers in version 1.0 of the .npy format"
        )
    return np.frombuffer(data, np.dtype(header[1].decode()), count=int(header[2]), offset=header.end())


def _columns(path: Path) -> dict[str, Column]:
    """The columns of one trial; empty where the file is none of a trial's samples."""
    if not re.match(_FILE, path.name):
        return {}
    try:
        found = columns(path)
    except BROKEN:
        return {}
    fit = found and all(re.match(_COLUMN, name) for name in found) and len({one.size for one in found.values()}) == 1
    return found if fit else {}


def _is_time(name: str, types: Mapping[str, str]) -> bool:
    return name in TIMES and types[name] == "<i8"


def _before(name: str, types: Mapping[str, str]) -> str | None:
    """The time that comes before this one in each request."""
    times = [one for one in TIMES if one in types and _is_time(one, types)]
    place = times.index(name)
    return times[place - 1] if place else None
