"""Before a target is timed: every payload once, its answer held against the float64 reference and then kept.

The kept bytes are what each timed answer must equal, so a target that turns wrong under load is caught.
"""

from __future__ import annotations

import http.client
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import tensor_messages
from loadtests.orders import PreparedRequest
from loadtests.scenarios import Scenario
from servers.models.payloads import PROTOBUF, Payload, payloads
from servers.models.reference import ATOL, RTOL
from servers.models.user_model import UserModelPayload

_TIMEOUT_S: Final = 20.0
_SHOWN: Final = 80


class WrongAnswerError(Exception):
    """A target answers a good request otherwise than the reference; the message says which and how."""


def prime(
    base_url: str,
    scenarios: Iterable[Scenario],
    *,
    foreign: bool,
    user_models: Mapping[str, Sequence[UserModelPayload]] = MappingProxyType({}),
) -> dict[str, tuple[PreparedRequest, ...]]:
    """The prepared requests of each scenario, by its id, for the target at `base_url`. Raises WrongAnswerError.

    `user_models` holds the payloads of endpoints that are not ours, by name, with what their models answer by
    themselves.

    A `foreign` server has a model of its own, which the reference knows nothing of: its first answers are what later
    ones must equal, unless it answers the same request in two ways.
    """
    prepared: dict[tuple[str, str, int], tuple[PreparedRequest, ...]] = {}
    found: dict[str, tuple[PreparedRequest, ...]] = {}
    for scenario in scenarios:
        load = (scenario.endpoint, scenario.encoding, scenario.payloads)
        if load not in prepared:
            one = _prime_foreign if foreign else _prime_own
            asked = user_models.get(scenario.endpoint) or payloads(*load)
            prepared[load] = tuple(one(base_url, scenario.endpoint, payload) for payload in asked)
        found[scenario.id] = prepared[load]
    return found


def predicted(payload: Payload | UserModelPayload, body: bytes) -> Any:
    """The prediction in the body of an answer, nested as the answer nests it; None where there is none."""
    try:
        answer = tensor_messages.read_any(body) if payload.content_type == PROTOBUF else json.loads(body)
        return answer[payload.expected_key]
    except (ValueError, KeyError, TypeError):  # tensor_messages.NotTensorError is a ValueError
        return None


def agrees(answer: Any, expected: Any, tolerance: float = ATOL) -> bool:
    """Whether a prediction is the reference's: classes, text and truth exactly, numbers as float32 can tell them.

    `tolerance` is absolute.
    """
    if isinstance(expected, list):
        same_length = isinstance(answer, list) and len(answer) == len(expected)
        return same_length and all(agrees(a, b, tolerance) for a, b in zip(answer, expected, strict=True))
    if isinstance(expected, dict):
        same_names = isinstance(answer, dict) and answer.keys() == expected.keys()
        return same_names and all(agrees(answer[name], each, tolerance) for name, each in expected.items())
    if isinstance(expected, int | str):  # a bool is an int
        return type(answer) is type(expected) and bool(answer == expected)
    return type(answer) in (int, float) and math.isclose(answer, expected, rel_tol=RTOL, abs_tol=tolerance)


def _prime_own(base_url: str, endpoint: str, payload: Payload | UserModelPayload) -> PreparedRequest:
    status, body = _ask(base_url, endpoint, payload)
    tolerance = payload.tolerance if isinstance(payload, UserModelPayload) else ATOL
    if status != 200 or not agrees(predicted(payload, body), payload.expected, tolerance):
        wanted = str(payload.expected)[:_SHOWN]
        raise WrongAnswerError(f"{payload.name}: {status} {body[:_SHOWN]!r}, the reference says {wanted}")
    return _prepared(endpoint, payload, body)


def _prime_foreign(base_url: str, endpoint: str, payload: Payload | UserModelPayload) -> PreparedRequest:
    status, body = _ask(base_url, endpoint, payload)
    if status != 200:
        raise WrongAnswerError(f"{payload.name}: {status} {body[:80]!r}")
    _, again = _ask(base_url, endpoint, payload)
    return _prepared(endpoint, payload, body if again == body else None)


def _prepared(endpoint: str, payload: Payload | UserModelPayload, answer: bytes | None) -> PreparedRequest:
    headers = {"Content-Type": payload.content_type}
    # Two answers of a model that differs from call to call may lie on either side of a third.
    within = 2 * payload.spread if isinstance(payload, UserModelPayload) else 0.0
    return PreparedRequest(
        method="POST", path=f"/{endpoint}", headers=headers, body=payload.body, expect_body=answer, within=within
    )


def _ask(base_url: str, endpoint: str, payload: Payload | UserModelPayload) -> tuple[int, bytes]:
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
