"""Fewer samples, said so: what a copy of a run keeps of its nanosecond samples, and the note that its reports read.

Of each trial every k-th sample is kept, in the order of their requests, so that no part of a trial is favoured. Figures
of throughput are in the journal and stay as they were; percentiles are those of the samples that are left.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from experiment.fields import RecordError

FILE_NAME = "thinning.json"
SAMPLES = "samples"


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


def copy_samples(run: Path, into: Path, most_bytes: int) -> int:
    """Copy the samples of `run`, compressed, as whole as `most_bytes` allow; the k of which every k-th was kept.

    Raises ValueError where not even one sample a trial would fit.
    """
    every, before = 1, -1
    while True:
        size = _write(run, into, every)
        if size <= most_bytes:
            break
        if size == before:
            raise ValueError(f"the samples take {size} bytes however thin they are: more than {most_bytes}")
        before = size
        every = max(every + 1, -(-every * size // most_bytes))
    if every > 1:
        (into / FILE_NAME).write_text(json.dumps({"kept_every": every}) + "\n", encoding="utf-8")
    return every


def _write(run: Path, into: Path, every: int) -> int:
    """Write every `every`-th sample of each trial; the bytes that they take."""
    shutil.rmtree(into / SAMPLES, ignore_errors=True)
    (into / SAMPLES).mkdir(parents=True)
    size = 0
    for path in sorted((run / SAMPLES).glob("*.npz")):
        copied = into / SAMPLES / path.name
        with np.load(path, allow_pickle=False) as arrays:
            kept = {name: arrays[name][::every] for name in arrays.files}
        np.savez_compressed(copied, allow_pickle=False, **kept)
        size += copied.stat().st_size
    return size
