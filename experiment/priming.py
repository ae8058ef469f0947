"""Before a target is timed: every payload once, its answer held against the float64 reference and then kept.

The kept bytes are what each timed answer must equal, so a target that turns wrong under load is caught.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import tensor_messages
from experiment.foreign_server import ForeignPayload, Route, translated
from loadtests.orders import PreparedRequest
from loadtests.scenarios import Scenario
from servers.models.payloads import PROTOBUF, Payload, payloads
from servers.models.reference import ATOL, RTOL
from servers.models.user_model import UserModel, UserModelPayload

_TIMEOUT_S: Final = 20.0
_SHOWN: Final = 80


class WrongAnswerError(Exception):
    """A target answers a good request otherwise than the reference; the message says which and how."""


def prime(
    base_url: str,
    scenarios: Iterable[Scenario],
    *,
    foreign: bool,
    user_models: Mapping[str, UserModel] = MappingProxyType({}),
    route: Route | None = None,
) -> dict[str, tuple[PreparedRequest, ...]]:
    """The prepared requests of each scenario, by its id, for the target at `base_url`. Raises WrongAnswerError.

    `user_models` are those behind endpoints that are not ours, by name, with what they answer by themselves.

    A `foreign` server has a model of its own, which the reference knows nothing of: its first answers are what later
    ones must equal, unless it answers the same request in two ways. Where it has the user's model, it is asked by its
    `route` and held to what that model answers.
    """
    prepared: dict[tuple[str, str, int], tuple[PreparedRequest, ...]] = {}
    found: dict[str, tuple[PreparedRequest, ...]] = {}
    for scenario in scenarios:
        load = (scenario.endpoint, scenario.encoding, scenario.payloads)
        if load not in prepared:
            prepared[load] = tuple(
                _primed(base_url, scenario, foreign=foreign, model=user_models.get(scenario.endpoint), route=route)
            )
        found[scenario.id] = prepared[load]
    return found


def _primed(
    base_url: str, scenario: Scenario, *, foreign: bool, model: UserModel | None, route: Route | None
) -> Iterator[PreparedRequest]:
    if model is None:
        for payload in payloads(scenario.endpoint, scenario.encoding, scenario.payloads):
            yield _prime(base_url, scenario.endpoint, payload, foreign=foreign, held=not foreign)
        return
    place = route.path if route else scenario.endpoint
    for asked in translated(route, model) if route else model.payloads:
        yield _prime(base_url, place, asked, foreign=foreign, held=True)


def answers_to(requests: Iterable[PreparedRequest]) -> dict[str, str | None]:
    """By each request, named by its path and a digest of its body, a digest of the answer that it is held to."""
    return {
        f"{one.method} {one.path} {_digest(one.body)}": None if one.expect_body is None else _digest(one.expect_body)
        for one in requests
    }


def changed(first: Mapping[str, str | None], now: Mapping[str, str | None]) -> str | None:
    """The first request that had one answer at first and has another now; None where there is none."""
    return next((name for name, answer in first.items() if answer and name in now and now[name] != answer), None)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def predicted(payload: Payload | UserModelPayload, body: bytes) -> Any:
    """The prediction in the body of an answer, nested as the answer nests it; None where there is none."""
    try:
        if isinstance(payload, ForeignPayload):
            return payload.read(body)
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


def _prime(
    base_url: str, place: str, payload: Payload | UserModelPayload, *, foreign: bool, held: bool
) -> PreparedRequest:
    """The request, its answer `held` to the reference; a foreign server may answer it in two ways."""
    status, body = _ask(base_url, place, payload)
    tolerance = payload.tolerance if isinstance(payload, UserModelPayload) else ATOL
    if status != 200:
        raise WrongAnswerError(f"{payload.name}: {status} {body[:_SHOWN]!r}")
    if held and not agrees(predicted(payload, body), payload.expected, tolerance):
        wanted = str(payload.expected)[:_SHOWN]
        raise WrongAnswerError(f"{payload.name}: {status} {body[:_SHOWN]!r}, the reference says {wanted}")
    again = _ask(base_url, place, payload)[1] if foreign else body
    return _prepared(place, payload, body if again == body else None)


def _prepared(endpoint: str, payload: Payload | UserModelPayload, answer: bytes | None) -> PreparedRequest:
    headers = _headers(payload)
    # Two answers of a model that differs from call to call may lie on either side of a third.
    within = 2 * payload.spread if isinstance(payload, UserModelPayload) else 0.0
    return PreparedRequest(
        method="POST", path=f"/{endpoint}", headers=headers, body=payload.body, expect_body=answer, within=within
    )


def _headers(payload: Payload | UserModelPayload) -> dict[str, str]:
    more = payload.headers if isinstance(payload, ForeignPayload) else {}
    return {"Content-Type": payload.content_type, **more}


def _ask(base_url: str, endpoint: str, payload: Payload | UserModelPayload) -> tuple[int, bytes]:
    url = urlsplit(base_url)
    # A connection a request: a development server keeps none, and this is not timed.
    connection = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=_TIMEOUT_S)
    try:
        path = f"{url.path.rstrip('/')}/{endpoint}"
        connection.request("POST", path, payload.body, _headers(payload))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise WrongAnswerError(f"{payload.name}: no answer ({type(error).__name__}: {error})") from error
    finally:
        connection.close()
