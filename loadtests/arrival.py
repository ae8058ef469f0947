"""Arrival laws: who decides when the next request is sent.

A law is a type that names itself (`kind`), says how many connections it needs (`users`: the users of a closed loop,
the most requests in flight of an open one), its mean rate, and the shortest slice in which it shows itself. As text it
is what stands behind the endpoint in a scenario's id.

In a closed loop the answers decide: a user sends its next request when it has the last answer, and a stall is
told by the requests under way alone. In an open loop a schedule decides, made from a seed before the slice begins
and never moved: whatever the target does, every request has the due time that it would have had, so a stall is
charged to every request that it delayed.

| in an id     | law                                                                     |
|--------------|-------------------------------------------------------------------------|
| `@16`        | closed loop, 16 users                                                   |
| `~200rps`    | one request every 5 ms                                                  |
| `~poisson200rps` | a Poisson process of 200 a second, as independent clients make it   |
| `~steps100-200rps` | a Poisson process whose rate steps from part to part of the slice |
| `~ramp100-400rps` | a Poisson process whose rate rises or falls evenly over the slice  |
"""

from __future__ import annotations

import math
import random
import re
from array import array
from collections.abc import Iterator
from typing import ClassVar, TypeAlias

from msgspec import Struct

Schedule: TypeAlias = "array[int]"
"""Due times in ns since the slice was opened, in order."""

IN_FLIGHT_S = 2.0
"""An open loop has connections for this long a stall, so that the target's stalls are not the generator's."""
LEAST_IN_FLIGHT, MOST_IN_FLIGHT = 64, 4096

LEAST_SLICE_S = 1.0
"""An open loop's queue needs time to build up, which a slice of 100 ms does not give it."""
LEAST_ARRIVALS = 100
"""And so many requests, where they come slowly."""
MOST_RATE_RPS = 1e6


class ClosedLoop(Struct, frozen=True, kw_only=True, tag_field="arrival", tag="closed"):
    """A fixed number of users, each sending its next request as soon as it has the last answer."""

    kind: ClassVar[str] = "closed"
    rates_rps: ClassVar[tuple[float, ...]] = ()
    rate_rps: ClassVar[None] = None
    least_slice_s: ClassVar[float] = 0.0
    users: int

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError(f"a closed loop needs at least one user, not {self.users}")

    def __str__(self) -> str:
        return f"@{self.users}"

    def schedule(self, *, length_ns: int, seed: int) -> None:
        """No schedule but the answers."""


class _Open(Struct, frozen=True, tag_field="arrival"):
    """What open loops share: their rates, and how long and how wide these need a slice to be."""

    kind: ClassVar[str]
    word: ClassVar[str]
    most_rates: ClassVar[int] = 1
    least_rates: ClassVar[int] = 1
    rates_rps: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.least_rates <= len(self.rates_rps) <= self.most_rates:
            raise ValueError(f"{len(self.rates_rps)} rates are not what a {self.kind} rate takes")
        if not all(0 < rate <= MOST_RATE_RPS for rate in self.rates_rps):
            raise ValueError(f"a rate is above 0 and at most {MOST_RATE_RPS:g} a second, not {self.rates_rps}")

    def __str__(self) -> str:
        return f"~{self.word}{'-'.join(f'{rate:.12g}' for rate in self.rates_rps)}rps"

    @property
    def rate_rps(self) -> float:
        """The mean rate over a slice, whose parts are of one length."""
        return sum(self.rates_rps) / len(self.rates_rps)

    @property
    def users(self) -> int:
        """The most requests in flight."""
        return min(MOST_IN_FLIGHT, max(LEAST_IN_FLIGHT, math.ceil(IN_FLIGHT_S * max(self.rates_rps))))

    @property
    def least_slice_s(self) -> float:
        """A second for every part, and enough requests."""
        return max(LEAST_SLICE_S * len(self.rates_rps), LEAST_ARRIVALS / self.rate_rps)


class ConstantRate(_Open, frozen=True, tag="constant"):
    """Requests evenly spaced; where in its first gap a slice begins is left to chance."""

    kind = "constant"
    word = ""

    def schedule(self, *, length_ns: int, seed: int) -> Schedule:
        """Every 1 / rate, from somewhere in the first gap on."""
        gap_ns = 1e9 / self.rates_rps[0]
        first_ns = random.Random(seed).random() * gap_ns  # noqa: S311 - a schedule, not a secret
        count = math.ceil((length_ns - first_ns) / gap_ns)
        return array("q", (int(first_ns + number * gap_ns) for number in range(count)))


class PoissonRate(_Open, frozen=True, tag="poisson"):
    """Requests of many clients who know nothing of each other: gaps are exponential, and so bunch up."""

    kind = "poisson"
    word = "poisson"

    def schedule(self, *, length_ns: int, seed: int) -> Schedule:
        """Sums of exponential gaps."""
        rate_per_ns = self.rates_rps[0] / 1e9
        arrivals = _unit_arrivals(seed, until=rate_per_ns * length_ns)
        return array("q", (int(unit / rate_per_ns) for unit in arrivals))


class Steps(_Open, frozen=True, tag="steps"):
    """A Poisson process that goes through its rates one after the other, each for the same part of the slice."""

    kind = "steps"
    word = "steps"
    least_rates = 2
    most_rates = 100

    def schedule(self, *, length_ns: int, seed: int) -> Schedule:
        """A unit Poisson process, its time stretched by each part's rate."""
        part_ns = length_ns / len(self.rates_rps)
        edges = [0.0]
        for rate in self.rates_rps:
            edges.append(edges[-1] + rate / 1e9 * part_ns)
        found = array("q")
        part = 0
        for unit in _unit_arrivals(seed, until=edges[-1]):
            while unit >= edges[part + 1]:
                part += 1
            found.append(int(part * part_ns + (unit - edges[part]) / (self.rates_rps[part] / 1e9)))
        return found


class Ramp(_Open, frozen=True, tag="ramp"):
    """A Poisson process whose rate goes evenly from the first of its two rates to the second."""

    kind = "ramp"
    word = "ramp"
    least_rates = most_rates = 2

    def schedule(self, *, length_ns: int, seed: int) -> Schedule:
        """A unit Poisson process through the inverse of the cumulative rate a t + (b - a) t^2 / 2T."""
        start, end = (rate / 1e9 for rate in self.rates_rps)
        slope = (end - start) / length_ns
        arrivals = _unit_arrivals(seed, until=(start + end) / 2 * length_ns)
        # The root in the form that stays exact where the slope vanishes.
        times = (2 * unit / (start + math.sqrt(start * start + 2 * slope * unit)) for unit in arrivals)
        return array("q", map(int, times))


def _unit_arrivals(seed: int, *, until: float) -> Iterator[float]:
    """A Poisson process of rate 1 on [0, until)."""
    chance = random.Random(seed)  # noqa: S311 - a schedule, not a secret
    now = chance.expovariate(1.0)
    while now < until:
        yield now
        now += chance.expovariate(1.0)


Arrival: TypeAlias = ClosedLoop | ConstantRate | PoissonRate | Steps | Ramp

_BY_WORD: dict[str, type[ConstantRate | PoissonRate | Steps | Ramp]] = {
    law.word: law for law in (ConstantRate, PoissonRate, Steps, Ramp)
}
_CLOSED_ID = re.compile(r"@([0-9]+)")
_OPEN_ID = re.compile(r"~(poisson|steps|ramp|)([0-9.]+(?:-[0-9.]+)*)rps")
GRAMMAR = "@USERS, ~RATErps, ~poissonRATErps, ~stepsRATE-RATErps or ~rampRATE-RATErps"


def arrival_from_id(text: str) -> Arrival:
    """The law that stands in a scenario's id: `@16`, `~poisson200rps`. Raises ValueError for anything else."""
    if found := _CLOSED_ID.fullmatch(text):
        return ClosedLoop(users=int(found[1]))
    if found := _OPEN_ID.fullmatch(text):
        return _BY_WORD[found[1]](tuple(float(rate) for rate in found[2].split("-")))
    raise ValueError(f"unknown arrival law {text!r}; choose from {GRAMMAR}")
