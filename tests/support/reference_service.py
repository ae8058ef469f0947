"""A core whose models are the float64 references: real answers without TensorFlow's start-up."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from servers.core.endpoints import ENDPOINTS
from servers.core.loading import Loaded
from servers.core.service import Service
from servers.models.catalog import MODELS
from servers.models.reference import reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Predictor


def reference_service(memory: dict[str, list[list[float]]] | None = None) -> Service:
    """The core, warm. `memory` keeps predictions, by what they are of, and spares those that it holds."""
    service = Service(target="test", endpoints=ENDPOINTS, facts={"parts": {}, "versions": {}, "threads": {}, "pid": 0})
    service.loaded = Loaded(
        predictors={name: _predictor(name, memory) for name in MODELS},
        models={},
        device="reference",
        startup_s={},
        threads={},
        retraces=lambda: 0,
    )
    return service


def _predictor(name: str, memory: dict[str, list[list[float]]] | None) -> Predictor:
    def remembered(batch: NDArray[Any]) -> NDArray[np.float32]:
        if memory is None:
            return predict(batch)
        key = sha256(f"{name} {batch.shape} {batch.dtype} ".encode() + batch.tobytes()).hexdigest()
        if key not in memory:
            memory[key] = predict(batch).tolist()
        return np.array(memory[key], dtype=np.float32)

    def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
        wide = batch.astype(np.float64) / (255.0 if batch.dtype == np.uint8 else 1.0)
        with np.errstate(over="ignore"):
            return reference(name, wide).astype(np.float32)

    return remembered
