"""Contenders of a run, brought up together: those that are launched here, beside those that are up already."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiment.contender import Contender
from experiment.errors import ExpectedError, usage
from servers.fleet import Berth, Fleet
from servers.launch import LaunchError
from servers.web_servers import ServerError


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
