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

from conformance import tensors
from loadtests.orders import PreparedRequest
from loadtests.scenarios import Scenario
from servers.models.payloads import PROTOBUF, Payload, payloads
from servers.models.reference import ATOL, RTOL

_TIMEOUT_S: Final = 20.0


class WrongAnswerError(Exception):
    """A target answers a good request otherwise than the reference; the message says which and how."""


def prime(base_url: str, scenarios: Iterable[Scenario], *, foreign: bool) -> dict[str, tuple[PreparedRequest, ...]]:
    """The prepared requests of each scenario, by its id, for the target at `base_url`. Raises WrongAnswerError.

    A `foreign` server has a model of its own, which the reference knows nothing of: its first answers are what later
    ones must equal, unless it answers the same request in two ways.
    """
    prepared: dict[tuple[str, str, int], tuple[PreparedRequest, ...]] = {}
    found: dict[str, tuple[PreparedRequest, ...]] = {}
    for scenario in scenarios:
        load = (scenario.endpoint, scenario.encoding, scenario.payloads)
        if load not in prepared:
            one = _prime_foreign if foreign else _prime_own
            prepared[load] = tuple(one(base_url, scenario.endpoint, payload) for payload in payloads(*load))
        found[scenario.id] = prepared[load]
    return found


def predicted(payload: Payload, body: bytes) -> Any:
    """The prediction in the body of an answer, nested as the answer nests it; None where there is none."""
    try:
        answer = tensors.read(body) if payload.content_type == PROTOBUF else json.loads(body)
        return answer[payload.expected_key]
    except (ValueError, KeyError, TypeError):  # tensors.NotTensorError is a ValueError
        return None


def agrees(answer: Any, expected: Any) -> bool:
    """Whether a prediction is the reference's: classes exactly, numbers within the tolerance of float32."""
    if isinstance(expected, list):
        return isinstance(answer, list) and len(answer) == len(expected) and all(map(agrees, answer, expected))
    if isinstance(expected, int):
        return type(answer) is int and answer == expected
    return type(answer) in (int, float) and math.isclose(answer, expected, rel_tol=RTOL, abs_tol=ATOL)


def _prime_own(base_url: str, endpoint: str, payload: Payload) -> PreparedRequest:
    status, body = _ask(base_url, endpoint, payload)
    if status != 200 or not agrees(predicted(payload, body), payload.expected):
        raise WrongAnswerError(f"{payload.name}: {status} {body[:80]!r}, the reference says {payload.expected}")
    return _prepared(endpoint, payload, body)


def _prime_foreign(base_url: str, endpoint: str, payload: Payload) -> PreparedRequest:
    status, body = _ask(base_url, endpoint, payload)
    if status != 200:
        raise WrongAnswerError(f"{payload.name}: {status} {body[:80]!r}")
    _, again = _ask(base_url, endpoint, payload)
    return _prepared(endpoint, payload, body if again == body else None)


def _prepared(endpoint: str, payload: Payload, answer: bytes | None) -> PreparedRequest:
    headers = {"Content-Type": payload.content_type}
    return PreparedRequest(method="POST", path=f"/{endpoint}", headers=headers, body=payload.body, expect_body=answer)


def _ask(base_url: str, endpoint: str, payload: Payload) -> tuple[int, bytes]:
    url = urlsplit(base_url)
    # A connection a request: a development server keeps none, and this is not timed.
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=_TIMEOUT_S)
    try:
        path = f"{url.path.rstrip('/')}/{endpoint}"
        connection.request("POST", path, payload.body, {"Content-Type": payload.content_type})
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswerError(f"{payload.name}: no answer ({type(error).__name__}: {error})") from error
    finally:
        connection.close()
