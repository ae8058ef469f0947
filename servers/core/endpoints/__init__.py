"""One file an endpoint; adding a file adds the endpoint to every framework."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from servers.core.service import Endpoint

ENDPOINTS: Final[tuple[Endpoint, ...]] = tuple(
    import_module(f"{__name__}.{found.name}").ENDPOINT for found in sorted(iter_modules(__path__), key=lambda m: m.name)
)
