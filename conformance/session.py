"""One case after the other against one target: what is sent, what is held against the contract, what is found.

An exception in the suite's own code is the suite's fault, and says nothing of the target.
"""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from addresses.address import Address
from addresses.connecting import ANSWER_S
from conformance.case import Case, Figure, Reference
from conformance.checks import Mismatch, check, connection_is_right
from conformance.crowd import crowded
from conformance.fate import Fate
from conformance.finding import CaseVerdict, Finding, Severity
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpConnection, HttpExchange
from conformance.http_request import HttpRequest
from conformance.observation import Observation, observed
from conformance.servers_own import is_servers_own
from conformance.shapes import PREDICTION_KEYS
from conformance.socket_connection import SocketConnection


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
        timeout_s: float = ANSWER_S,
        connect: Callable[[], HttpConnection] | None = None,
        repeat: Callable[[str], list[str]] | None = None,
        hidden: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = base_url
        self.target = target
        self.answers: dict[str, tuple[HttpExchange, ...]] = {}
        self.within: dict[str, float] = {}
        self._connect = connect or partial(SocketConnection, Address.of(base_url), timeout_s=timeout_s)
        self._repeat = repeat or self._check_command
        self._reference: Reference = reference or {}
        self._judged = judged
        self._foreign = foreign
        self._options = options
        self._timeout_s = timeout_s
        self._hidden = hidden or {}
        self._models: dict[HttpRequest, HttpExchange] = {}

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
        return self.finding(case, CaseVerdict.HARNESS_FAULT, expected="a verdict", actual=why)

    def finding(
        self,
        case: Case,
        verdict: CaseVerdict,
        *,
        expected: str,
        actual: str,
        severity: Severity | None = None,
        exchange: HttpExchange | None = None,
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
        return ["python3", "bench.py", "check", *where, *self._options, "--case", case_id]

    def _connection(self, case: Case, exchange: HttpExchange) -> CaseVerdict:
        if not self._judged:
            return CaseVerdict.OBSERVED
        if connection_is_right(case, exchange):
            return CaseVerdict.RIGHT
        # Where the case asks for nothing, only an unannounced end is left, and that a server SHOULD announce.
        own = case.connection is None or case.id in self._hidden
        return CaseVerdict.SERVERS_OWN if own else CaseVerdict.WRONG

    def observe(self, case: Case) -> Observation | None:
        """What the target does with a case, unjudged; None where there are no reference figures for it."""
        exchanges, mismatches = self._examined(case)
        return observed(case, exchanges[-1], mismatches) if exchanges else None

    def _judged_case(self, case: Case) -> Finding:
        exchanges, mismatches = self._examined(case)
        if not exchanges:
            why = f"no reference figures for {case.endpoint} with {_figure_key(case)}"
            return self.finding(case, CaseVerdict.SKIPPED, expected=case.proves, actual=why)
        if case.parity:
            self.answers[case.id] = tuple(exchanges)
        return self._verdict(case, exchanges, mismatches)

    def _examined(self, case: Case) -> tuple[list[HttpExchange], list[Mismatch]]:
        """Every exchange of a case and what is wrong with them; no exchange where reference figures are missing."""
        figures: tuple[Figure | None, ...] = (None,)
        # Two answers of a model that differs from call to call may lie on either side of a third.
        within = 2 * max((one.spread for one in self._reference.get(case.endpoint, ())), default=0.0)
        if within:
            self.within[case.id] = within
        if case.request is None:
            key = _figure_key(case)
            figures = tuple(one for one in self._reference.get(case.endpoint, ()) if one.key == key)
        exchanges: list[HttpExchange] = []
        mismatches: list[Mismatch] = []
        for figure in figures:
            request = _request(case, figure)
            exchange, broken = self._exchange(case, request)
            model, unlike = self._model(case)
            exchanges.append(exchange)
            mismatches += broken + unlike
            if case.beside:
                mismatches += crowded(self._connect, (request, *case.beside), timeout_s=self._timeout_s)
            mismatches += check(
                case.expects, exchange, method=request.method, figure=figure, model=model, within=within
            )
        return exchanges, mismatches

    def _exchange(self, case: Case, request: HttpRequest) -> tuple[HttpExchange, list[Mismatch]]:
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

    def _model(self, case: Case) -> tuple[HttpAnswer | None, list[Mismatch]]:
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

    def _verdict(self, case: Case, exchanges: list[HttpExchange], mismatches: list[Mismatch]) -> Finding:
        actual = exchanges[-1].describe()
        if not mismatches:
            verdict = CaseVerdict.RIGHT if self._judged else CaseVerdict.OBSERVED
            return self.finding(case, verdict, expected=_wanted(case), actual=actual, exchange=exchanges[-1])
        severity = max(mismatch.severity for mismatch in mismatches)
        if not self._judged:
            verdict = CaseVerdict.OBSERVED
        elif case.server_may_refuse and is_servers_own(exchanges[-1]):
            verdict = CaseVerdict.SERVERS_OWN
        elif case.id in self._hidden:
            return self.finding(
                case,
                CaseVerdict.SERVERS_OWN,
                expected="; ".join(f"{each.what}: {each.expected}" for each in mismatches),
                actual=f"{self._hidden[case.id]}; so the application answers {actual}",
                exchange=exchanges[-1],
            )
        else:
            verdict = CaseVerdict.WRONG
        return self.finding(
            case,
            verdict,
            expected="; ".join(f"{each.what}: {each.expected}" for each in mismatches),
            actual="; ".join(f"{each.what}: {each.actual}" for each in mismatches),
            severity=None if verdict is CaseVerdict.SERVERS_OWN else severity,
            exchange=None if verdict is CaseVerdict.SERVERS_OWN else exchanges[-1],
        )


def _figure_key(case: Case) -> str:
    return PREDICTION_KEYS[case.expects.shape or ""]


def _request(case: Case, figure: Figure | None) -> HttpRequest:
    if figure is not None:
        return HttpRequest(target=f"/{case.endpoint}", content_type=figure.content_type, body=figure.body)
    if case.request is None:
        raise ValueError(f"case {case.id} has no request")
    return case.request


def _ended_unannounced(request: HttpRequest, seen: HttpExchange) -> bool:
    # Who has ended its own side first has no right to a word about it.
    promised = seen.answer is not None and seen.answer.keep_alive and not request.half_close
    return promised and seen.fate is not Fate.KEPT


def _unannounced_end(seen: HttpExchange) -> Mismatch:
    # RFC 9112 section 9.6: a connection that will not persist is announced as such.
    return Mismatch(
        what="connection",
        expected="kept, or closed after saying so",
        actual=f"{seen.fate} without a word after {seen.describe()}",
        severity=Severity.BYTES_ONLY,
    )


def _wanted(case: Case) -> str:
    expects = case.expects
    parts = [
        str(expects.status),
        expects.code or "",
        f"pointer {expects.pointer!r}" if expects.pointer else "",
    ]
    parts += [f"{name}: {value}" for name, value in expects.headers]
    return " ".join(part for part in parts if part)
