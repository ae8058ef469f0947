"""Equality of answers across targets: the same request, on the same WSGI server, must answer the same bytes.

Left out are what is about the moment or the connection rather than the answer: `Date`, `Server`, the
connection headers, and the reason phrase, which servers rewrite (RFC 9112 section 4 lets clients ignore
it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from addresses.answers import near_json
from conformance.finding import Difference
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange

LEFT_OUT: Final = frozenset({"date", "server", "connection", "keep-alive", "transfer-encoding"})

Answers: TypeAlias = Mapping[str, Sequence[HttpExchange]]
"""What one target answered: case id to its exchanges."""


def differences(answers: Mapping[str, Answers], within: Mapping[str, float] | None = None) -> list[Difference]:
    """Every case that a target answers otherwise than the first target does.

    `answers` is keyed by target id. `within` is what numbers may differ by, by case, where a model itself differs.
    Cases that one of the two did not run are left out: their findings say why.
    """
    (baseline, first), *others = answers.items()
    return [
        Difference(case_id=case_id, baseline=baseline, target=target, detail=detail)
        for target, theirs in others
        for case_id in first
        if case_id in theirs
        for detail in [
            _case_detail(first[case_id], theirs[case_id], (baseline, target), (within or {}).get(case_id, 0.0))
        ]
        if detail is not None
    ]


def answer_detail(
    one: HttpAnswer, other: HttpAnswer, names: tuple[str, str], *, bodies: bool = True, within: float = 0.0
) -> str | None:
    """The first thing that differs between two answers, both sides named; None where nothing does.

    `bodies` False compares the answer to a HEAD with that to a GET. `within` is what numbers of a JSON body may differ
    by: 0 asks for the same bytes.
    """
    if within and bodies and one.status == other.status == 200 and near_json(one.body, other.body, within):
        other = replace(other, body=one.body, headers=_with_length_of(one, other))
    if one.status != other.status:
        return _sides("status", one.status, other.status, names)
    left, right = _headers(one), _headers(other)
    if left != right:
        only_left = [pair for pair in left if pair not in right]
        only_right = [pair for pair in right if pair not in left]
        return _sides("headers", only_left, only_right, names)
    if bodies and one.body != other.body:
        return _sides("body", one.body[:160], other.body[:160], names)
    return None


def _with_length_of(one: HttpAnswer, other: HttpAnswer) -> tuple[tuple[str, str], ...]:
    """The other's headers, its length that of the one: as many decimals as each number needs."""
    lengths = [pair for pair in one.headers if pair[0].lower() == "content-length"]
    return (*(pair for pair in other.headers if pair[0].lower() != "content-length"), *lengths)


def _case_detail(
    ours: Sequence[HttpExchange], theirs: Sequence[HttpExchange], names: tuple[str, str], within: float
) -> str | None:
    if len(ours) != len(theirs):
        return _sides("requests answered", len(ours), len(theirs), names)
    for one, other in zip(ours, theirs, strict=True):
        if one.answer is None or other.answer is None:
            if (one.answer is None) != (other.answer is None) or one.fate is not other.fate:
                return _sides("answer", one.describe(), other.describe(), names)
            continue
        detail = answer_detail(one.answer, other.answer, names, within=within)
        if detail is not None:
            return detail
    return None


def _headers(answer: HttpAnswer) -> list[tuple[str, str]]:
    named = ((name.lower(), value) for name, value in answer.headers)
    return sorted(pair for pair in named if pair[0] not in LEFT_OUT)


def _sides(what: str, one: object, other: object, names: tuple[str, str]) -> str:
    return f"{what}: {names[0]} {one!a}, {names[1]} {other!a}"
