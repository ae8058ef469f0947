"""`GET /openapi.json`: the contract for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from servers.core.openapi_document import document
from servers.core.reply import Reply, json_reply, told
from servers.core.service import Endpoint, Service

if TYPE_CHECKING:
    from servers.core.request import Request


def _handle(service: Service, _request: Request) -> Reply:
    return json_reply(document(service.endpoints))


ENDPOINT: Final = Endpoint(
    name="openapi",
    method="GET",
    handle=_handle,
    operation={"summary": "This document", "responses": {"200": told("OpenAPI 3.1")}},
)
