"""What is asked of a run, by a command line or by the header of a run that goes on, and what that comes to."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.case import Reference
from experiment.contender import Contender
from experiment.errors import usage
from experiment.fitting import fitted, run_s
from experiment.foreign_server import refuse_without_model, route_of
from experiment.interpreters import Interpreter, distinct, interpreters
from experiment.journal_records import NotRunRecord
from experiment.line_up import Lacks, contenders, named_targets
from experiment.progress import Terminal
from experiment.rounds import Stopping
from experiment.user_model_setup import UserModelSetup, known_pace, refuse_in_vain, set_up_user_model
from experiment.variants import BatchBounds, settled
from loadtests.orders import Workforce
from loadtests.plans import PLANS, Plan
from loadtests.scenarios import Scenario, likewise
from loadtests.search import Slo
from servers.models.catalog import saved_models_dir
from servers.models.user_model import Reading
from servers.settings import Settings
from servers.varied_settings import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What is to be measured. `None`, and what is empty, leaves the choice to the plan, or to chance for the seed.

    `targets`, `urls`, `server_python` and `model` are as they stand in a command line. `vary` has the values of each
    setting that the targets are to be measured at.
    """

    plan: str
    targets: str | None = None
    urls: Sequence[str] = ()
    endpoints: Sequence[str] | None = None
    scenarios: Sequence[Scenario] = ()
    stopping: Stopping = field(default_factory=Stopping)
    vary: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    bounds: BatchBounds = field(default_factory=BatchBounds)
    slo: Slo | None = None
    skip_check: bool = False
    figures: Reference | None = None
    server_python: Sequence[str] = ()
    model: str | None = None
    payload: Path | None = None
    reading: Reading = field(default_factory=Reading)
    workforce: Workforce | None = None
    seed: int | None = None
    out: Path | None = None
    price_per_core_hour: float | None = None

    @property
    def urls_alone(self) -> Sequence[str]:
        """Servers that are measured in place of the plan's targets; with a model they stand beside them."""
        return () if self.model is not None else self.urls


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a request comes to on this machine. `under` are the interpreters that tell contenders from each other.

    `settings` are what every contender's were made from; `lacks` says why a target cannot serve the user's model.
    `left_out` says for which scenarios its model is too slow.
    """

    plan: Plan
    contenders: tuple[Contender, ...]
    under: tuple[Interpreter, ...]
    user_model: UserModelSetup | None
    lacks: Lacks
    settings: Settings
    left_out: tuple[NotRunRecord, ...] = ()

    @property
    def request_s(self) -> dict[str, float]:
        """What a request of the user's model takes, by its endpoint; empty where nobody measured."""
        setup = self.user_model
        return {setup.name: setup.model.request_s} if setup and setup.model.request_s is not None else {}

    @property
    def run_s(self) -> float:
        """Seconds that a run takes, as far as anything is known."""
        return run_s(self.plan, len(self.contenders), known_pace(self.user_model), self.request_s)


def prepare(request: RunRequest, terminal: Terminal) -> Prepared:
    """Look at everything that is named. Raises ExpectedError on what cannot be run.

    `built_models` comes after this: it takes half a minute the first time, and what cannot be is said before.
    """
    wanted = named_targets(request.plan, request.targets, request.urls_alone)
    if request.vary and not wanted:
        raise usage("--vary is for servers that are launched here, not for --url", hint="name targets with --targets")
    refuse_in_vain(request.model, wanted if request.targets else ())
    modes = dict.fromkeys(target.mode for target in wanted)
    model = set_up_user_model(terminal, request.model, request.payload, modes, request.reading)
    lacks = model.lacks if model else _lacks_nothing
    found = interpreters(request.server_python)
    under = found if distinct(request.server_python) else ()
    present = tuple(
        _routed(one, model.name if model else None)
        for one in contenders(
            request.plan,
            request.targets,
            request.urls,
            lacks=lacks,
            under=under,
            vary=request.vary,
            alone=model is None,
        )
    )
    base = Settings(python=str(found[0].python) if found else sys.executable, models_dir=saved_models_dir())
    base = model.placed(base) if model else base
    plan = PLANS[request.plan]
    plan = replace(
        plan,
        blocks=request.stopping.blocks or plan.blocks,
        scenarios=scenarios_of(tuple(request.scenarios) or plan.scenarios, request.endpoints, model),
    )
    if not plan.scenarios:
        raise usage("none of --scenarios is on one of --endpoints")
    prepared = Prepared(
        plan=plan,
        contenders=tuple(_settled(one, base, request.bounds) for one in present),
        under=under,
        user_model=model,
        lacks=lacks,
        settings=base,
    )
    return _in_time(prepared, request)


def _in_time(prepared: Prepared, request: RunRequest) -> Prepared:
    """With less of the plan where the user's model is slow and the run has a limit, unless somebody said how much."""
    limit_s, own = request.stopping.at_most_s, prepared.request_s
    if limit_s is None or request.scenarios or request.stopping.blocks:
        return prepared
    if not any(one.endpoint in own for one in prepared.plan.scenarios):
        return prepared
    less = fitted(prepared.plan, len(prepared.contenders), known_pace(prepared.user_model), own, limit_s)
    gone = [one.id for one in prepared.plan.scenarios if one not in less.scenarios]
    reason = (
        f"a request takes {max(own.values()):.2g} s on one core, so they do not fit into {limit_s / 60:g} min;"
        " --at-most takes longer"
    )
    return replace(prepared, plan=less, left_out=(NotRunRecord(what=", ".join(gone), reason=reason),) if gone else ())


def scenarios_of(
    scenarios: tuple[Scenario, ...], endpoints: Sequence[str] | None, model: UserModelSetup | None
) -> tuple[Scenario, ...]:
    """Those of the chosen endpoints, None for all; a user's own model is loaded as /predict is."""
    if endpoints is None:
        return scenarios
    chosen = tuple(one for one in scenarios if one.endpoint in endpoints)
    if model is None or model.name not in endpoints:
        return chosen
    return chosen + likewise(scenarios, model.name, model.encoding, len(model.model.payloads))


def _routed(one: Contender, model: str | None) -> Contender:
    """A foreign server with the way in which it is asked of the user's model. Raises ExpectedError."""
    if one.base_url is None:
        return one
    if model is None:
        refuse_without_model(one.id, one.base_url)
        return one
    base_url, route = route_of(one.base_url, model)
    return replace(one, base_url=base_url, route=route)


def _settled(one: Contender, base: Settings, bounds: BatchBounds) -> Contender:
    if one.target is None:
        return one
    own = replace(base, python=str(one.interpreter.python)) if one.interpreter else base
    return replace(one, settings=settled(one.target, one.varied, own, bounds))


def _lacks_nothing(_target: object) -> None:
    return None
