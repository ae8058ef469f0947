"""One file an endpoint; adding a file adds the endpoint to every framework."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from servers.core.regression import Regression
from servers.core.service import Endpoint

_MODULES: Final = [
    import_module(f"{__name__}.{name}") for name in sorted(found.name for found in iter_modules(__path__))
]

ENDPOINTS: Final[tuple[Endpoint, ...]] = tuple(module.ENDPOINT for module in _MODULES)

REGRESSIONS: Final[dict[str, Regression]] = {
    module.ENDPOINT.name: module.REGRESSION for module in _MODULES if hasattr(module, "REGRESSION")
}
"""By endpoint, the regression behind it."""
