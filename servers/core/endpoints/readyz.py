"""`GET /readyz`: every model is loaded, checked and warm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from servers.core.reply import Reply, json_reply, told_status
from servers.core.service import Endpoint, Service

if TYPE_CHECKING:
    from servers.core.request import Request


def _handle(service: Service, _request: Request) -> Reply:
    service.require_ready()
    return json_reply({"status": "ready"})


ENDPOINT: Final = Endpoint(
    name="readyz",
    method="GET",
    handle=_handle,
    operation={
        "summary": "Readiness",
        "responses": {
            "200": told_status("Every model is warm", "ready"),
            "503": {"$ref": "#/components/responses/Error"},
        },
    },
)
