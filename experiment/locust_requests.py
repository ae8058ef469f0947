"""The requests that users of the stock Locust send: those of the runs, each with the answer that counts as right."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.case import Figure
from experiment.priming import prime, prime_payloads
from loadtests.arrival import ClosedLoop
from loadtests.orders import PreparedRequest
from loadtests.scenarios import opened
from servers.models.reference import ATOL
from servers.models.user_model import UserModelPayload


def requests_of(
    base_url: str,
    endpoint: str,
    encoding: str,
    *,
    foreign: bool = False,
    figures: Sequence[Figure] | None = None,
) -> tuple[PreparedRequest, ...]:
    """The held-out payloads of one endpoint in one encoding, asked once each and held to the reference.

    Where there are `figures`, their bodies are what is sent, whatever the encoding, and their answers what is right. A
    `foreign` server has a model of its own and is held to its first answers. Raises WrongAnswerError.
    """
    if figures is None:
        scenario = opened(endpoint, ClosedLoop(users=1), encoding)
        return prime(base_url, [scenario], foreign=foreign)[scenario.id]
    asked = [_payload(f"{endpoint}-{number:03}", figure) for number, figure in enumerate(figures)]
    return prime_payloads(base_url, endpoint, asked, held=True, foreign=True)


def _payload(name: str, figure: Figure) -> UserModelPayload:
    return UserModelPayload(
        name=name,
        content_type=figure.content_type,
        body=figure.body,
        expected_key=figure.key,
        expected=figure.expected,
        tolerance=figure.tolerance or ATOL,
        spread=figure.spread,
    )
