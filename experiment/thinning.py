"""Fewer samples, said so: the note in a copy of a run that keeps every k-th of its nanosecond samples.

Of each trial every k-th sample is kept, in the order of their requests, so that no part of a trial is favoured. Figures
of throughput are in the journal and stay as they were; percentiles are those of the samples that are left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

FILE_NAME = "thinning.json"


class Thinning(Struct, frozen=True, kw_only=True):
    """The note."""

    kept_every: Annotated[int, Meta(ge=2)]


def kept_every(folder: Path) -> int:
    """1 where `folder` has all samples of its run, k where it has every k-th. Raises ValueError for a broken note."""
    try:
        content = (folder / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return 1
    try:
        return msgspec.json.decode(content, type=Thinning).kept_every
    except msgspec.DecodeError as error:
        raise ValueError(f"{FILE_NAME}: {error}") from error


def note(every: int) -> bytes:
    """The file's content where every `every`-th sample is left."""
    return msgspec.json.encode(Thinning(kept_every=every)) + b"\n"
