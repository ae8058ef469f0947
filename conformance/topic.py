"""What the cases of one file have in common."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.case import Case, Expectation
from conformance.finding import Level
from conformance.http_request import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The head of every id, the endpoint, and what holds where a case does not say otherwise.

    `clause` is where most claims of the topic stand, `server_may_refuse` whether a WSGI server may turn its requests
    down by itself.
    """

    prefix: str
    endpoint: str
    clause: str = ""
    server_may_refuse: bool = False

    def case(
        self,
        name: str,
        proves: str,
        request: HttpRequest | None,
        expects: Expectation,
        clause: str = "",
        *,
        level: Level = Level.MUST,
        server_may_refuse: bool | None = None,
        parity: bool = True,
    ) -> Case:
        """One case of the topic; `name` follows the prefix in its id."""
        return Case(
            id=f"{self.prefix}-{name}",
            proves=proves,
            clause=clause or self.clause,
            endpoint=self.endpoint,
            request=request,
            expects=expects,
            level=level,
            server_may_refuse=self.server_may_refuse if server_may_refuse is None else server_may_refuse,
            parity=parity,
        )
