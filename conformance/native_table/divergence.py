"""What the native table is about: things that the frameworks do by themselves, and the cases that show each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from conformance.case import Case
from conformance.observation import Behaviour

ELSEWHERE: Final = "the article's code has nothing of the kind: "
"""How a reason begins where no case can show a divergence."""

LOST_KEY: Final = "A predictable mistake of the client looks like a crash of the server."


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One root cause. `cases` show it; `untold` says why none can, where there is none.

    `consequences` says what it means for a user, by what was observed, so that a sentence is never printed beside an
    observation that it was not written for; behaviours that are left out have the sentence of `consequence`.
    """

    id: str
    what: str
    cases: tuple[str, ...] = ()
    consequences: Mapping[Behaviour, str] = field(default_factory=dict)
    untold: str | None = None


_ERRORS: Final = {
    Behaviour.RIGHT: "None.",
    Behaviour.FORM: "Only bytes differ.",
    Behaviour.ERROR_BODY: "A client that reads errors as JSON with a code cannot read this one.",
    Behaviour.OTHER_ERROR: "The client is told of another fault than the one that it made.",
    Behaviour.REFUSED: "A good request is turned down.",
    Behaviour.DROPPED: "The client gets no answer and cannot tell why.",
    Behaviour.SERVER_ERROR: "A client's mistake counts as the server's: it is retried, and it wakes people up.",
    Behaviour.HANGS: "The client waits until it gives up.",
    Behaviour.STUCK: "One bad request takes the endpoint down: a lock stays held, and good requests wait for ever.",
    Behaviour.ACCEPTED: "A request that means nothing, or two things, is answered as if it were good.",
    Behaviour.WRONG_ANSWER: "The client gets an answer that looks right and is not.",
}


def consequence(case: Case, behaviour: Behaviour, divergence: Divergence | None = None) -> str:
    """What `behaviour` of `case` means for a user, in one sentence."""
    if divergence is not None and behaviour in divergence.consequences:
        return divergence.consequences[behaviour]
    if behaviour is Behaviour.SERVER_ERROR and case.expects.status < 400:
        return "A good request fails."
    return _ERRORS[behaviour]


def faults(divergences: Iterable[Divergence], cases: Iterable[Case]) -> list[str]:
    """One line for each breach: an id or a case twice, a case that does not exist, an entry that says nothing."""
    known = {case.id for case in cases}
    found, ids, used = [], set(), set()
    for one in divergences:
        if one.id in ids:
            found.append(f"{one.id}: the id is taken twice")
        ids.add(one.id)
        if bool(one.cases) == bool(one.untold):
            found.append(f"{one.id}: it needs cases, or a reason why there are none")
        for name in one.cases:
            if name not in known:
                found.append(f"{one.id}: no such case: {name}")
            if name in used:
                found.append(f"{one.id}: {name} is a row already")
            used.add(name)
    return found
