"""How a target is run: the settings that must be equal between two targets that are compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

THREADS: Final = 8
"""Request threads of a worker: under Granian 4 cost a tenth of `/predict`, 16 gain nothing, and `/classify` does not
care (`bench.py run --vary threads=4,8,16`, docs/design-notes.md)."""

Executor = Literal["default", "single"]

MEMORY: Final = {
    # The GNU C library gives every thread an arena of its own, and raises the size from which it maps a block by itself
    # to that of the largest one freed so far. So one hostile picture makes each thread keep tens of megabytes for good.
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(8 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(8 * 2**20),
    # Granian's bodies are in jemalloc, which gives back what was freed only after seconds, and not while it is idle.
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:0,muzzy_decay_ms:0,background_thread:true",
}
"""How the allocators give memory back: settings of mallopt(3) and of jemalloc's MALLOC_CONF.

Without them a server of 8 threads grew by 35 % from 2000 to 20 000 mixed requests (docs/design-notes.md). Blocks below
8 MiB stay in the heap, where a picture of usual size or a batch of a dozen finds them again without a page fault. A
variable that the caller has set stays.
"""

HASH_SEED: Final = "TITRATE_HASH_SEED"
"""The variable that gives servers another seed of the hash than 0; one for all of them, so it is never compared."""

_VARIABLE: Final = "TITRATE_SETTINGS"
_TARGET_VARIABLE: Final = "TITRATE_TARGET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Address, processes and threads of one served target.

    `threads` are request threads of the WSGI server, per worker; `intra_threads` and `inter_threads` TensorFlow's two
    pools. One worker of one core runs one operation at a time, so both pools default to one thread.
    `executor` runs the graphs: TensorFlow's own, with its pools, or the one that stays on the calling thread.
    `batch` is the largest batch that one model call takes, 0 where requests are answered one by one; `queue` is how
    many rows may wait for it and `deadline_ms` how long, both without meaning where `batch` is 0.
    `model_name` is the endpoint of a user's own SavedModel, "" for none; `model_dir` is where it is described.
    `keep_alive_s` is well above the longest wait between two visits of the load generator.
    """

    host: str = "127.0.0.1"
    port: int = 0
    workers: int = 1
    threads: int = THREADS
    intra_threads: int = 1
    inter_threads: int = 1
    executor: Executor = "default"
    keep_alive_s: int = 300
    batch: int = 0
    queue: int = 0
    deadline_ms: int = 0
    python: str = ""
    models_dir: Path = Path()
    model_name: str = ""
    model_dir: Path = Path()

    def environment(self, target_id: str) -> dict[str, str]:
        """The variables that a serving process needs, TensorFlow's own set before its import."""
        values = asdict(self) | {"models_dir": str(self.models_dir), "model_dir": str(self.model_dir)}
        return {
            **{name: os.environ.get(name, value) for name, value in MEMORY.items()},
            _TARGET_VARIABLE: target_id,
            _VARIABLE: json.dumps(values),
            "TF_NUM_INTRAOP_THREADS": str(self.intra_threads),
            "TF_NUM_INTEROP_THREADS": str(self.inter_threads),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            # What Numba compiles for one process it need not compile for the next.
            "NUMBA_CACHE_DIR": str(self.models_dir / "compiled"),
            # Without it TensorFlow imports Keras, a third of its start-up, which no target here uses.
            "TF_USE_LEGACY_KERAS": "1",
            # Sets iterate in hash order; one seed for all targets keeps that out of the comparison.
            "PYTHONHASHSEED": os.environ.get(HASH_SEED, "0"),
        }

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> tuple[str, Settings]:
        """The target id and the settings that the launcher left. Raises KeyError outside a launched process."""
        values = json.loads(environ[_VARIABLE])
        folders = {name: Path(values[name]) for name in ("models_dir", "model_dir")}
        return environ[_TARGET_VARIABLE], cls(**values | folders)

    def record(self) -> dict[str, Any]:
        """What a run's journal keeps of it: all but the address."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in asdict(self).items()
            if name not in ("host", "port", "models_dir", "model_dir")
        }
