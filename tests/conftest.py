"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from reference_service import reference_service

if TYPE_CHECKING:
    from servers.core.service import Service


@pytest.fixture(name="make_service")
def _make_service() -> Callable[[], Service]:
    """A core whose models are the float64 references."""
    return reference_service
