"""What a run measures under one name: a target of ours in one way of running it, its twin, or a foreign server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from experiment.errors import ExpectedError, usage
from experiment.foreign_server import Route
from experiment.interpreters import Interpreter
from loadtests.scenarios import Scenario
from servers.fleet import Berth, Fleet
from servers.launch import LaunchError
from servers.settings import Settings
from servers.target import Target
from servers.varied_settings import Value
from servers.web_servers import ServerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One measured thing under the name that it has in the run.

    `interpreter` is what its server runs under, where that tells it from another contender, and `varied` are the
    settings that do. `settings` are all that it runs under. `route` is how a foreign server is asked of a user's own
    model, where there is one.
    """

    id: str
    target: Target | None = None
    base_url: str | None = None
    twin_of: str | None = None
    interpreter: Interpreter | None = None
    varied: Mapping[str, Value] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    route: Route | None = None

    @property
    def address(self) -> str | None:
        """Where a foreign server is, as the user gave it."""
        own = self.route is not None and self.route.protocol != "contract"
        return f"{self.base_url}/{self.route.path}" if own and self.route else self.base_url

    @property
    def checked(self) -> bool:
        """Whether the cases of the contract are for it: not for a server of another protocol."""
        return self.route is None or self.route.protocol == "contract"

    @property
    def judged(self) -> bool:
        """Whether the contract is held against it. Native targets are only observed."""
        return self.target is None or self.target.kind.contract

    @property
    def parts(self) -> dict[str, object]:
        """Everything by which it may differ from another of ours, by the name of the axis."""
        own = self.target.parts if self.target else {}
        return {**own, "interpreter": self.interpreter and self.interpreter.name, **self.varied}


def takes(one: Contender, scenario: Scenario, *, skip_check: bool) -> bool:
    """Whether a contender is measured in a scenario's encoding.

    Every encoding is taken by who is held to the contract. The article's code, and a foreign server that nobody checks,
    are asked only in the usual ones.
    """
    checked = one.judged and not (one.target is None and skip_check)
    return checked or scenario.variant is None


def bring_up(
    fleet: Fleet, contenders: Sequence[Contender], started: Callable[[str], None] = lambda _name: None
) -> dict[str, str]:
    """Have the fleet launch those that are ours; the address of every one. Raises ExpectedError if one fails."""
    berths = [
        Berth(name=one.id, target=one.target, settings=one.settings) for one in contenders if one.target is not None
    ]
    try:
        fleet.launch(berths, started)
    except LaunchError as error:
        raise ExpectedError(str(error), hint=f"its whole output is under {fleet.logs}") from error
    except ServerError as error:
        raise usage(str(error)) from error
    up_already = {one.id: one.base_url for one in contenders if one.base_url is not None}
    return up_already | {name: server.base_url for name, server in fleet.servers.items()}
