"""Things of any make in turns: each round makes every measurement once, in random order, a core for either side."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from experiment import trial_orders
from experiment.cores import Cores, harness_out_of_the_way
from experiment.errors import ExpectedError
from loadtests.orders import TargetOrder
from loadtests.remote import Generator
from loadtests.scenarios import Scenario

Figures = Mapping[str, float]
"""Of one measurement: `rps`, the `busy_us` of a request and, where it is known, the median `p50_us`.

Busy is the CPU time of what sleeps when it has nothing to do, and of the generator the time in which it had something.
"""
Turn = Callable[[], Figures]
Rounds = Mapping[str, Sequence[Figures]]
"""By the name of who takes turns, what each round has found."""


def taken(turns: Mapping[str, Turn], cores: Cores, *, rounds: int, say: Callable[[str], None]) -> Rounds:
    """Every turn once a round. Rounds pair: what drifts on the machine meets all of them alike."""
    chance = random.Random(rounds)  # noqa: S311 - an order, not a secret
    found: dict[str, list[Figures]] = defaultdict(list)
    for number in range(rounds):
        say(f"round {number + 1}/{rounds}")
        for name in chance.sample(sorted(turns), k=len(turns)):
            with harness_out_of_the_way(cores):
                found[name].append(turns[name]())
    return {name: found[name] for name in turns}


def medians(rounds: Rounds) -> dict[str, dict[str, float]]:
    """Of each figure over the rounds."""
    return {
        name: {figure: statistics.median(one[figure] for one in its) for figure in its[0]}
        for name, its in rounds.items()
    }


def under_load(
    generator: Generator, scenario: Scenario, target: TargetOrder, *, slice_s: float, warmup_slices: int = 0
) -> Turn:
    """The turn of a target: one slice of the generator's. It raises ExpectedError where a request fails."""
    order = trial_orders.one_turn(scenario, target, slice_s=slice_s, warmup_slices=warmup_slices)

    def turn() -> Figures:
        (record,) = generator.trial(order)
        if record.errors or record.p50_us is None:
            raise ExpectedError(f"{target.id} failed at {scenario.users} users: {record.error_kinds}")
        rps = record.throughput_rps
        return {"rps": rps, "busy_us": 1e6 * record.generator.cpu_share / rps, "p50_us": record.p50_us}

    return turn
