"""Before a target is timed: every payload once, its answer held against the float64 reference and then kept.

The kept bytes are what each timed answer must equal, so a target that turns wrong under load is caught.
"""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from loadtests.orders import PreparedRequest
from loadtests.scenarios import Scenario
from servers.models.payloads import Payload, payloads
from servers.models.reference import ATOL, RTOL

_TIMEOUT_S: Final = 20.0


class WrongAnswerError(Exception):
    """A target answers a good request otherwise than the reference; the message says which and how."""


def prime(base_url: str, scenarios: Iterable[Scenario]) -> dict[str, tuple[PreparedRequest, ...]]:
    """The prepared requests of each scenario, by its id, for the target at `base_url`. Raises WrongAnswerError."""
    prepared: dict[tuple[str, str, int], tuple[PreparedRequest, ...]] = {}
    found: dict[str, tuple[PreparedRequest, ...]] = {}
    for scenario in scenarios:
        load = (scenario.endpoint, scenario.encoding, scenario.payloads)
        if load not in prepared:
            prepared[load] = tuple(_prime_one(base_url, scenario.endpoint, one) for one in payloads(*load))
        found[scenario.id] = prepared[load]
    return found


def agrees(answer: Any, expected: Any) -> bool:
    """Whether a JSON prediction is the reference's: classes exactly, numbers within the tolerance of float32."""
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(agrees, answer, expected))
    if isinstance(expected, int):
        return type(answer) is int and answer == expected
    return type(answer) in (int, float) and math.isclose(answer, expected, rel_tol=RTOL, abs_tol=ATOL)


def _prime_one(base_url: str, endpoint: str, payload: Payload) -> PreparedRequest:
    url = urlsplit(base_url)
    path = f"{url.path.rstrip('/')}/{endpoint}"
    headers = {"Content-Type": payload.content_type}
    # A connection a request: a development server keeps none, and this is not timed.
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", path, payload.body, headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswerError(f"{payload.name}: no answer ({type(error).__name__}: {error})") from error
    finally:
        connection.close()
    try:
        prediction = json.loads(body)[payload.expected_key]
    except (ValueError, KeyError, TypeError):
        prediction = None
    if response.status != 200 or not agrees(prediction, payload.expected):
        raise WrongAnswerError(
            f"{payload.name}: {response.status} {body[:80]!r}, the reference says {payload.expected}"
        )
    return PreparedRequest(method="POST", path=f"/{endpoint}", headers=headers, body=payload.body, expect_body=body)
