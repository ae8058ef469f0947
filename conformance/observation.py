"""What a target that is not judged does with a case, in words that stay the same from run to run.

Figures, addresses and times are left out: they differ between machines and runs, and say nothing of the framework.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conformance import canonical
from conformance.case import Case
from conformance.checks import Mismatch
from conformance.fate import Fate
from conformance.finding import Severity
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange


class Behaviour(StrEnum):
    """How an answer stands to the contract's, from the best to the worst."""

    RIGHT = "right"
    FORM = "form"
    """Right but for bytes: white space, a header."""
    ERROR_BODY = "error body"
    """The right status with a body that is no error of the contract."""
    OTHER_ERROR = "other error"
    """Refused, as it is to be, for another reason."""
    REFUSED = "refused"
    """A good request is turned down."""
    DROPPED = "dropped"
    """The connection ends without an answer."""
    SERVER_ERROR = "server error"
    HANGS = "hangs"
    """Nothing comes."""
    STUCK = "stuck"
    """After the case, good requests to the same endpoint hang."""
    ACCEPTED = "accepted"
    """What is to be refused gets an answer."""
    WRONG_ANSWER = "wrong answer"
    """A good request gets an answer that is not its own, or none that can be read."""


SEVERITIES: Final = {
    Behaviour.FORM: Severity.BYTES_ONLY,
    Behaviour.ERROR_BODY: Severity.WRONG_4XX,
    Behaviour.OTHER_ERROR: Severity.WRONG_4XX,
    Behaviour.REFUSED: Severity.WRONG_4XX,
    Behaviour.DROPPED: Severity.SERVER_ERROR,
    Behaviour.SERVER_ERROR: Severity.SERVER_ERROR,
    Behaviour.HANGS: Severity.SERVER_ERROR,
    Behaviour.STUCK: Severity.SERVER_ERROR,
    Behaviour.ACCEPTED: Severity.WRONG_2XX,
    Behaviour.WRONG_ANSWER: Severity.SILENT_WRONG_ANSWER,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one target did with one case; `text` says it in a few words."""

    case_id: str
    behaviour: Behaviour
    text: str

    @property
    def rank(self) -> int:
        """The place in the order of `Behaviour`; the larger the worse."""
        return list(Behaviour).index(self.behaviour)


def observed(case: Case, exchange: HttpExchange, mismatches: Sequence[Mismatch]) -> Observation:
    """The observation of one exchange and what was wrong with it."""
    # That the plain request fails too is a row of its own.
    own = [mismatch for mismatch in mismatches if mismatch.what != "plain"]
    behaviour = _behaviour(case, exchange, own)
    return Observation(case_id=case.id, behaviour=behaviour, text=_text(behaviour, exchange, own))


def _behaviour(case: Case, exchange: HttpExchange, mismatches: Sequence[Mismatch]) -> Behaviour:
    answer = exchange.answer
    if answer is None or exchange.problem is not None:
        return Behaviour.HANGS if exchange.fate is Fate.TIMED_OUT else Behaviour.DROPPED
    if not mismatches:
        return Behaviour.RIGHT
    if answer.status >= 500:
        return Behaviour.SERVER_ERROR
    wants_error = case.expects.status >= 400
    worst = max(mismatch.severity for mismatch in mismatches)
    if answer.status < 300:
        if wants_error:
            return Behaviour.ACCEPTED
        # An empty 200 where a 204 is wanted says the same.
        same = answer.status != case.expects.status or worst is Severity.BYTES_ONLY
        return Behaviour.FORM if same else Behaviour.WRONG_ANSWER
    if not wants_error:
        return Behaviour.REFUSED
    if answer.status != case.expects.status:
        return Behaviour.OTHER_ERROR
    return Behaviour.FORM if worst is Severity.BYTES_ONLY else Behaviour.ERROR_BODY


def _text(behaviour: Behaviour, exchange: HttpExchange, mismatches: Sequence[Mismatch]) -> str:
    answer = exchange.answer
    if answer is None or exchange.problem is not None:
        return {Fate.TIMED_OUT: "hangs", Fate.RESET: "reset without an answer"}.get(
            exchange.fate, "closed without an answer" if answer is None else "an answer that breaks off"
        )
    what = _good(answer, mismatches) if answer.status < 300 else _kind(answer)
    named = {mismatch.what for mismatch in mismatches}
    parts = [f"{answer.status} {what}"]
    if "echo" in named:
        parts.append("repeats the input")
    if "Allow" in named:
        allow = ", ".join(answer.values("allow"))
        parts.append(f"Allow: {allow}" if allow else "no Allow")
    form = _form(answer, named) if behaviour is Behaviour.FORM else ""
    return ", ".join(parts) + (f" ({form})" if form else "")


def _good(answer: HttpAnswer, mismatches: Sequence[Mismatch]) -> str:
    if not answer.body:
        return "empty"
    try:
        value = canonical.read(answer.body)
    except canonical.NotJsonError:
        no_number = any(word in answer.body for word in (b"NaN", b"Infinity"))
        return "with NaN or Infinity, which is no JSON" if no_number else _kind(answer)
    if any(mismatch.what in ("equality", "figure") for mismatch in mismatches) and _unlike(mismatches):
        return "with another prediction"
    member = next(iter(value), "") if isinstance(value, dict) else ""
    return f"{{{member}}}" if member else "JSON"


def _unlike(mismatches: Sequence[Mismatch]) -> bool:
    """Whether it is the body that is not that of the plain request."""
    return any(mismatch.actual.startswith("body: ") or mismatch.what == "figure" for mismatch in mismatches)


def _kind(answer: HttpAnswer) -> str:
    essence = ", ".join(answer.values("content-type")).partition(";")[0]
    if not answer.body:
        return "empty"
    return {"text/html": "HTML", "application/json": "JSON"}.get(essence, "text")


def _form(answer: HttpAnswer, named: set[str]) -> str:
    said = {
        "form": "line feed" if answer.body.endswith(b"\n") else "spaces",
        "float32": "digits of float64",
        "Content-Type": f"Content-Type: {', '.join(answer.values('content-type')) or 'none'}",
    }
    return ", ".join(text for what, text in said.items() if what in named)
