"""Runs cases against a base URL and says what was found.

The target's fault is told from the harness's: where nobody listens at the start, nothing is said of the
target; an exception in the suite's own code is the suite's; a server that stops listening between two cases
is the target's.
"""

from __future__ import annotations

import shlex
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from conformance.answer import Answer
from conformance.case import Case, Figure, Finding, Reference, Severity, Verdict
from conformance.checks import Mismatch, check
from conformance.connections import connection_is_right
from conformance.crowd import crowded
from conformance.fate import Fate
from conformance.outcome import Observation, observed
from conformance.parity import Answers
from conformance.refusal import is_servers_own
from conformance.request import Request
from conformance.shapes import PREDICTION_KEYS
from conformance.wire import Address, Connection, Exchange, Wire

_FAULTS: Final = (Verdict.SETUP_FAULT, Verdict.HARNESS_FAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All findings on one target, in the order of the cases; `answers` are for `parity.differences`."""

    findings: tuple[Finding, ...]
    answers: Answers
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each verdict there are; verdicts that did not occur are left out."""
        return dict(Counter(finding.verdict.value for finding in self.findings))

    @property
    def topics(self) -> dict[str, dict[str, int]]:
        """The same by topic, which is how the id of a case begins."""
        found: dict[str, Counter[str]] = {}
        for finding in self.findings:
            found.setdefault(finding.case_id.partition("-")[0], Counter())[finding.verdict.value] += 1
        return {topic: dict(counts) for topic, counts in found.items()}

    @property
    def told(self) -> bool:
        """Whether the suite could tell: False where it failed itself or found nobody to ask."""
        return bool(self.findings) and not any(finding.verdict in _FAULTS for finding in self.findings)

    @property
    def passed(self) -> bool:
        """Whether the target may be measured: all could be told, and no MUST is broken."""
        return self.told and not any(finding.breaks_a_must for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The body of a journal's gate record; right findings are only counted."""
        return {
            "passed": self.passed,
            "seconds": round(self.seconds, 3),
            "counts": self.counts,
            "topics": self.topics,
            "findings": [each.to_json() for each in self.findings if not each.is_quiet],
        }


def run_cases(
    cases: Iterable[Case],
    base_url: str,
    target: str,
    reference: Reference | None = None,
    *,
    judged: bool = True,
    foreign: bool = False,
    options: Sequence[str] = (),
    timeout_s: float = 5.0,
    budget_s: float = 120.0,
    hidden: Mapping[str, str] | None = None,
) -> Outcome:
    """Every case against the server at `base_url`, one after the other, a fresh connection each.

    `judged` False makes every finding an observation; `foreign` says that `target` names a URL of the
    user's, and `options` are what else of the command line belongs into the repeat command. `timeout_s`
    bounds one exchange, `budget_s` all of them: what is left then is a harness fault, since a verdict on half
    of a suite is none. `hidden` says of cases what the WSGI server is known to keep from every application, so that
    none can be right. Raises ValueError on a URL that is no plain HTTP base URL.
    """
    started = time.monotonic()
    session = Session(
        base_url=base_url,
        target=target,
        reference=reference,
        judged=judged,
        foreign=foreign,
        options=options,
        timeout_s=timeout_s,
        hidden=hidden,
    )
    findings: list[Finding] = []
    listening: bool | None = None
    for case in cases:
        listening = session.listens() if listening is None else listening
        if not listening:
            findings.append(_unheard(session, case, first=not findings))
        elif time.monotonic() - started > budget_s:
            findings.append(session.fault(case, f"not run: the budget of {budget_s:g} s was spent"))
        else:
            findings.append(session.run(case))
    return Outcome(findings=tuple(findings), answers=session.answers, seconds=time.monotonic() - started)


class Session:
    """One target under examination; keeps the answers for parity and those that others are compared with."""

    def __init__(
        self,
        *,
        base_url: str,
        target: str,
        reference: Reference | None = None,
        judged: bool = True,
        foreign: bool = False,
        options: Sequence[str] = (),
        timeout_s: float = 5.0,
        connect: Callable[[], Connection] | None = None,
        repeat: Callable[[str], list[str]] | None = None,
        hidden: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = base_url
        self.target = target
        self.answers: dict[str, tuple[Exchange, ...]] = {}
        self._connect = connect or partial(Wire, Address.of(base_url), timeout_s=timeout_s)
        self._repeat = repeat or self._check_command
        self._reference: Reference = reference or {}
        self._judged = judged
        self._foreign = foreign
        self._options = options
        self._timeout_s = timeout_s
        self._hidden = hidden or {}
        self._models: dict[Request, Exchange] = {}

    def listens(self) -> bool:
        """Whether anybody accepts a connection."""
        with self._connect() as wire:
            return wire.connects()

    def run(self, case: Case) -> Finding:
        """The finding of one case; never raises."""
        try:
            return self._judged_case(case)
        except Exception:  # noqa: BLE001 - whatever the suite's own code raises is recorded as the suite's fault
            return self.fault(case, traceback.format_exc())

    def fault(self, case: Case, why: str) -> Finding:
        """A harness fault: nothing is said of the target."""
        return self.finding(case, Verdict.HARNESS_FAULT, expected="a verdict", actual=why)

    def finding(
        self,
        case: Case,
        verdict: Verdict,
        *,
        expected: str,
        actual: str,
        severity: Severity | None = None,
        exchange: Exchange | None = None,
    ) -> Finding:
        """A finding of this case on this target."""
        return Finding(
            case_id=case.id,
            target=self.target,
            verdict=verdict,
            level=case.level,
            severity=severity,
            proves=case.proves,
            clause=case.clause,
            expected=expected,
            actual=actual,
            repeat=shlex.join(self._repeat(case.id)),
            connection=None if exchange is None else self._connection(case, exchange),
            fate="" if exchange is None else str(exchange.fate),
        )

    def _check_command(self, case_id: str) -> list[str]:
        where = (
            ["--url", f"{self.target}={self.base_url}"]
            if self._foreign
            else ["--targets", self.target.partition("#")[0]]
        )
        return ["python", "bench.py", "check", *where, *self._options, "--case", case_id]

    def _connection(self, case: Case, exchange: Exchange) -> Verdict:
        if not self._judged:
            return Verdict.OBSERVED
        if connection_is_right(case, exchange):
            return Verdict.RIGHT
        # Where the case asks for nothing, only an unannounced end is left, and that a server SHOULD announce.
        own = case.connection is None or case.id in self._hidden
        return Verdict.SERVERS_OWN if own else Verdict.WRONG

    def observe(self, case: Case) -> Observation | None:
        """What the target does with a case, unjudged; None where there are no reference figures for it."""
        exchanges, mismatches = self._examined(case)
        return observed(case, exchanges[-1], mismatches) if exchanges else None

    def _judged_case(self, case: Case) -> Finding:
        exchanges, mismatches = self._examined(case)
        if not exchanges:
            why = f"no reference figures for {case.endpoint} with {_figure_key(case)}"
            return self.finding(case, Verdict.SKIPPED, expected=case.proves, actual=why)
        if case.parity:
            self.answers[case.id] = tuple(exchanges)
        return self._verdict(case, exchanges, mismatches)

    def _examined(self, case: Case) -> tuple[list[Exchange], list[Mismatch]]:
        """Every exchange of a case and what is wrong with them; no exchange where reference figures are missing."""
        figures: tuple[Figure | None, ...] = (None,)
        if case.request is None:
            key = _figure_key(case)
            figures = tuple(one for one in self._reference.get(case.endpoint, ()) if one.key == key)
        exchanges: list[Exchange] = []
        mismatches: list[Mismatch] = []
        for figure in figures:
            request = _request(case, figure)
            exchange, broken = self._exchange(case, request)
            model, unlike = self._model(case)
            exchanges.append(exchange)
            mismatches += broken + unlike
            if case.beside:
                mismatches += crowded(self._connect, (request, *case.beside), timeout_s=self._timeout_s)
            mismatches += check(case.expects, exchange, method=request.method, figure=figure, model=model)
        return exchanges, mismatches

    def _exchange(self, case: Case, request: Request) -> tuple[Exchange, list[Mismatch]]:
        broken: list[Mismatch] = []
        with self._connect() as wire:
            if case.pipelined:
                return wire.ask(*case.before, request), broken
            for earlier in case.before:
                seen = wire.ask(earlier)
                if _ended_unannounced(earlier, seen):
                    broken.append(_unannounced_end(seen))
            if case.reconnect:
                wire.close()
            return wire.ask(request), broken

    def _model(self, case: Case) -> tuple[Answer | None, list[Mismatch]]:
        request = case.expects.same_as
        if request is None:
            return None, []
        if request not in self._models:
            with self._connect() as wire:
                self._models[request] = wire.ask(request)
        exchange = self._models[request]
        answer = exchange.answer
        if answer is not None and answer.status == case.expects.status:
            return answer, []
        wanted = f"status {case.expects.status} for the plain request"
        return None, [
            Mismatch(what="plain", expected=wanted, actual=exchange.describe(), severity=Severity.SERVER_ERROR)
        ]

    def _verdict(self, case: Case, exchanges: list[Exchange], mismatches: list[Mismatch]) -> Finding:
        actual = exchanges[-1].describe()
        if not mismatches:
            verdict = Verdict.RIGHT if self._judged else Verdict.OBSERVED
            return self.finding(case, verdict, expected=_wanted(case), actual=actual, exchange=exchanges[-1])
        severity = max(mismatch.severity for mismatch in mismatches)
        if not self._judged:
            verdict = Verdict.OBSERVED
        elif case.server_may_refuse and is_servers_own(exchanges[-1]):
            verdict = Verdict.SERVERS_OWN
        elif case.id in self._hidden:
            return self.finding(
                case,
                Verdict.SERVERS_OWN,
                expected="; ".join(f"{each.what}: {each.expected}" for each in mismatches),
                actual=f"{self._hidden[case.id]}; so the application answers {actual}",
                exchange=exchanges[-1],
            )
        else:
            verdict = Verdict.WRONG
        return self.finding(
            case,
            verdict,
            expected="; ".join(f"{each.what}: {each.expected}" for each in mismatches),
            actual="; ".join(f"{each.what}: {each.actual}" for each in mismatches),
            severity=None if verdict is Verdict.SERVERS_OWN else severity,
            exchange=None if verdict is Verdict.SERVERS_OWN else exchanges[-1],
        )


def _figure_key(case: Case) -> str:
    return PREDICTION_KEYS[case.expects.shape or ""]


def _request(case: Case, figure: Figure | None) -> Request:
    if figure is not None:
        return Request(target=f"/{case.endpoint}", content_type=figure.content_type, body=figure.body)
    if case.request is None:
        raise ValueError(f"case {case.id} has no request")
    return case.request


def _ended_unannounced(request: Request, seen: Exchange) -> bool:
    # Who has ended its own side first has no right to a word about it.
    promised = seen.answer is not None and seen.answer.keep_alive and not request.half_close
    return promised and seen.fate is not Fate.KEPT


def _unannounced_end(seen: Exchange) -> Mismatch:
    # RFC 9112 section 9.6: a connection that will not persist is announced as such.
    return Mismatch(
        what="connection",
        expected="kept, or closed after saying so",
        actual=f"{seen.fate} without a word after {seen.describe()}",
        severity=Severity.BYTES_ONLY,
    )


def _unheard(session: Session, case: Case, *, first: bool) -> Finding:
    why = f"nobody listens at {session.base_url}"
    verdict = Verdict.SETUP_FAULT if first else Verdict.SKIPPED
    return session.finding(case, verdict, expected="a server that listens", actual=why)


def _wanted(case: Case) -> str:
    expects = case.expects
    parts = [
        str(expects.status),
        expects.code or "",
        f"pointer {expects.pointer!r}" if expects.pointer else "",
    ]
    parts += [f"{name}: {value}" for name, value in expects.headers]
    return " ".join(part for part in parts if part)
