"""A run as one file: a zip that any unzip opens, and that every reader of a run folder opens like a folder.

Its samples stand as columns (`experiment.sample_columns`). `experiment.packing` writes it. What is opened may come from
a stranger, so nothing is taken that a run would not have.
"""

from __future__ import annotations

import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from experiment import sample_columns
from experiment.errors import usage
from experiment.journal import FILE_NAME as JOURNAL
from experiment.run_folder import THINNING_NAME
from experiment.sample_columns import Index

SUFFIX: Final = ".zip"
INDEX: Final = "samples.json"
COPIED: Final = (JOURNAL, "conformance.xml", "instructions.json", "ladder.json")
"""What is taken as it is, where a run has it."""

MOST_PLAIN_BYTES: Final = 1 << 30
"""What an archive may take when it is unpacked. It is in memory at once; a run of 20 million requests fits."""

_NAMES: Final = "|".join(re.escape(name) for name in (*COPIED, THINNING_NAME, INDEX))
_MEMBER: Final = re.compile(rf"{_NAMES}|{sample_columns.FOLDER}/[a-z][a-z_]{{0,31}}")
_MOST_MEMBERS: Final = 64
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    ValueError,
    EOFError,
    OSError,
    NotImplementedError,
    msgspec.MsgspecError,
)


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The run folder at `path`, or that of the archive there, which is gone after the block. Raises ExpectedError."""
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="titrate-") as holder:
        # Named as the archive is, so that whoever complains about a file in it names both.
        folder = Path(holder) / path.name
        try:
            _unpack(path, folder)
        except _BROKEN as error:
            raise usage(
                f"{path} cannot be opened as a run: {error}",
                hint="a run is a folder, as `bench.py run` printed it, or an archive that `bench.py pack` wrote",
            ) from error
        yield folder


def _unpack(path: Path, folder: Path) -> None:
    """Write what the archive holds into the new folder `folder`; all of it is checked first. Raises one of _BROKEN."""
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: _content(archive, member) for member in _expected(archive)}
    if JOURNAL not in members:
        raise ValueError(f"it has no {JOURNAL}")
    prefix = f"{sample_columns.FOLDER}/"
    columns = {name.removeprefix(prefix): members.pop(name) for name in list(members) if name.startswith(prefix)}
    index = members.pop(INDEX, None)
    if index is None and columns:
        raise ValueError(f"it has no {INDEX}")
    table = None if index is None else sample_columns.decoded(msgspec.json.decode(index, type=Index), columns)
    folder.mkdir()
    for name, content in members.items():
        (folder / name).write_bytes(content)
    if table is not None:
        (folder / sample_columns.FOLDER).mkdir()
        table.write(folder / sample_columns.FOLDER)


def _expected(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members, where all of them are files by names that an archive may have and no larger than it may be."""
    members = archive.infolist()
    if len(members) > _MOST_MEMBERS or len({member.filename for member in members}) < len(members):
        raise ValueError("it has more members than a run, or one of them twice")
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not _MEMBER.fullmatch(member.filename) or kind not in (0, stat.S_IFREG):
            raise ValueError(f"{member.filename!r} does not belong in it")
        if member.flag_bits & 1:
            raise ValueError(f"{member.filename!r} is encrypted")
    size = sum(member.file_size for member in members)
    if size > MOST_PLAIN_BYTES:
        raise ValueError(f"unpacked it would take {size} bytes; {MOST_PLAIN_BYTES} is the most")
    return members


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes, their checksum checked: no more than it says that it has, whatever it holds."""
    with archive.open(member) as stream:
        content = stream.read(member.file_size)
    if len(content) != member.file_size:
        raise ValueError(f"{member.filename!r} is cut off")
    return content
