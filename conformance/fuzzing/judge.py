"""The verdict on one generated request: whether the frameworks are alike, and what they say is lawful."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from conformance.case import Expectation
from conformance.checks import Mismatch, check
from conformance.fate import Fate
from conformance.fuzzing.oracle import GOOD, lawful
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.http_request import HttpRequest
from conformance.parity import answer_detail
from conformance.servers_own import is_servers_own

_SHAPES = {"/predict": ("number", "numbers"), "/advanced_predict": ("matrix", "rows"), "/classify": ("class",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with the answers to one request; one `signature` is one fault until shown otherwise."""

    signature: str
    detail: str


def judged(request: HttpRequest, seen: Mapping[str, HttpExchange], *, server: bool = False) -> Fault | None:
    """The worst fault, or None. `seen` is by framework; `server` says that a server may have refused by itself."""
    (first_name, first), *others = seen.items()
    for name, exchange in seen.items():
        if exchange.fate in (Fate.TIMED_OUT, Fate.REFUSED) or (exchange.answer is None and not server):
            return _fault(
                "hang" if exchange.fate is Fate.TIMED_OUT else "no answer", request, name, exchange.describe()
            )
        if exchange.answer is not None and exchange.answer.status >= 500:
            return _fault("5xx", request, name, exchange.describe())
    # Three processes tell of themselves at /metadata: their names and figures differ by nature.
    bodies = not (server and unquote(request.target.partition("?")[0]) == "/metadata")
    for name, other in others:
        detail = _difference(first, other, (first_name, name), bodies=bodies)
        if detail is not None:
            return _fault("differs", request, f"{first_name}-{name} {_kinds(first, other)}", detail)
    if server and is_servers_own(first):
        return None
    return _unlawful(request, first_name, first)


def _difference(one: HttpExchange, other: HttpExchange, names: tuple[str, str], *, bodies: bool) -> str | None:
    if one.answer is None or other.answer is None or (one.problem, one.surplus) != (other.problem, other.surplus):
        same = (one.answer is None) == (other.answer is None) and one.problem == other.problem
        return None if same and one.surplus == other.surplus else f"{one.describe()} | {other.describe()}"
    if not bodies and one.answer.status == other.answer.status == 200:
        return None
    return answer_detail(one.answer, other.answer, names)


def _unlawful(request: HttpRequest, name: str, exchange: HttpExchange) -> Fault | None:
    answer = exchange.answer
    if answer is None:
        return _fault("no answer", request, name, exchange.describe())
    codes = lawful(request)
    code = _code(answer)
    # The answer to a HEAD has no body to read a code from.
    if code not in codes and not (request.method == "HEAD" and GOOD not in codes and answer.status >= 400):
        wanted = " or ".join(sorted(each or "a good answer" for each in codes))
        return _fault("unlawful", request, f"{wanted} {code}", f"{wanted} is lawful, not {answer.describe()}")
    worst = _worst(exchange, request.method, _shapes(request, answer))
    if worst is None:
        return None
    return _fault("form", request, worst.what, f"{worst.what}: {worst.expected}, not {worst.actual}")


@lru_cache(maxsize=1024)
def _worst(exchange: HttpExchange, method: str, shapes: tuple[str | None, ...]) -> Mismatch | None:
    """What is wrong with an answer by the rules that all answers share. Most refusals are the same few bytes."""
    found: list[Mismatch] = []
    for shape in shapes:
        found = check(
            Expectation(status=exchange.answer.status if exchange.answer else 0, shape=shape), exchange, method=method
        )
        if not found:
            return None
    return found[0]


def _shapes(request: HttpRequest, answer: HttpAnswer) -> tuple[str | None, ...]:
    """The shapes of a good answer; one of them is enough."""
    if answer.status != 200:
        return (None,)
    if answer.values("content-type") == ("application/x-protobuf",):
        return ("tensor",)
    path = next((path for path in _SHAPES if request.target.startswith(path)), "")
    return _SHAPES.get(path, (None,)) if request.method == "POST" else (None,)


def _code(answer: HttpAnswer) -> str | None:
    """The code of a refusal, `GOOD` where it is none, None where it has none."""
    if answer.status < 400:
        return GOOD
    try:
        document = json.loads(answer.body)
    except ValueError:
        return None
    return document.get("code") if isinstance(document, dict) else None


def _kinds(one: HttpExchange, other: HttpExchange) -> str:
    return "/".join("none" if each.answer is None else str(each.answer.status) for each in (one, other))


def _fault(kind: str, request: HttpRequest, what: str, detail: str) -> Fault:
    essence = (request.content_type or "none").partition(";")[0].strip().lower()
    path = next((path for path in _SHAPES if request.target.startswith(path)), "elsewhere")
    return Fault(signature=f"{kind} {request.method} {path} {essence}: {what}", detail=detail)
