"""`GET /metadata`: what exactly is answering here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from servers.core.reply import Reply, json_reply, told
from servers.core.service import Endpoint, Service

if TYPE_CHECKING:
    from servers.core.request import Request


def _handle(service: Service, _request: Request) -> Reply:
    return json_reply(service.metadata())


ENDPOINT: Final = Endpoint(
    name="metadata",
    method="GET",
    handle=_handle,
    operation={
        "summary": "The target's parts, versions, models, device and thread settings",
        "responses": {
            "200": told(
                "Metadata of this process",
                properties={
                    "target": {"type": "string"},
                    "versions": {"type": "object", "additionalProperties": {"type": "string"}},
                    "models": {"type": "object"},
                    "device": {"type": ["string", "null"]},
                    "threads": {"type": "object"},
                    "batching": {"type": "object"},
                },
                required=["target", "versions", "models", "device", "threads", "batching"],
            )
        },
    },
)
