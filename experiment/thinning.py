"""Fewer samples, said so: the note in a copy of a run that keeps every k-th of its nanosecond samples.

Of each trial every k-th sample is kept, in the order of their requests, so that no part of a trial is favoured. Figures
of throughput are in the journal and stay as they were; percentiles are those of the samples that are left.
"""

from __future__ import annotations

import json
from pathlib import Path

from experiment.fields import RecordError

FILE_NAME = "thinning.json"


def kept_every(folder: Path) -> int:
    """1 where `folder` has all samples of its run, k where it has every k-th. Raises RecordError for a broken note."""
    try:
        document = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        every = document["kept_every"]
    except FileNotFoundError:
        return 1
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{FILE_NAME} is not one: {error}") from error
    if not isinstance(every, int) or isinstance(every, bool) or every < 2:
        raise RecordError(f"{FILE_NAME} has kept_every {every!r}, which is no whole number above 1")
    return every


def note(every: int) -> bytes:
    """The file's content where every `every`-th sample is left."""
    return json.dumps({"kept_every": every}).encode() + b"\n"
