"""Before a target is timed: every payload once, its answer held against the float64 reference and then kept.

The kept bytes are what each timed answer must equal, so a target that turns wrong under load is caught.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from addresses.address import Address
from addresses.connecting import MOST_BODY_BYTES
from conformance import tensor_messages
from conformance.case import Figure
from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_request import HttpRequest
from conformance.socket_connection import SocketConnection
from experiment.foreign_server import ForeignPayload, Route, translated
from loadtests.arrival import ClosedLoop
from loadtests.orders import PreparedRequest
from loadtests.scenarios import Scenario, opened
from servers.models.payloads import PROTOBUF, Payload, payloads
from servers.models.reference import ATOL, RTOL
from servers.models.user_model import UserModel, UserModelPayload

_SHOWN: Final = 80
_PAUSES_S: Final = (0.1, 1.1)
"""Before the second and the third time that a foreign server is asked: over a second, so that a clock has moved on."""
_LENIENCE: Final = 8
"""How many times as long as the first answer, and 64 KiB, later ones may be before they are broken off."""


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
    ones must equal, unless it answers the same request in two ways, asked three times within a second and a half. Where
    it has the user's model, it is asked by its `route` and held to what that model answers.
    """
    prepared: dict[tuple[str, str, int], tuple[PreparedRequest, ...]] = {}
    found: dict[str, tuple[PreparedRequest, ...]] = {}
    for scenario in scenarios:
        load = (scenario.endpoint, scenario.encoding, scenario.payloads)
        if load not in prepared:
            model = user_models.get(scenario.endpoint)
            prepared[load] = _primed(base_url, scenario, foreign=foreign, model=model, route=route)
        found[scenario.id] = prepared[load]
    return found


def _primed(
    base_url: str, scenario: Scenario, *, foreign: bool, model: UserModel | None, route: Route | None
) -> tuple[PreparedRequest, ...]:
    """A foreign server's model is known only where it is the user's."""
    asked: list[Payload | UserModelPayload]
    if model is None:
        place, held = scenario.endpoint, not foreign
        asked = [*payloads(scenario.endpoint, scenario.encoding, scenario.payloads)]
    else:
        place, held = route.path if route else scenario.endpoint, True
        asked = [*(translated(route, model) if route else model.payloads)]
    return prime_payloads(base_url, place, asked, held=held, foreign=foreign)


def prime_payloads(
    base_url: str,
    place: str,
    asked: Sequence[Payload | UserModelPayload],
    *,
    held: bool,
    foreign: bool,
) -> tuple[PreparedRequest, ...]:
    """These payloads, asked once each at a place below the URL. Raises WrongAnswerError.

    Answers are `held` to what the payloads expect. Where the server is `foreign`, what does not last is not kept.
    """
    first = [_right(base_url, place, payload, held=held) for payload in asked]
    lasting = _last(base_url, place, asked, first) if foreign else [True] * len(asked)
    return tuple(
        _prepared(place, payload, answer, lasts=lasts)
        for payload, answer, lasts in zip(asked, first, lasting, strict=True)
    )


def requests_for_locust(
    base_url: str,
    endpoint: str,
    encoding: str,
    *,
    foreign: bool = False,
    figures: Sequence[Figure] | None = None,
) -> tuple[PreparedRequest, ...]:
    """What users of the stock Locust send: an endpoint's held-out payloads in one encoding, asked once and held.

    Where there are `figures`, their bodies are what is sent, whatever the encoding, and their answers what is right. A
    `foreign` server has a model of its own and is held to its first answers. Raises WrongAnswerError.
    """
    if figures is None:
        scenario = opened(endpoint, ClosedLoop(users=1), encoding)
        return prime(base_url, [scenario], foreign=foreign)[scenario.id]
    asked = [_as_payload(f"{endpoint}-{number:03}", figure) for number, figure in enumerate(figures)]
    return prime_payloads(base_url, endpoint, asked, held=True, foreign=True)


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
    except (ValueError, KeyError, TypeError, RecursionError):  # tensor_messages.NotTensorError is a ValueError
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


def _right(base_url: str, place: str, payload: Payload | UserModelPayload, *, held: bool) -> bytes:
    """The body of the answer, `held` to the reference where there is one."""
    answer = _ask(base_url, place, payload)
    if answer.status != 200:
        raise WrongAnswerError(f"{payload.name}: {answer.describe()}")
    tolerance = payload.tolerance if isinstance(payload, UserModelPayload) else ATOL
    if held and not agrees(predicted(payload, answer.body), payload.expected, tolerance):
        wanted = str(payload.expected)[:_SHOWN]
        raise WrongAnswerError(f"{payload.name}: {answer.describe()}, the reference says {wanted}")
    return answer.body


def _last(base_url: str, place: str, asked: Sequence[Payload | UserModelPayload], first: Sequence[bytes]) -> list[bool]:
    """Of each answer whether a foreign server gives it again, asked at different times.

    In rounds over all payloads: an answer with a clock or a counter in it, or from one of two models, then differs.
    """
    same = [True] * len(asked)
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        for at, payload in enumerate(asked):
            same[at] = same[at] and _right(base_url, place, payload, held=False) == first[at]
    return same


def _prepared(place: str, payload: Payload | UserModelPayload, answer: bytes, *, lasts: bool) -> PreparedRequest:
    return PreparedRequest(
        method="POST",
        path=f"/{place}",
        headers={"Content-Type": payload.content_type, **_headers(payload)},
        body=payload.body,
        expect_body=answer if lasts else None,
        most_body_bytes=min(MOST_BODY_BYTES, 64 * 1024 + _LENIENCE * len(answer)),
    )


def _as_payload(name: str, figure: Figure) -> UserModelPayload:
    return UserModelPayload(
        name=name,
        content_type=figure.content_type,
        body=figure.body,
        expected_key=figure.key,
        expected=figure.expected,
        tolerance=figure.tolerance or ATOL,
        spread=figure.spread,
    )


def _headers(payload: Payload | UserModelPayload) -> Mapping[str, str]:
    return payload.headers if isinstance(payload, ForeignPayload) else {}


def _ask(base_url: str, place: str, payload: Payload | UserModelPayload) -> HttpAnswer:
    """The answer, whatever its status. Who is silent is asked once more: a first request may load a model."""
    request = HttpRequest(
        target=f"/{place}",
        content_type=payload.content_type,
        headers=tuple(_headers(payload).items()),
        body=payload.body,
    )
    # A connection a request: a development server keeps none, and this is not timed.
    with SocketConnection(Address.of(base_url)) as wire:
        exchange = wire.ask(request)
        if exchange.fate is Fate.TIMED_OUT:
            exchange = wire.ask(request)
    if exchange.answer is None or exchange.problem or exchange.surplus:
        raise WrongAnswerError(f"{payload.name}: {exchange.describe()}")
    return exchange.answer
