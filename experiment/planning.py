"""Turning a command line into an experiment."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from experiment.built_models import built_models
from experiment.compared_pairs import NOISE, comparisons
from experiment.contender import Contender, takes
from experiment.cores import Cores
from experiment.design import Design, cores_of
from experiment.environment import describe
from experiment.errors import unwritable, usage
from experiment.experiment import Experiment
from experiment.interpreters import packages_apart
from experiment.journal import Journal, JournalError
from experiment.journal_records import BLOCKS, DECIDED, ComparisonRecord, NotRunRecord, RunRecord, Setting, TargetRecord
from experiment.line_up import NO_GPU, has_gpu, left_out
from experiment.own_runs import sign
from experiment.progress import Terminal, plural
from experiment.run_request import Prepared, RunRequest, prepare
from loadtests.scenarios import Scenario
from servers.repository import REPOSITORY

RUNS: Final = REPOSITORY / "reports" / "runs"

SEARCH_S: Final = 40.0
"""What it takes to find one capacity, for estimates: a ladder of users and some nine looks."""


def plan_experiment(request: RunRequest, terminal: Terminal) -> Experiment:
    """A new run, its folder and the journal's header written. Raises ExpectedError on what cannot be run."""
    prepared = prepare(request, terminal)
    pairs = comparisons(prepared.contenders, named=bool(request.targets))
    missing = left_out(request.plan, request.targets, request.urls_alone, prepared.lacks)
    _require_pairs(request, prepared, pairs, missing, terminal)
    built_models(terminal)
    present, chosen, slo = prepared.contenders, prepared.plan, request.slo
    seed = secrets.randbelow(2**32) if request.seed is None else request.seed
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%dT%H%M%SZ}-{request.plan}"
    folder = (request.out or RUNS / run_id).resolve()
    header = RunRecord(
        run_id=run_id,
        plan=request.plan,
        seed=seed,
        started_utc=now.isoformat(timespec="seconds"),
        blocks=chosen.blocks,
        until=request.stopping.until or BLOCKS,
        at_most_s=request.stopping.at_most_s,
        slice_s=chosen.slice_s,
        slo=str(slo) if slo else None,
        expect_workers=request.workforce.expect if request.workforce else None,
        price_per_core_hour=request.price_per_core_hour,
        targets=tuple(described(one, cores_of(present), packages_apart(prepared.under)) for one in present),
        scenarios=tuple(scenario.record() for scenario in chosen.scenarios),
        comparisons=pairs,
        not_run=(
            *missing,
            *([] if any(one.reason == NO_GPU for one in missing) else _no_gpu(present)),
            *_unasked(present, chosen.scenarios, skip_check=request.skip_check),
            *prepared.left_out,
        ),
        model=prepared.user_model.record() if prepared.user_model else None,
        environment=describe(REPOSITORY),
        command=("python3", "bench.py", *sys.argv[1:]),
    )
    try:
        journal = Journal.create(folder, header, sign)
    except JournalError as error:
        raise usage(str(error), hint="name another folder with --out, or go on with --resume") from error
    except OSError as error:
        raise unwritable(folder, error, "name another folder with --out") from error
    searches = len({one.endpoint for one in chosen.scenarios}) * sum(one.twin_of is None for one in present)
    search_s = SEARCH_S * searches * chosen.blocks if slo else 0.0
    minutes = (prepared.run_s + search_s) / 60
    for one in (*missing, *prepared.left_out) if request.model else ():
        terminal.say(f"not run: {one.what}: {one.reason}")
    terminal.say(
        f"plan {request.plan}: {plural(len(present), 'target')}, {plural(len(chosen.scenarios), 'scenario')},"
        f" {plural(chosen.blocks, 'block')}, about {plural(max(1, round(minutes)), 'minute')}"
        f"{_and_then(request, minutes)} -> {folder}"
    )
    return Experiment(design=Design.of(request, prepared, folder, seed), terminal=terminal, journal=journal)


def _require_pairs(
    request: RunRequest,
    prepared: Prepared,
    pairs: Sequence[ComparisonRecord],
    missing: Sequence[NotRunRecord],
    terminal: Terminal,
) -> None:
    """Say beforehand that nothing will be compared. Raises ExpectedError where several targets were to be."""
    if request.slo or any(pair.axis != NOISE for pair in pairs):
        return
    present = [one.id for one in prepared.contenders if one.twin_of is None]
    if len(present) == 1 and not missing:
        terminal.say(f"one target, {present[0]}: it is measured, and compared with nothing; name others with --targets")
        return
    reasons = "".join(f"; {one.what} is not run: {one.reason}" for one in missing)
    raise usage(
        f"this run would compare nothing: there is {' and '.join(present)}{reasons}",
        hint="name targets that differ in one part, such as --targets flask,bottle, or one alone to measure it",
    )


def _and_then(request: RunRequest, minutes: float) -> str:
    """What follows the planned blocks."""
    limit_s = request.stopping.at_most_s
    if request.stopping.until != DECIDED:
        return ""
    if limit_s is None:
        return ", then more blocks for what is undecided"
    limit = f"{limit_s / 60:g} min"
    if limit_s < 60 * minutes:
        return f", which leaves no time for more blocks within {limit}"
    return f", then more blocks for what is undecided, {limit} in all at most"


def described(one: Contender, cores: Cores, apart: Mapping[str, Mapping[str, str]] | None = None) -> TargetRecord:
    """A contender as the run's header records it: its parts, and every setting that it runs under.

    `cores` are the run's; `apart` has, by interpreter, the versions of what the run's interpreters do not have alike.
    """
    parts = one.target.parts if one.target else dict.fromkeys(("framework", "server", "mode", "device"))
    own: dict[str, Setting] = one.settings.record() | {"cpus": list(cores.servers)}
    if one.interpreter:
        name = one.interpreter.name
        own |= {"interpreter": name, "packages": dict((apart or {}).get(name, {}))}
    return TargetRecord(
        id=one.id,
        **parts,
        twin_of=one.twin_of,
        judged=one.judged,
        settings=own if one.target else {"base_url": one.address},
    )


def _no_gpu(present: Sequence[Contender]) -> list[NotRunRecord]:
    """Said of every run without a target on a GPU, so that nobody takes a silence for a figure."""
    if any(one.target is not None and one.target.device == "gpu" for one in present):
        return []
    return [NotRunRecord(what="device gpu", reason="not in this plan" if has_gpu() else NO_GPU)]


def _unasked(present: Sequence[Contender], scenarios: Sequence[Scenario], *, skip_check: bool) -> list[NotRunRecord]:
    variants = [one for one in scenarios if one.variant]
    unasked = [one.id for one in present if not all(takes(one, each, skip_check=skip_check) for each in variants)]
    if not unasked:
        return []
    what = f"{', '.join(one.id for one in variants)} on {', '.join(unasked)}"
    return [NotRunRecord(what=what, reason="not held to the contract, so asked in the usual encodings only")]
