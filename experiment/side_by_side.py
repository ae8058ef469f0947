"""Servers of any make up together on one core, visited in random order in slices; blocks of fresh processes repeat.

The short way to a ratio, for programs that compare what no plan of `bench.py` holds: no journal and no report, but the
same generator, the same priming against the reference, the same pairing within blocks.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from experiment.ceiling import measure_ceiling
from experiment.cores import Cores, harness_out_of_the_way, share_out
from experiment.errors import usage
from experiment.priming import WrongAnswerError, prime
from experiment.progress import Terminal
from loadtests.orders import PreparedRequest, TargetOrder, TrialOrder
from loadtests.record import TrialRecord
from loadtests.remote import Generator, GeneratorError
from loadtests.scenarios import Scenario
from servers.launch import LaunchError, Server, launch
from servers.settings import Settings
from servers.target import Target
from servers.web_servers import ServerError

_START_TIMEOUT_S: Final = 180.0

FAULTS: Final = (GeneratorError, LaunchError, WrongAnswerError)
"""How a comparison says that it could not be made."""

Rates = dict[str, dict[str, list[float]]]
"""Requests per second by scenario, then entrant, one a block."""


def add_size_options(parser: argparse.ArgumentParser, *, slices: int, visited: str) -> None:
    """Declare how much is measured; `slices` is the default number of visits to each of what is `visited`."""
    parser.add_argument("--blocks", type=int, default=5, help="repetitions with fresh processes (default: %(default)s)")
    parser.add_argument("--slices", type=int, default=slices, help=f"visits to each {visited} (default: %(default)s)")
    parser.add_argument("--users", type=int, default=16, help="connections (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="order of visits (default: %(default)s)")


def require_size(chosen: argparse.Namespace) -> None:
    """Raise ExpectedError where the options ask for too little to pair."""
    if chosen.blocks < 2 or chosen.slices < 1 or chosen.users < 1:
        raise usage("at least two blocks, one slice and one user", hint="for example --blocks 2 --slices 2")


def start_target(target: Target, settings: Settings, log: Path) -> Server:
    """A target of ours, for `Entrant.start`. Raises ExpectedError for settings that its server cannot honour."""
    try:
        return launch(target, settings, log)
    except ServerError as error:
        raise usage(str(error)) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One thing to measure under a name of its own; `start` launches it, its output going to the file named."""

    name: str
    start: Callable[[Path], Server]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideBySide:
    """A comparison: who, under what load, how often. `settings` are those of the null server that calibrates."""

    entrants: Sequence[Entrant]
    scenarios: Sequence[Scenario]
    settings: Settings
    blocks: int
    slices: int
    seed: int

    def measure(self, terminal: Terminal) -> tuple[Rates, list[str]]:
        """The rates, and the trials that are not to be believed.

        Raises GeneratorError, LaunchError, WrongAnswerError or ExpectedError where something does not work.
        """
        rates: Rates = defaultdict(lambda: defaultdict(list))
        doubts: list[str] = []
        cores = share_out(workers=1)
        with (
            tempfile.TemporaryDirectory(prefix="titrate-") as folder,
            Generator(cpu=next(iter(cores.generator), None)) as generator,
        ):
            ceiling = measure_ceiling(generator, self.settings, cores.servers, Path(folder))
            for block in range(self.blocks):
                terminal.say(f"block {block + 1}/{self.blocks}: {len(self.entrants)} servers")
                for record in self._block(block, generator, ceiling.ceiling_rps, Path(folder)):
                    if not record.valid:
                        doubts.append(f"block {block + 1}, {record.scenario}, {record.target}: {record.reason}")
                    rates[record.scenario][record.target].append(record.throughput_rps)
        return rates, doubts

    def _block(self, number: int, generator: Generator, ceiling_rps: float, logs: Path) -> list[TrialRecord]:
        rng = random.Random(f"{self.seed}/{number}")  # noqa: S311 - an order, not a secret
        cores = share_out(workers=1)
        with up_together(rng.sample(list(self.entrants), k=len(self.entrants)), cores, logs, number) as servers:
            requests = {name: prime(server.base_url, self.scenarios, foreign=False) for name, server in servers.items()}
            found: list[TrialRecord] = []
            for scenario in rng.sample(list(self.scenarios), k=len(self.scenarios)):
                order = TrialOrder(
                    scenario=scenario,
                    targets=tuple(
                        ordered(name, server, requests[name][scenario.id]) for name, server in servers.items()
                    ),
                    slices=self.slices,
                    seed=rng.randrange(2**32),
                    ceiling_rps=ceiling_rps,
                    label=scenario.id,
                )
                with harness_out_of_the_way(cores):
                    found += generator.trial(order)
            return found


@contextmanager
def up_together(entrants: Sequence[Entrant], cores: Cores, logs: Path, block: int) -> Iterator[dict[str, Server]]:
    """All of them started in that order, warm and pinned, by name; stopped in the end. Raises as `start` does."""
    with ExitStack() as stack:
        servers: dict[str, Server] = {}
        for one in entrants:
            servers[one.name] = stack.enter_context(one.start(logs / f"{block}-{len(servers)}.log"))
        # Each takes its time to stop, and they can take it together.
        for server in servers.values():
            stack.callback(server.ask_to_stop)
        for server in servers.values():
            server.wait_ready(_START_TIMEOUT_S)
        # Only now: a server that is pinned while others still start would share its core with their start-up.
        for server in servers.values():
            if cores.servers:
                server.pin(cores.servers)
        yield servers


def ordered(name: str, server: Server, requests: tuple[PreparedRequest, ...]) -> TargetOrder:
    """A server that is up, as the generator is told of it."""
    pids = tuple(process.pid for process in server.processes())
    return TargetOrder(id=name, base_url=server.base_url, requests=requests, pids=pids)
