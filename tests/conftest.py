"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from servers.core.loading import Loaded
from servers.core.service import Service
from servers.models.catalog import MODELS
from servers.models.reference import reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Predictor


def _reference_predictor(name: str) -> Predictor:
    def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
        wide = batch.astype(np.float64) / (255.0 if batch.dtype == np.uint8 else 1.0)
        with np.errstate(over="ignore"):
            return reference(name, wide).astype(np.float32)

    return predict


@pytest.fixture(name="make_service")
def _make_service() -> Callable[[], Service]:
    """A core whose models are the float64 references: real answers without TensorFlow's start-up."""

    def make() -> Service:
        service = Service(target="test", facts={"parts": {}, "versions": {}, "threads": {}, "pid": 0})
        service.loaded = Loaded(
            predictors={name: _reference_predictor(name) for name in MODELS},
            models={},
            device="reference",
            startup_s={},
            threads={},
            retraces=lambda: 0,
        )
        return service

    return make


@pytest.fixture(name="served", scope="session")
def _served() -> Service:
    """A core with the models as they are served by default, in this process: TensorFlow, mode `function`."""
    from mode_builds import right  # noqa: PLC0415 - it brings TensorFlow, which most tests do without

    built = {name: right("function", name) for name in MODELS}
    service = Service(target="test", facts={"parts": {}, "versions": {}, "threads": {}, "pid": 0})
    service.loaded = Loaded(
        predictors={name: one.predict for name, one in built.items()},
        models={name: {"digest": model.digest} for name, model in MODELS.items()},
        device="cpu",
        startup_s={},
        threads={},
        retraces=lambda: 0,
    )
    return service
