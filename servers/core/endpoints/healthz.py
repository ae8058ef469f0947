"""`GET /healthz`: the process lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from servers.core.reply import Reply, json_reply, told_status
from servers.core.service import Endpoint, Service

if TYPE_CHECKING:
    from servers.core.request import Request


def _handle(_service: Service, _request: Request) -> Reply:
    return json_reply({"status": "alive"})


ENDPOINT: Final = Endpoint(
    name="healthz",
    method="GET",
    handle=_handle,
    operation={"summary": "Liveness", "responses": {"200": told_status("The process answers", "alive")}},
)
