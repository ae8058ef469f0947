"""`GET /readyz`: every model is loaded, checked and warm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from servers.core.reply import JSON, Reply, json_reply
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
            "200": {
                "description": "Every model is warm",
                "content": {
                    JSON: {
                        "schema": {
                            "type": "object",
                            "properties": {"status": {"const": "ready"}},
                            "required": ["status"],
                            "additionalProperties": False,
                        }
                    }
                },
            },
            "503": {"$ref": "#/components/responses/Error"},
        },
    },
)
