"""One file an endpoint; adding a file adds the endpoint to every framework. A user's model brings its own."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

from servers.core import open_inference, tensorflow_serving, user_model_endpoint
from servers.core.regression import Regression
from servers.core.service import Endpoint

if TYPE_CHECKING:
    from servers.models.user_model import UserModel

_MODULES: Final = [
    import_module(f"{__name__}.{name}") for name in sorted(found.name for found in iter_modules(__path__))
]

ENDPOINTS: Final[tuple[Endpoint, ...]] = tuple(module.ENDPOINT for module in _MODULES)

REGRESSIONS: Final[dict[str, Regression]] = {
    module.ENDPOINT.name: module.REGRESSION for module in _MODULES if hasattr(module, "REGRESSION")
}
"""By endpoint, the regression behind it."""


def of_model(name: str, model: UserModel) -> tuple[Endpoint, ...]:
    """Every route of a user's model: `POST /NAME`, TensorFlow Serving's API, and the Open Inference Protocol."""
    return (
        user_model_endpoint.endpoint(name, model.signature, model.beside),
        *tensorflow_serving.endpoints(name, model),
        *open_inference.endpoints(name, model),
    )
