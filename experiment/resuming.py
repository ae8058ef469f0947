"""Going on with a run that was stopped, in whatever way: what is finished stays, and what was under way begins anew."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from conformance.case import Reference
from experiment.built_models import built_models
from experiment.contender import Contender, takes
from experiment.design import Design
from experiment.environment import describe
from experiment.environment_record import EnvironmentRecord
from experiment.errors import usage
from experiment.experiment import Experiment
from experiment.journal import PARTIAL, Journal, JournalError
from experiment.journal_records import (
    BLOCKS,
    LookRecord,
    ModelRecord,
    PlaceRecord,
    ResumedRecord,
    target_of,
    varied_of,
)
from experiment.own_runs import require_own
from experiment.progress import Terminal, plural
from experiment.remainder import Remainder, remainder
from experiment.remnants import wait_until_gone
from experiment.rounds import Stopping, more_blocks
from experiment.run_folder import Run, read_run
from experiment.run_request import RunRequest, prepare
from experiment.user_model_setup import require_unchanged
from experiment.variants import parsed
from loadtests.endpoints import ENDPOINTS, PREDICT
from loadtests.orders import Workforce
from loadtests.plans import PLANS
from loadtests.scenarios import Scenario, scenario_from_id
from loadtests.search import Slo
from loadtests.trial_record import ScenarioRecord
from servers.models.user_model import Reading
from servers.repository import REPOSITORY
from servers.settings import Settings

_SAME: Final = ("cpu", "kernel", "python", "packages_sha256", "flags", "git")
"""What of the environment should be as it was when the run began."""


def _named(run: Run) -> str:
    """The programs, models and addresses that a resume of the run would use."""
    found = {str(one.settings.get("python")) for one in run.targets if one.base_url is None}
    found |= {one.base_url for one in run.targets if one.base_url is not None}
    found |= {run.model.saved_model} if run.model else set()
    return ", ".join(sorted(found)) or "nothing"


def resume_experiment(
    folder: Path,
    terminal: Terminal,
    *,
    skip_check: bool,
    figures: Reference | None,
    workforce: Workforce | None = None,
    stopping: Stopping | None = None,
    trust: bool = False,
) -> Experiment:
    """The run in `folder` as its header describes it, without what it has measured. Raises ExpectedError.

    What a header names, interpreters, models and addresses, is run and loaded only where this user's own harness wrote
    it, or `trust` says so.

    The journal gets a record of what was in flight and begins anew; samples that no trial counts are removed. A run
    that has ended goes on only where `stopping` asks for more.
    """
    folder = folder.resolve()
    try:
        journal = Journal.reopen(folder)
        run = read_run(folder)
        if not trust:
            require_own(folder, journal.header, named=_named(run))
    except JournalError as error:
        raise usage(
            str(error), hint="--resume takes the folder of a run that has stopped, as `bench.py run` printed it"
        ) from error
    if run.plan not in PLANS:
        raise usage(f"{folder} holds a climb of the ladder, which is not resumed", hint="python3 bench.py micro")
    if run.expect_workers != (workforce.expect if workforce else None):
        # Two kinds of load in one run would be compared as if they were one.
        asked = f"--expect-workers {run.expect_workers}" if run.expect_workers else "no --expect-workers"
        raise usage(f"{folder} was begun with {asked}", hint="resume it with the same")
    further = (stopping or Stopping()).resumed(run.plan)
    if further and further.blocks is not None and further.blocks <= run.cuts[-1]:
        has = plural(run.cuts[-1], "block")
        raise usage(
            f"{folder} has {has} already, in which --blocks {further.blocks} is reached", hint="name more in all"
        )
    wait_until_gone(folder, terminal)
    if run.model:
        require_unchanged(run.model)
    if further:
        run = msgspec.structs.replace(run, until=further.until, at_most_s=further.at_most_s, spent_s=0.0)
    request = replace(recorded_request(run), skip_check=skip_check, figures=figures, workforce=workforce)
    prepared = prepare(request, terminal)
    built_models(terminal)
    present = tuple(as_recorded(one, run) for one in prepared.contenders)
    python = next((one.settings.python for one in present if one.target is not None), prepared.settings.python)
    prepared = replace(prepared, contenders=present, settings=replace(prepared.settings, python=python))
    design = Design.of(request, prepared, folder, run.seed)
    refused = {refusal.target for refusal in run.refusals}
    # A twin is the same code under a second name.
    refused |= {one.id for one in present if one.twin_of in refused}
    named = {
        scenario.id: [one.id for one in present if takes(one, scenario, skip_check=skip_check)]
        for scenario in design.plan.scenarios
    }
    more = more_blocks(run.blocks, run.looks, further.blocks, named) if further and further.blocks else None
    if more:
        run = msgspec.structs.replace(run, looks=(*run.looks, more))
    rest = remainder(run, {scenario: set(names) - refused for scenario, names in named.items()})
    experiment = Experiment(
        design=design,
        terminal=terminal,
        journal=journal,
        done=rest.done,
        refused=refused,
        answers={one.target: (one.block, one.answers) for one in sorted(run.primed, key=lambda one: -one.block)},
        searched=rest.searched,
        complete=run.complete and (further is None or (further.until, further.blocks) == (BLOCKS, None)),
        looks=list(run.looks),
        timings=list(run.timings),
        spent_s=run.spent_s,
    )
    if experiment.is_over():
        terminal.say(f"{folder} is complete: nothing is left to measure")
    else:
        _begin_anew(run, rest, journal, terminal, further=further, more=more)
    return experiment


def recorded_request(run: Run) -> RunRequest:
    """What the header of a run says was asked for: every target, scenario and value by name."""
    own = [target for target in run.targets if target.base_url is None and target.twin_of is None]
    pythons = {one.interpreter: one.settings["python"] for one in own if one.interpreter is not None}
    vary: dict[str, dict[str, None]] = defaultdict(dict)
    for target in own:
        for name, value in varied_of(target.id).items():
            vary[name][value] = None
    return RunRequest(
        plan=run.plan,
        targets=",".join(dict.fromkeys(target_of(target.id) for target in own)) or None,
        urls=[f"{one.id}={one.base_url}" for one in run.targets if one.base_url is not None and one.twin_of is None],
        scenarios=tuple(map(_recorded_scenario, run.scenarios)),
        stopping=Stopping(blocks=run.blocks, until=run.until, at_most_s=run.at_most_s),
        vary=parsed([f"{name}={','.join(values)}" for name, values in vary.items()]),
        slo=Slo.parse(run.slo) if run.slo else None,
        server_python=[f"{name}={python}" for name, python in pythons.items()],
        model=f"{run.model.name}={run.model.saved_model}" if run.model else None,
        payload=Path(run.model.payload) if run.model and run.model.payload else None,
        reading=_recorded_reading(run.model),
    )


def _recorded_reading(model: ModelRecord | None) -> Reading:
    return (
        Reading()
        if model is None
        else Reading(signature=model.signature, tags=model.tags, scale=model.scale, fix=model.fix)
    )


def as_recorded(one: Contender, run: Run) -> Contender:
    """A contender under the settings that the header recorded, whatever the defaults are by now."""
    recorded = run.target(one.id)
    if one.target is None or recorded is None:
        return one
    settings = asdict(one.settings) | dict(recorded.settings)
    return replace(one, settings=msgspec.convert(settings, Settings, dec_hook=lambda kind, value: kind(value)))


def _recorded_scenario(one: ScenarioRecord) -> Scenario:
    """An endpoint that is not ours is a user's model, which is loaded as /predict is."""
    if one.endpoint in ENDPOINTS:
        return scenario_from_id(one.id)
    alike = scenario_from_id(f"{PREDICT}{one.law}")
    return replace(alike, endpoint=one.endpoint, encoding=one.encoding, payloads=one.payloads)


def resumption(
    run: Run,
    rest: Remainder,
    *,
    torn_bytes: int,
    environment: EnvironmentRecord,
    at: datetime,
    further: Stopping | None = None,
) -> ResumedRecord:
    """The record that the run goes on with."""
    return ResumedRecord(
        at_utc=at.isoformat(timespec="seconds"),
        torn_bytes=torn_bytes,
        in_flight=rest.in_flight,
        void=tuple(PlaceRecord(block=block, scenario=scenario) for block, scenario in rest.void),
        finished=len(rest.done),
        left=len(rest.left),
        changed=tuple(name for name in _SAME if getattr(run.environment, name) != getattr(environment, name)),
        until=further.until if further else None,
        at_most_s=further.at_most_s if further else None,
    )


def _begin_anew(
    run: Run,
    rest: Remainder,
    journal: Journal,
    terminal: Terminal,
    *,
    further: Stopping | None,
    more: LookRecord | None,
) -> None:
    record = resumption(
        run,
        rest,
        torn_bytes=journal.torn_bytes,
        environment=describe(REPOSITORY),
        at=datetime.now(UTC),
        further=further,
    )
    journal.append(record, *([more] if more else []))
    # Only now: should this end here, the next one finds the same strays.
    unlinked = [path for path in run.folder.glob(f"{PARTIAL}*") if path.name.removeprefix(PARTIAL).isdigit()]
    for path in (*rest.strays, *unlinked):
        path.unlink()
    again = f"; {rest.in_flight} begins anew" if rest.in_flight else ""
    terminal.say(f"resumed: {plural(len(rest.done), 'trial')} finished, {len(rest.left)} to come{again}")
    if record.changed:
        terminal.say(f"not as it was when the run began: {', '.join(record.changed)}")
