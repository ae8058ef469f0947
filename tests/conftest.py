"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from reference_service import reference_service

from servers.core.endpoints import ENDPOINTS
from servers.core.loading import Loaded
from servers.core.service import Service
from servers.models.catalog import MODELS


@pytest.fixture(name="make_service")
def _make_service() -> Callable[[], Service]:
    """A core whose models are the float64 references."""
    return reference_service


@pytest.fixture(name="served", scope="session")
def _served() -> Service:
    """A core with the models as they are served by default, in this process: TensorFlow, mode `function`."""
    from mode_builds import right  # noqa: PLC0415 - it brings TensorFlow, which most tests do without

    built = {name: right("function", name) for name in MODELS}
    service = Service(target="test", endpoints=ENDPOINTS, facts={"parts": {}, "versions": {}, "threads": {}, "pid": 0})
    service.loaded = Loaded(
        predictors={name: one.predict for name, one in built.items()},
        models={name: {"digest": model.digest} for name, model in MODELS.items()},
        device="cpu",
        startup_s={},
        threads={},
        retraces=lambda: 0,
    )
    return service
