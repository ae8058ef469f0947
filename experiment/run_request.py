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
from experiment.line_up import Lacks, contenders, named_targets
from experiment.pace import UsualPace, usual_pace
from experiment.progress import Terminal
from experiment.rounds import Stopping
from experiment.user_model_setup import UserModelSetup, refuse_in_vain, set_up_user_model
from experiment.variants import BatchBounds, settled
from loadtests.orders import Workforce
from loadtests.plans import PLANS, Plan
from loadtests.scenarios import Scenario, likewise
from loadtests.search import Slo
from servers.models.catalog import cache_dir, saved_models_dir
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
    `left_out` are scenarios for which its model is too slow.
    """

    plan: Plan
    contenders: tuple[Contender, ...]
    under: tuple[Interpreter, ...]
    user_model: UserModelSetup | None
    lacks: Lacks
    settings: Settings
    left_out: tuple[Scenario, ...] = ()

    @property
    def pace(self) -> UsualPace:
        """How long the parts of a run take here, of the user's own model where it is one."""
        usual = usual_pace(cache_dir())
        return usual_pace(self.user_model.pace_folder, usual) if self.user_model else usual

    @property
    def run_s(self) -> float:
        """Seconds that a run takes, as far as anything is known."""
        request_s = self.user_model.request_s if self.user_model else None
        return run_s(self.plan, len(self.contenders), self.pace, request_s or 0.0)


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
    model, limit_s = prepared.user_model, request.stopping.at_most_s
    if model is None or model.request_s is None or limit_s is None or request.scenarios or request.stopping.blocks:
        return prepared
    less = fitted(prepared.plan, len(prepared.contenders), prepared.pace, model.request_s, limit_s)
    gone = tuple(one for one in prepared.plan.scenarios if one not in less.scenarios)
    return replace(prepared, plan=less, left_out=gone)


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
