"""The core that every adapter holds: what an endpoint is, models once warm, and an answer for whatever happens.

`Endpoint` and `Service` name each other, so they stand in one file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from servers.core.images import by_pillow
from servers.core.reply import ApiError, Reply, internal, method_not_allowed, not_found, overloaded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from servers.core.batching import Batcher
    from servers.core.images import Resize
    from servers.core.loading import Loaded
    from servers.core.request import Request

_RETRY_AFTER_S: Final = 1

_log: Final = logging.getLogger("titrate.core")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row of the HTTP contract.

    `method` is the one that does the work; HEAD comes with GET, and OPTIONS with every path. `handle` may raise
    ApiError. `operation` is the OpenAPI 3.1 operation object without its error responses, which follow from the
    contract; `clause` is the heading of docs/contract.md that it implements. `coded` is False for the routes of other
    protocols, whose errors have a text and no code.
    """

    name: str
    method: str
    handle: Callable[[Service, Request], Reply]
    operation: dict[str, Any]
    accepts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    clause: str = "service-routes"
    coded: bool = True

    @property
    def path(self) -> str:
        """The exact path; nothing is merged, redirected or stripped."""
        return "/openapi.json" if self.name == "openapi" else f"/{self.name}"

    @property
    def root(self) -> str:
        """The first segment of its path: `/v1`."""
        return "/" + self.name.partition("/")[0]

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method that does not answer 405, sorted."""
        return ("GET", "HEAD", "OPTIONS") if self.method == "GET" else ("OPTIONS", self.method)

    @property
    def allow(self) -> str:
        """The `Allow` value of this path."""
        return ", ".join(self.methods)


@dataclass(slots=True, kw_only=True)
class Service:
    """One process's core. `loaded` stays None until every model is built, compared with its reference and warm.

    `batchers` holds those predictors of `loaded` that are behind a queue; none while batching is off.
    """

    target: str
    endpoints: tuple[Endpoint, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    loaded: Loaded | None = None
    batchers: dict[str, Batcher] = field(default_factory=dict)

    def answer(self, endpoint: Endpoint, request: Request) -> Reply:
        """The reply of `endpoint`; never raises."""
        if request.method == "OPTIONS":
            return Reply(status=204, body=b"", headers=(("Allow", endpoint.allow),))
        try:
            return endpoint.handle(self, request)
        except ApiError as refusal:
            return refusal.reply(coded=endpoint.coded)
        except Exception:  # noqa: BLE001 - as in the middleware; here the framework still makes the response
            request_id = uuid4().hex
            _log.exception("request %s to %s failed", request_id, endpoint.path)
            return internal().reply(coded=endpoint.coded)

    def no_such_path(self, path: str) -> Reply:
        """What the adapter answers where its router finds nothing; without a code beside routes that have none."""
        coded = {endpoint.coded for endpoint in self.endpoints if path.startswith(f"{endpoint.root}/")}
        return not_found().reply(coded=False not in coded)

    def no_such_method(self, path: str) -> Reply:
        """What the adapter answers where its router finds the path but not the method."""
        found = next(endpoint for endpoint in self.endpoints if endpoint.path == path)
        return method_not_allowed(found.allow).reply(coded=found.coded)

    def predict(self, model: str, batch: NDArray[Any]) -> NDArray[np.float32]:
        """One model on a batch whose dtype and trailing shape the endpoint has made right; 503 until warm."""
        return self.require_ready().predictors[model](batch)

    def run(self, model: str, inputs: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
        """A user's model, or another signature of it, on inputs that are held against it; 503 until warm."""
        return self.require_ready().runs[model](*inputs)

    @property
    def resize(self) -> Resize:
        """How pictures are brought to a model's size; the pixels are the same before loading has found a faster way."""
        return by_pillow if self.loaded is None else self.loaded.resize

    def require_room(self, model: str) -> None:
        """Raise ApiError 503 where the queue of `model` is full; for before costly work on a request's input."""
        batcher = self.batchers.get(model)
        if batcher is not None:
            batcher.require_room()

    def require_ready(self) -> Loaded:
        """What was loaded; raises ApiError 503 while it is not."""
        if self.loaded is None:
            raise overloaded(_RETRY_AFTER_S)
        return self.loaded

    def metadata(self) -> dict[str, Any]:
        """The facts of this process: static ones, and what loading found out."""
        loaded = self.loaded
        return {
            **self.facts,
            "target": self.target,
            "device": None if loaded is None else loaded.device,
            "models": {} if loaded is None else loaded.models,
            "startup": {} if loaded is None else loaded.startup_s,
            "resampling": "pillow" if self.resize is by_pillow else "compiled",
            "batching": {name: batcher.to_json() for name, batcher in self.batchers.items()},
            "retraces": None if loaded is None else loaded.retraces(),
        }
