"""Hold targets to the contract, and to each other."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands import values
from commands.options import add_model_options, add_server_options, chosen_reading
from experiment.errors import FINDING, HARNESS, OK, unwritable, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.case import Case, Reference
    from conformance.examination import Examination
    from conformance.finding import Difference, Finding
    from experiment.contender import Contender
    from experiment.user_model_setup import UserModelSetup

EPILOG: Final = """\
examples:
  python3 bench.py check                                      every framework on every server
  python3 bench.py check --targets flask,bottle+granian
  python3 bench.py check --targets flask --case json-nan      one case
  python3 bench.py check --model mine=path/to/my_model        the endpoint of your SavedModel too
  python3 bench.py check --url mine=http://127.0.0.1:9000     a server of yours, in any language
  python3 bench.py check --junit conformance.xml
  python3 bench.py check --json-test-suite JSONTestSuite/test_parsing
                                                             each file of the public suite as a body

exit codes: 0 right and alike; 1 a case is wrong or two frameworks differ; 3 the suite could not tell
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--targets", metavar="A,B", help="targets to judge (default: every framework on every server)")
    parser.add_argument("--case", metavar="ID", action="append", default=[], help="only this case; may be repeated")
    parser.add_argument(
        "--json-test-suite",
        type=values.source,
        metavar="DIR",
        help="judge by the files of the public JSONTestSuite in DIR, each a body of /predict, instead of the cases",
    )
    parser.add_argument("--junit", type=values.path, metavar="FILE", help="write the findings as JUnit XML too")
    add_server_options(parser)
    add_model_options(parser)


def main(arguments: argparse.Namespace) -> int:
    """Judge, compare, print."""
    from commands.terminal import StandardError
    from conformance.junit import write_junit
    from experiment.built_models import built_models
    from experiment.gating import foreign_figures
    from experiment.line_up import left_out
    from experiment.run_request import RunRequest, prepare

    suite: Path | None = arguments.json_test_suite
    named = arguments.targets or (None if arguments.url else _every_target())
    request = RunRequest(
        plan="smoke",
        targets=named,
        urls=arguments.url,
        server_python=arguments.server_python,
        model=arguments.model,
        payload=arguments.payload,
        reading=chosen_reading(arguments),
    )
    prepared = prepare(request, StandardError())
    model = prepared.user_model
    cases = _chosen_cases(arguments.case, suite, model)
    if named:
        built_models(StandardError())
    present = [one for one in prepared.contenders if one.twin_of is None and (named or one.target is None)]
    if other := [one.id for one in present if not one.checked]:
        raise usage(
            f"--url {other[0]}: check holds servers to this contract, and that is one of another protocol",
            hint="`bench.py run` compares it with ours",
        )
    options = ("--json-test-suite", str(suite)) if suite else ()
    judged, differing = _judge(present, cases, foreign_figures(arguments.figures), model=model, options=options)
    for entry in left_out("smoke", named, arguments.url, prepared.lacks):
        print(f"not run: {entry.what}: {entry.reason}")
    findings = [finding for outcome in judged.values() for finding in outcome.findings]
    # Printed first: what was found is not lost to a file that cannot be written.
    _print(judged, differing)
    if arguments.junit:
        try:
            write_junit(findings, arguments.junit)
        except OSError as error:
            raise unwritable(arguments.junit, error, "name another file with --junit") from error
    if any(not outcome.told for outcome in judged.values()):
        return HARNESS
    return FINDING if differing or any(finding.breaks_a_must for finding in findings) else OK


def _every_target() -> str:
    """Every framework of the contract on every server that takes it, the floor first."""
    from servers.target import grid

    contract = [one for one in grid() if one.kind.contract and (one.mode, one.device) == ("function", "cpu")]
    return ",".join(one.id for one in sorted(contract, key=lambda one: one.kind.role != "floor"))


def _chosen_cases(ids: Sequence[str], suite: Path | None, model: UserModelSetup | None) -> tuple[Case, ...]:
    from conformance.cases import CASES
    from conformance.json_test_suite import SuiteError, suite_cases

    try:
        known = CASES if suite is None else suite_cases(suite)
    except SuiteError as error:
        raise usage(str(error), hint="get it from https://github.com/nst/JSONTestSuite") from error
    known = (*known, *(model.cases if model else ()))
    if not ids:
        return known
    by_id = {case.id: case for case in known}
    if twice := [name for name in ids if ids.count(name) > 1]:
        raise usage(f"--case {twice[0]} is given twice", hint="each case is asked once")
    if unknown := [name for name in ids if name not in by_id]:
        where = (
            "see `python3 bench.py list cases`" if suite is None else f"ids follow from the names of files in {suite}"
        )
        raise usage(f"unknown case {unknown[0]!r}", hint=where)
    return tuple(by_id[name] for name in ids)


def _judge(
    present: Sequence[Contender],
    cases: Sequence[Case],
    figures: Reference | None,
    *,
    model: UserModelSetup | None,
    options: tuple[str, ...],
) -> tuple[dict[str, Examination], list[Difference]]:
    """Findings by target, and differences within each server and mode.

    Servers of one kind are up together, and as many of them are asked at once as there are cores: most of a case is
    waiting, and nothing is timed.
    """
    import os
    import tempfile
    from concurrent.futures import ThreadPoolExecutor

    from commands.terminal import StandardError
    from conformance.examination import held_against, run_cases
    from experiment.contender import bring_up
    from experiment.gating import reference_figures, with_user_model
    from servers.fleet import Fleet
    from servers.server_decisions import HIDDEN

    terminal = StandardError()
    groups: dict[tuple[str, str, bool], list[Contender]] = {}
    for one in present:
        key = (one.target.server, one.target.mode, one.judged) if one.target else ("", "", True)
        groups.setdefault(key, []).append(one)
    _, reference, theirs = with_user_model((), reference_figures(), model)
    options = (*theirs, *options)
    judged: dict[str, Examination] = {}
    differing: list[Difference] = []

    def examined(one: Contender, url: str) -> Examination:
        return run_cases(
            cases,
            url,
            one.id,
            reference if one.target else figures,
            judged=one.judged,
            foreign=one.target is None,
            options=options,
            hidden=HIDDEN.get(one.target.server) if one.target and one.judged else None,
        )

    with (
        terminal.bar("Checking") as bar,
        tempfile.TemporaryDirectory(prefix="titrate-") as logs,
        ThreadPoolExecutor(os.cpu_count()) as lanes,
    ):
        for group in groups.values():
            with Fleet(logs=Path(logs)) as fleet:
                bar.update(len(judged), len(present), f"starting {', '.join(one.id for one in group)}")
                urls = bring_up(fleet, group)
                bar.update(len(judged), len(present), ", ".join(one.id for one in group))
                examinations = lanes.map(examined, group, [urls[one.id] for one in group])
                for one, found in zip(group, examinations, strict=True):
                    judged[one.id] = found
                    bar.update(len(judged), len(present), one.id)
            if group[0].judged and len(group) > 1:
                # No framework is the yardstick where it is there: then a difference names who makes it.
                ordered = sorted(group, key=lambda one: not one.id.startswith("wsgi+"))
                held, apart = held_against({one.id: judged[one.id] for one in ordered})
                judged |= held
                differing += apart
        bar.update(len(judged), len(present), "done")
    return judged, differing


def _print(judged: dict[str, Examination], differing: Sequence[Difference]) -> None:
    from conformance.finding import CaseVerdict

    shown = [
        verdict for verdict in CaseVerdict if any(outcome.counts.get(verdict.value) for outcome in judged.values())
    ]
    width = max(map(len, judged))
    print(" ".join([f"{'target':{width}}", *(f"{verdict.value:>13}" for verdict in shown)]))
    for name, outcome in judged.items():
        print(" ".join([f"{name:{width}}", *(f"{outcome.counts.get(verdict.value, 0):13}" for verdict in shown)]))
    quiet: tuple[CaseVerdict, ...] = (CaseVerdict.RIGHT, CaseVerdict.SKIPPED)
    for outcome in judged.values():
        for finding in outcome.findings:
            if finding.verdict not in quiet or finding.connection not in (None, *quiet):
                _print_finding(finding)
    total = sum(len(outcome.findings) for outcome in judged.values())
    seconds = sum(outcome.seconds for outcome in judged.values())
    print(
        f"\n{total} findings on {len(judged)} targets in {seconds:.1f} s, {len(differing)} differences between targets"
    )


def _print_finding(finding: Finding) -> None:
    severity = f" ({finding.severity.value.replace('_', ' ')})" if finding.severity else ""
    said = finding.verdict.value
    if said == "right" and finding.connection is not None:
        said = f"connection {finding.connection.value}"
    print(f"\n{said}: {finding.case_id} on {finding.target}{severity}")
    if finding.verdict.value == "servers_own":
        print(f"  {finding.actual}")
        print(f"  repeat    {finding.repeat}")
        return
    print(f"  {finding.proves} [{finding.clause}]")
    print(f"  expected  {finding.expected}")
    print(f"  actual    {finding.actual}")
    if finding.connection is not None:
        print(f"  connection {finding.connection.value}: {finding.fate}")
    print(f"  repeat    {finding.repeat}")
