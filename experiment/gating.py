"""Verify, then measure: the conformance gate over the contenders of a run, and parity between the frameworks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

from conformance.case import Case, Figure, Reference
from conformance.cases import CASES
from conformance.documents import FiguresError, read_figures
from conformance.examination import Examination, held_against, run_cases
from conformance.finding import CaseVerdict, Difference, Finding, ParityRecord
from conformance.junit import write_junit
from experiment.contender import Contender, bring_up
from experiment.errors import ExpectedError, usage
from experiment.journal import Journal
from experiment.journal_records import RefusedRecord
from experiment.user_model_setup import UserModelSetup
from servers.fleet import Fleet
from servers.models.payloads import ENCODINGS, payloads
from servers.models.reference import ATOL, RTOL
from servers.server_decisions import HIDDEN

_FIGURES_PER_ENCODING: Final = 3
# One bad call leaves a lock of TensorFlow's held by its thread for good, and the article's code makes such calls. With
# one request thread that thread is always the same and goes on, so each case shows its own behaviour.
_OBSERVED_THREADS: Final = 1
_OBSERVED_TIMEOUT_S: Final = 1.5

_LONGEST_ACTUAL: Final = 160
"""Characters of a wrong answer that a reason repeats; the journal has it whole."""


@cache
def reference_figures() -> Reference:
    """What the float64 reference answers to a few held-out payloads of every endpoint and encoding."""
    return {
        endpoint: tuple(
            Figure(
                content_type=payload.content_type,
                body=payload.body,
                expected=payload.expected,
                key=payload.expected_key,
                tolerance=0.0 if isinstance(payload.expected, int) else ATOL + RTOL * _size(payload.expected),
            )
            for encoding in encodings
            for payload in payloads(endpoint, encoding, _FIGURES_PER_ENCODING)
        )
        for endpoint, encodings in ENCODINGS.items()
    }


def foreign_figures(path: Path | None) -> Reference | None:
    """The figures that `--figures` names, for servers whose model is not ours. Raises ExpectedError."""
    try:
        return None if path is None else read_figures(path)
    except FiguresError as error:
        raise usage(str(error), hint="README.md shows one under Your own server") from error


def with_user_model(
    cases: Sequence[Case], reference: Reference | None, model: UserModelSetup | None
) -> tuple[tuple[Case, ...], Reference | None, Sequence[str]]:
    """Cases, figures and the options of a repeat command, with those of a user's own model where there is one."""
    if model is None:
        return tuple(cases), reference, ()
    return (*cases, *model.cases), {**(reference or {}), model.name: model.figures}, model.options


@dataclass(slots=True, kw_only=True)
class Gatekeeper:
    """Judges every contender once in a run, in its first block, and writes what it found into the journal.

    Later blocks are fresh processes of the same code; there priming checks every payload's answer. `say` is told at
    once who is refused, and `reasons` has why, by target.
    """

    journal: Journal
    logs: Path
    junit: Path | None
    figures: Reference | None = None
    user_model: UserModelSetup | None = None
    say: Callable[[str], None] = lambda _text: None
    reasons: dict[str, str] = field(default_factory=dict)
    done: bool = False
    findings: list[Finding] = field(default_factory=list)

    def judge(
        self, block: int, present: Sequence[Contender], urls: Mapping[str, str], *, skip_foreign: bool
    ) -> set[str]:
        """The ids among `present` that must not be measured. Raises ExpectedError where the gate could not tell."""
        refused: set[str] = set()
        passed: dict[tuple[str, str], dict[str, Examination]] = defaultdict(dict)
        examined = [
            one
            for one in present
            if one.twin_of is None and one.checked and not (one.base_url is not None and skip_foreign)
        ]
        natives = [one for one in examined if one.target is not None and not one.judged]
        observed = self._observe([one for one in natives if one.target and one.target.usual])
        for one in examined:
            if one.judged:
                foreign = one.target is None
                reference = self.figures if foreign else reference_figures()
                cases, reference, options = with_user_model(
                    CASES, reference, None if foreign and one.route is None else self.user_model
                )
                outcome = run_cases(
                    cases,
                    urls[one.id],
                    one.id,
                    reference,
                    foreign=foreign,
                    options=options,
                    hidden=None if one.target is None else HIDDEN.get(one.target.server),
                )
            elif one.id in observed:
                outcome = observed[one.id]
            else:
                continue
            self.findings += outcome.findings
            self.journal.append(outcome.record(block=block, target=one.id))
            if not one.judged:
                continue
            if not outcome.told:
                raise _could_not_tell(one.id, outcome.findings)
            if not outcome.passed:
                refused.add(one.id)
                self._refuse(block, one.id, outcome.findings)
            elif one.target is not None:
                passed[one.target.server, one.target.mode][one.id] = outcome
        for group in passed.values():
            refused |= self._compare(block, group)
        if self.junit is not None:
            write_junit(self.findings, self.junit)
        # A twin is the same code under a second name.
        refused |= {one.id for one in present if one.twin_of in refused}
        self.done = True
        return refused

    def _observe(self, natives: Sequence[Contender]) -> dict[str, Examination]:
        """What the article's code does with every case, in processes of its own.

        Hostile cases may leave such a process unfit for measuring, so it is not the one that is measured.
        """
        alone = [replace(one, settings=replace(one.settings, threads=_OBSERVED_THREADS)) for one in natives]
        with Fleet(logs=self.logs / "observed") as fleet:
            urls = bring_up(fleet, alone)
            return {
                one.id: run_cases(
                    CASES,
                    urls[one.id],
                    one.id,
                    reference_figures(),
                    judged=False,
                    timeout_s=_OBSERVED_TIMEOUT_S,
                )
                for one in natives
            }

    def _refuse(self, block: int, target: str, findings: Sequence[Finding]) -> None:
        wrong = [finding for finding in findings if finding.breaks_a_must]
        first = wrong[0]
        said = " ".join(first.actual.split())
        reason = f"{len(wrong)} conformance cases are wrong, the first: {first.case_id}: {_short(said)}"
        self._refused(block, target, reason, [finding.case_id for finding in wrong])

    def tell(self, target: str, reason: str) -> None:
        """Say at once who is not measured and why: it may be minutes until there is a report."""
        self.reasons[target] = reason
        self.say(f"refused: {target}: {reason}")

    def _refused(self, block: int, target: str, reason: str, cases: Sequence[str]) -> None:
        self.tell(target, reason)
        self.journal.append(RefusedRecord(block=block, target=target, reason=reason, cases=tuple(cases)))

    def _compare(self, block: int, group: Mapping[str, Examination]) -> set[str]:
        """Parity within one server and mode; who answers otherwise than the floor is not measured."""
        if len(group) < 2:
            return set()
        # No framework is the yardstick where it is there: then a difference names the framework that makes it.
        ordered = dict(sorted(group.items(), key=lambda entry: not entry[0].startswith("wsgi+")))
        held, found = held_against(ordered)
        self.findings = [
            *(finding for finding in self.findings if finding.target not in held),
            *(finding for outcome in held.values() for finding in outcome.findings),
        ]
        cases = len(CASES) + (len(self.user_model.cases) if self.user_model else 0)
        self.journal.append(ParityRecord(block=block, targets=tuple(ordered), cases=cases, differences=tuple(found)))
        return {self._diverges(block, target, found) for target in {difference.target for difference in found}}

    def _diverges(self, block: int, target: str, found: Sequence[Difference]) -> str:
        own = [difference for difference in found if difference.target == target]
        reason = f"answers otherwise than {own[0].baseline}: {own[0].case_id}: {own[0].detail}"
        self._refused(block, target, reason, [difference.case_id for difference in own])
        return target


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_ACTUAL else f"{text[:_LONGEST_ACTUAL]}..."


def _could_not_tell(target: str, findings: Sequence[Finding]) -> ExpectedError:
    faults = [
        finding for finding in findings if finding.verdict in (CaseVerdict.SETUP_FAULT, CaseVerdict.HARNESS_FAULT)
    ]
    return ExpectedError(
        f"the conformance gate could not judge {target}: {faults[0].actual.strip().splitlines()[-1]}",
        hint=f"repeat the case alone: {faults[0].repeat}",
    )


def _size(expected: object) -> float:
    return max(map(_size, expected)) if isinstance(expected, list) else abs(float(expected))  # type: ignore[arg-type]
