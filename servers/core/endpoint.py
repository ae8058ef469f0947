"""What an endpoint is: a path, its methods, what answers it, and its OpenAPI operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from servers.core.reply import Reply

if TYPE_CHECKING:
    from servers.core.request import Request
    from servers.core.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One row of the HTTP contract.

    `method` is the one that does the work; HEAD comes with GET, and OPTIONS with every path. `handle` may raise
    ApiError. `operation` is the OpenAPI 3.1 operation object without its error responses, which follow from the
    contract; `clause` is the heading of docs/contract.md that it implements.
    """

    name: str
    method: str
    handle: Callable[[Service, Request], Reply]
    operation: dict[str, Any]
    accepts: tuple[str, ...] = ()
    models: tuple[str, ...] = field(default=())
    clause: str = "service-routes"

    @property
    def path(self) -> str:
        """The exact path; nothing is merged, redirected or stripped."""
        return "/openapi.json" if self.name == "openapi" else f"/{self.name}"

    @property
    def methods(self) -> tuple[str, ...]:
        """Every method that does not answer 405, sorted."""
        return ("GET", "HEAD", "OPTIONS") if self.method == "GET" else ("OPTIONS", self.method)

    @property
    def allow(self) -> str:
        """The `Allow` value of this path."""
        return ", ".join(self.methods)
