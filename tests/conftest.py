"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from reference_service import reference_service

from servers.core.endpoints import ENDPOINTS
from servers.core.loading import Loaded
from servers.core.service import Service
from servers.models.catalog import MODELS


@pytest.hookimpl(optionalhook=True)  # an environment of the matrix has no xdist
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: tests wait for servers half of their time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, where tests are shared out among processes, those that share what one of them has set up.

    Tests with a fixture of their module's go to one process, each value of its parameter by itself.
    """
    for item in items:
        if isinstance(item, pytest.Function) and (shared := _shared(item)):
            item.add_marker(pytest.mark.xdist_group("/".join((item.path.stem, *shared))))


def _shared(item: pytest.Function) -> list[str]:
    """The fixtures of its module's that a test asks for, with the parameter that each has."""
    given = getattr(item, "callspec", None)
    chosen = {} if given is None else given.params
    fixtures = item._fixtureinfo.name2fixturedefs
    return [f"{name}{chosen.get(name, '')}" for name, found in sorted(fixtures.items()) if found[-1].scope == "module"]


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
