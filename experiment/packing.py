"""Packing a run into one archive: what its report is drawn from, and as many of its samples as may be.

The same run gives the same bytes. In the journal's first line the paths of the machine are cut to their last parts,
since they tell nothing; every other line is as it was, so that the report's line numbers hold. What can be derived
stays behind (report, plots, summary), and so do the servers' logs.
"""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec

from experiment import sample_columns
from experiment.archive import COPIED, INDEX, MOST_PLAIN_BYTES
from experiment.foreign_ground import BEGUN_HERE, MOST_JOURNAL_BYTES, read_file, write_file
from experiment.journal import FILE_NAME as JOURNAL
from experiment.run_folder import THINNING_NAME, read_run, thinning_note
from experiment.sample_columns import Table

PATH_PARTS: Final = 3
"""Of `/home/me/titrate/.venv/bin/python` stays `.venv/bin/python`: enough to tell two interpreters apart."""

Heard = Callable[[float, float, str], None]

_BEFORE_ALL_FILES: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What became of a run: the archive's size, one sample in how many, and the names of what is not in it."""

    size_bytes: int
    kept_every: int
    left_out: tuple[str, ...]


def _unheard(_done: float, _total: float, _what: str) -> None:
    """Nobody watches."""


def pack(folder: Path, into: Path, *, most_bytes: int | None = None, heard: Heard = _unheard) -> Packed:
    """Write the run in `folder` as the archive `into`, with as many samples as `most_bytes` allow; it appears whole.

    `heard` is told how much of how much is done, and what is under way.

    Raises JournalError where the folder is no run, ValueError where not even one sample a trial would fit.
    """
    run = read_run(folder)
    texts = {name: read_file(folder / name, MOST_JOURNAL_BYTES) for name in COPIED if (folder / name).is_file()}
    texts[JOURNAL] = _without_paths(texts[JOURNAL])
    table, odd = sample_columns.read(
        folder / sample_columns.FOLDER, lambda done, total: heard(done, 2 * total, "reading samples")
    )
    every, content = _fitted(texts, table, run.kept_every, most_bytes, heard)
    heard(1, 1, "packed")
    write_file(into, content)
    taken = {*texts, THINNING_NAME, sample_columns.FOLDER, BEGUN_HERE}
    left_out = [path.name for path in sorted(folder.iterdir()) if path.name not in taken]
    return Packed(
        size_bytes=len(content),
        kept_every=run.kept_every * every,
        left_out=(*left_out, *(f"{sample_columns.FOLDER}/{name}" for name in odd)),
    )


def _fitted(
    texts: Mapping[str, bytes], table: Table | None, kept_every: int, most_bytes: int | None, heard: Heard
) -> tuple[int, bytes]:
    """The k of which every k-th sample fits, about the smallest, and the archive of these. Raises ValueError."""
    every = 1 if table is None else -(-max(1, table.plain_bytes) // (MOST_PLAIN_BYTES // 2))
    longest = 1 if table is None else max(table.index.samples.values())
    without = len(_archive(texts, None, kept_every, heard))
    while True:
        kept = table if table is None or every == 1 else table.thinned(every)
        content = _archive(texts, kept, kept_every * every, heard)
        if most_bytes is None or len(content) <= most_bytes:
            return every, content
        if without >= most_bytes or every >= longest:
            raise ValueError(
                f"it takes {len(content)} bytes, {without} of them without samples: more than {most_bytes}"
            )
        every = min(longest, max(every + 1, every * (len(content) - without) // (most_bytes - without)))


def _archive(texts: Mapping[str, bytes], table: Table | None, kept_every: int, heard: Heard) -> bytes:
    """The content of the zip."""
    members = dict(texts)
    if kept_every > 1:
        members[THINNING_NAME] = thinning_note(kept_every)
    if table is not None:
        members[INDEX] = msgspec.json.encode(table.index) + b"\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in sorted(members.items()):
            _add(archive, name, content)
        if table is not None:
            for number, name in enumerate(table.columns):
                said = name if kept_every == 1 else f"{name}, one sample in {kept_every}"
                heard(len(table.columns) + number, 2 * len(table.columns), f"compressing {said}")
                _add(archive, f"{sample_columns.FOLDER}/{name}", table.encoded(name))
    return stream.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _BEFORE_ALL_FILES)
    # As Unix writes it wherever this runs: a file that its owner may write and all may read.
    member.create_system, member.external_attr = 3, (stat.S_IFREG | 0o644) << 16
    archive.writestr(member, content, zipfile.ZIP_DEFLATED, 9)


def _without_paths(journal: bytes) -> bytes:
    """The journal, the absolute paths in its first line cut to their last parts."""
    header, newline, rest = journal.partition(b"\n")
    return json.dumps(_short(json.loads(header)), ensure_ascii=False, separators=(",", ":")).encode() + newline + rest


def _short(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _short(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_short(inner) for inner in value]
    if isinstance(value, str) and value.startswith("/"):
        return str(PurePosixPath(*PurePosixPath(value).parts[1:][-PATH_PARTS:]))
    return value
