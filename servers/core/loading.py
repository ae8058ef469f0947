"""From nothing to warm: import TensorFlow, build every model in the target's mode, compare, warm up.

It runs in the process that serves, after any fork: TensorFlow's threads do not survive one (tensorflow#8220).
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core.refusal import RefusedError
from servers.core.row_counts import PADDED_ROWS
from servers.models.catalog import MODELS
from servers.models.probes import probes
from servers.models.reference import ATOL, RTOL, reference

if TYPE_CHECKING:
    from servers.core.mode import Built, Predictor
    from servers.core.source import Source

_ONE_ROW: Final = (1,)
"""Row counts that a model is run with where its endpoint takes one row; regressions take `PADDED_ROWS`."""

_WARM_RUNS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What requests are answered from."""

    predictors: dict[str, Predictor]
    models: dict[str, dict[str, Any]]
    device: str
    startup_s: dict[str, float]
    threads: dict[str, Any]
    retraces: Callable[[], int]


def load(*, mode: str, device: str, folder: Path, intra: int, inter: int) -> Loaded:
    """Every model of the catalog in `mode`; raises RefusedError where one is wrong or cannot run."""
    started = time.perf_counter()
    from servers.core import mode as modes  # noqa: PLC0415 - TensorFlow's import is a measured part of start-up
    from servers.core.runtime import configure  # noqa: PLC0415
    from servers.core.source import Source  # noqa: PLC0415

    threads = configure(device=device, intra=intra, inter=inter)
    imported = time.perf_counter()
    sources = {name: Source(model=model, folder=folder) for name, model in MODELS.items()}
    built = {name: modes.build(mode, source) for name, source in sources.items()}
    loaded = time.perf_counter()
    errors: dict[str, float] = {}
    for name, source in sources.items():
        errors[name] = compare(source, built[name])
        _warm(source, built[name])
    warmed = time.perf_counter()
    devices = {name: one.device() for name, one in built.items()}
    misplaced = [name for name, where in devices.items() if f"device:{device}:" not in where.lower()]
    if misplaced:
        raise RefusedError(f"device {device}: {', '.join(misplaced)} ran on {devices[misplaced[0]]}")
    # What is alive now lives as long as the process; without this a full collection walks all of TensorFlow's objects
    # and stalls a request for a quarter of a second.
    gc.collect()
    gc.freeze()
    traces_when_ready = sum(one.traces() for one in built.values())
    return Loaded(
        predictors={name: one.predict for name, one in built.items()},
        models={
            name: {"digest": model.digest, "largest_error": errors[name], "rtol": RTOL, "atol": ATOL}
            for name, model in MODELS.items()
        },
        device=devices["digits_cnn"],
        startup_s={
            "import_s": round(imported - started, 4),
            "load_s": round(loaded - imported, 4),
            "warm_s": round(warmed - loaded, 4),
        },
        threads=threads,
        retraces=lambda: sum(one.traces() for one in built.values()) - traces_when_ready,
    )


def compare(source: Source, built: Built) -> float:
    """The largest absolute error against the float64 reference; raises RefusedError beyond the tolerance."""
    rows = probes(source.model.name)
    wanted = reference(source.model.name, source.reference_input(rows))
    worst = 0.0
    for size in _row_counts(source):
        # Batch by batch, as requests come: a kernel for one row is not the kernel for four.
        indices = np.arange(max(size, len(rows))) % len(rows)
        batches = np.split(rows[indices], range(size, len(indices), size))
        answers = np.concatenate([built.predict(batch) for batch in batches]).astype(np.float64)
        if answers.shape != wanted[indices].shape or not np.allclose(answers, wanted[indices], rtol=RTOL, atol=ATOL):
            raise RefusedError(
                f"model {source.model.name} differs from its float64 reference beyond rtol {RTOL} and atol {ATOL}"
                f" with {size} {'row' if size == 1 else 'rows'}"
            )
        worst = max(worst, float(np.max(np.abs(answers - wanted[indices]))))
    return worst


def _warm(source: Source, built: Built) -> None:
    rows = probes(source.model.name)
    for size in _row_counts(source):
        batch = rows[np.arange(size) % len(rows)]
        for _ in range(_WARM_RUNS):
            built.predict(batch)


def _row_counts(source: Source) -> tuple[int, ...]:
    return _ONE_ROW if source.is_image else PADDED_ROWS
