"""How a target is run: the settings that must be equal between two targets that are compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

THREADS: Final = 4
"""Request threads of a worker."""

_VARIABLE: Final = "TITRATE_SETTINGS"
_TARGET_VARIABLE: Final = "TITRATE_TARGET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Address, processes and threads of one served target.

    `threads` are request threads of the WSGI server, per worker; `intra_threads` and `inter_threads` TensorFlow's two
    pools. One worker of one core runs one operation at a time, so both pools default to one thread.
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
            _TARGET_VARIABLE: target_id,
            _VARIABLE: json.dumps(values),
            "TF_NUM_INTRAOP_THREADS": str(self.intra_threads),
            "TF_NUM_INTEROP_THREADS": str(self.inter_threads),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            # Without it TensorFlow imports Keras, a third of its start-up, which no target here uses.
            "TF_USE_LEGACY_KERAS": "1",
            # Sets iterate in hash order; one seed for all targets keeps that out of the comparison.
            "PYTHONHASHSEED": "0",
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
