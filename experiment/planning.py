"""Turning a command line into an experiment."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from conformance.case import Reference
from experiment.built_models import built_models
from experiment.cores import share_out
from experiment.environment import describe
from experiment.errors import usage
from experiment.experiment import Experiment
from experiment.interpreters import distinct, interpreters, packages_apart
from experiment.journal import SCHEMA_VERSION, Journal, JournalError
from experiment.line_up import NO_GPU, Contender, comparisons, contenders, has_gpu, left_out, named_targets, takes
from experiment.meter import LAUNCH_S
from experiment.progress import Terminal, plural
from experiment.records import Target
from experiment.user_model_setup import GuestModel, guest_model, refuse_in_vain
from loadtests.orders import Workforce
from loadtests.scenarios import PLANS, Scenario, likewise
from loadtests.search import Slo
from servers.repository import REPOSITORY
from servers.settings import Settings

RUNS: Final = REPOSITORY / "reports" / "runs"

SEARCH_S: Final = 40.0
"""What it takes to find one capacity, for estimates: a ladder of users and some nine looks."""


def plan_experiment(
    terminal: Terminal,
    *,
    plan: str,
    targets: str | None,
    endpoints: Sequence[str],
    scenarios: Sequence[Scenario],
    slo: Slo | None,
    urls: Sequence[str],
    skip_check: bool,
    figures: Reference | None,
    server_python: Sequence[str],
    seed: int | None,
    out: Path | None,
    batching: Callable[[Settings], Settings],
    model: str | None = None,
    payload: Path | None = None,
    workforce: Workforce | None = None,
    price_per_core_hour: float | None = None,
) -> Experiment:
    """A new run, its folder and the journal's header written. Raises ExpectedError on what cannot be run."""
    if model is not None and urls:
        raise usage("--model is for servers that are launched here, not for --url", hint="leave one of them out")
    wanted = named_targets(plan, targets, urls)
    refuse_in_vain(model, wanted if targets else ())
    guest = guest_model(terminal, model, payload, dict.fromkeys(target.mode for target in wanted))
    lacks = guest.lacks if guest else _lacks_nothing
    found = interpreters(server_python)
    under = found if distinct(server_python) else ()
    present = contenders(plan, targets, urls, lacks, under)
    chosen = PLANS[plan]
    chosen = replace(chosen, scenarios=scenarios_of(tuple(scenarios) or chosen.scenarios, endpoints, guest))
    if not chosen.scenarios:
        raise usage("none of --scenarios is on one of --endpoints")
    seed = secrets.randbelow(2**32) if seed is None else seed
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%dT%H%M%SZ}-{plan}"
    folder = (out or RUNS / run_id).resolve()
    python = str(found[0].python) if found else sys.executable
    settings = with_model(batching(Settings(python=python, models_dir=built_models(terminal))), guest)
    header = {
        "kind": "run",
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "plan": plan,
        "seed": seed,
        "started_utc": now.isoformat(timespec="seconds"),
        "blocks": chosen.blocks,
        "slice_s": chosen.slice_s,
        "slo": str(slo) if slo else None,
        "expect_workers": workforce.expect if workforce else None,
        "price_per_core_hour": price_per_core_hour,
        "targets": [described(one, settings, packages_apart(under)) for one in present],
        "scenarios": [msgspec.to_builtins(scenario.record()) for scenario in chosen.scenarios],
        "comparisons": comparisons(present),
        "not_run": [
            *(missing := left_out(plan, targets, urls, lacks)),
            *([] if any(one["reason"] == NO_GPU for one in missing) else _no_gpu(present)),
            *_unasked(present, chosen.scenarios, skip_check=skip_check),
        ],
        "model": guest.record() if guest else None,
        "environment": describe(REPOSITORY),
        "command": ["python", "bench.py", *sys.argv[1:]],
    }
    try:
        journal = Journal.create(folder, header)
    except (JournalError, OSError) as error:
        raise usage(str(error), hint="name another folder with --out, or go on with --resume") from error
    searches = len({one.endpoint for one in chosen.scenarios}) * sum(one.twin_of is None for one in present)
    search_s = SEARCH_S * searches * chosen.blocks if slo else 0.0
    minutes = (chosen.estimate_s(len(present), launch_s=LAUNCH_S) + search_s) / 60
    terminal.say(
        f"plan {plan}: {plural(len(present), 'target')}, {plural(len(chosen.scenarios), 'scenario')},"
        f" {plural(chosen.blocks, 'block')}, about {plural(max(1, round(minutes)), 'minute')} -> {folder}"
    )
    return Experiment(
        folder=folder,
        plan=chosen,
        seed=seed,
        contenders=present,
        settings=settings,
        skip_check=skip_check,
        figures=figures,
        terminal=terminal,
        journal=journal,
        guest=guest,
        slo=slo,
        workforce=workforce,
    )


def settings_of(own: Sequence[Target], models_dir: Path) -> Settings:
    """The settings that a run's header recorded, so that a resumed run goes on under the same ones."""
    known = {field.name for field in fields(Settings)}
    recorded: dict[str, Any] = {"python": sys.executable}
    # A native target's record has no batching in it, whatever the run's settings are.
    for target in sorted(own, key=lambda one: one.settings.get("batch", 0)):
        recorded = {name: value for name, value in target.settings.items() if name in known}
    return Settings(**recorded | {"models_dir": models_dir})


def described(
    one: Contender, settings: Settings, apart: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """A contender as the run's header records it: its parts, and every setting that it runs under.

    `apart` has, by interpreter, the versions of what the run's interpreters do not have alike.
    """
    parts = one.target.parts if one.target else dict.fromkeys(("framework", "server", "mode", "device"))
    # Only the contract's core batches; whatever else is measured beside it answers one by one.
    theirs = settings if one.target and one.target.kind.contract else replace(settings, batch=0, queue=0, deadline_ms=0)
    own = theirs.record() | {"cpus": list(share_out(settings.workers).servers)}
    if one.interpreter:
        name = one.interpreter.name
        own |= {
            "python": str(one.interpreter.python),
            "interpreter": name,
            "packages": dict((apart or {}).get(name, {})),
        }
    return {
        "id": one.id,
        **parts,
        "twin_of": one.twin_of,
        "judged": one.judged,
        "settings": own if one.target else {"base_url": one.base_url},
    }


def _no_gpu(present: Sequence[Contender]) -> list[dict[str, str]]:
    """Said of every run without a target on a GPU, so that nobody takes a silence for a figure."""
    if any(one.target is not None and one.target.device == "gpu" for one in present):
        return []
    return [{"what": "device gpu", "reason": "not in this plan" if has_gpu() else NO_GPU}]


def scenarios_of(
    scenarios: tuple[Scenario, ...], endpoints: Collection[str], guest: GuestModel | None
) -> tuple[Scenario, ...]:
    """Those of the chosen endpoints; a user's own model is loaded as /predict is."""
    chosen = tuple(one for one in scenarios if one.endpoint in endpoints)
    if guest is None or guest.name not in endpoints:
        return chosen
    return chosen + likewise(scenarios, guest.name, guest.encoding, len(guest.model.payloads))


def with_model(settings: Settings, guest: GuestModel | None) -> Settings:
    """The settings under which a user's own model, where there is one, is served."""
    return guest.placed(settings) if guest else settings


def _lacks_nothing(_target: object) -> None:
    return None


def _unasked(present: Sequence[Contender], scenarios: Sequence[Scenario], *, skip_check: bool) -> list[dict[str, str]]:
    found = []
    variants = [one for one in scenarios if one.variant]
    unasked = [one.id for one in present if not all(takes(one, each, skip_check=skip_check) for each in variants)]
    if unasked:
        what = f"{', '.join(one.id for one in variants)} on {', '.join(unasked)}"
        found.append({"what": what, "reason": "not held to the contract, so asked in the usual encodings only"})
    return found
