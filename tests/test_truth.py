"""What is reported is what was: a server whose service times are known, in a process and on a core of its own."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from truth_server import moves_at

from loadtests.arrival import Arrival, ClosedLoop, PoissonRate
from loadtests.orders import PreparedRequest, TargetOrder, TrialOrder
from loadtests.remote import Generator
from loadtests.scenarios import Scenario
from reports import samples

pytestmark = [
    pytest.mark.noisy,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="server and generator need a core each"),
]

SERVER = Path(__file__).with_name("truth_server.py")
QUANTILES = (0.5, 0.9, 0.99)
US = 1000
SECOND = 1_000_000_000
STRATA = 63
"""So many that no quantile that is asked for lies on the edge between two of them."""


@pytest.fixture(scope="module")
def generator() -> Iterator[Generator]:
    """On the last core, as in a run."""
    with Generator(cpu=max(os.sched_getaffinity(0))) as running:
        yield running


@contextmanager
def serving(*stalls: float) -> Iterator[str]:
    """The server's base URL; it is on the first core."""
    command = [sys.executable, str(SERVER), str(min(os.sched_getaffinity(0))), *map(str, stalls)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            process.wait(10)


def measured(
    generator: Generator, base_url: str, services_us: Sequence[int], arrival: Arrival, folder: Path, **changes: Any
) -> Path:
    """The samples file of one trial, whose requests take the service times in turn. Fails where it is not valid."""
    requests = tuple(
        PreparedRequest(method="POST", path="/predict", body=b"%d" % service, expect_body=b"ok")
        for service in services_us
    )
    order = TrialOrder(
        scenario=Scenario(endpoint="predict", encoding="json", payloads=len(requests), arrival=arrival),
        targets=(TargetOrder(id="truth", base_url=base_url, requests=requests),),
        **({"slices": 4, "slice_s": 1.0, "seed": 11, "label": "t", "out": str(folder / "samples")} | changes),
    )
    (record,) = generator.trial(order)
    assert record["valid"], record["reason"]
    return folder / str(record["samples"])


def known_ns(services_us: Sequence[int], quantile: float) -> float:
    """The nearest-rank quantile of service times that are equally frequent."""
    ordered = sorted(services_us)
    return US * ordered[math.ceil(quantile * len(ordered)) - 1]


GOLDEN_STEP = 38
"""Of the strata's 63: whatever part of the turns a slice cuts off is spread evenly over them."""
EXPONENTIAL_US = [round(-5000 * math.log(1 - (turn * GOLDEN_STEP % STRATA + 0.5) / STRATA)) for turn in range(STRATA)]


@pytest.mark.parametrize("arrival", [ClosedLoop(users=4), PoissonRate((500,))], ids=["closed", "open"])
@pytest.mark.parametrize(
    "services_us", [[1000], [5000], [20_000], EXPONENTIAL_US], ids=["1ms", "5ms", "20ms", "exponential"]
)
def test_percentiles_are_the_known_ones(
    generator: Generator, tmp_path: Path, services_us: list[int], arrival: Arrival
) -> None:
    """p50, p90 and p99, service and response time, lie within 3 % or 100 us of what the server was told to take."""
    with serving() as url:
        found = samples.read(measured(generator, url, services_us, arrival, tmp_path))
    told = {}
    for quantile in QUANTILES:
        known = known_ns(services_us, quantile)
        for kind, values in (("service", found.service_ns), ("response", found.response_ns)):
            told[kind, quantile] = (samples.quantile_ns(values, quantile) / US, known / US)
    wrong = {place: pair for place, pair in told.items() if abs(pair[0] - pair[1]) > max(0.03 * pair[1], 100)}
    assert not wrong


def test_the_stall_is_in_the_open_loop_and_hidden_in_the_closed_one(generator: Generator, tmp_path: Path) -> None:
    """A second's stall in ten: response times are those that the schedule gives, within 5 %; a closed loop shows none.

    What each request should have taken follows from its due time, the known service time and when the stalls were.
    """
    every, stall, service_ns = 10, 1, 5_000_000
    changes: dict[str, Any] = {"slices": 1, "slice_s": 22.0, "longest_slice_s": 30.0, "warmup_slices": 0}
    with serving(every, stall) as url:
        opened = measured(generator, url, [5000], PoissonRate((100,)), tmp_path, label="open", **changes)
        closed = measured(generator, url, [5000], ClosedLoop(users=4), tmp_path, label="closed", **changes)

    def moves(at: int) -> int:
        return moves_at(at, every * SECOND, stall * SECOND)

    with np.load(opened) as file:
        steady = file["phase"] == samples.STEADY
        due = file["due_ns"][steady].tolist()
    expected = np.array([moves(moves(at) + service_ns) - at for at in due])
    found = samples.read(opened)
    for quantile in (0.5, 0.95, 0.99):
        known = float(np.quantile(expected, quantile, method="inverted_cdf"))
        assert samples.quantile_ns(found.response_ns, quantile) == pytest.approx(known, rel=0.05), quantile
    assert np.quantile(expected, 0.99) > 500_000_000
    hidden = samples.read(closed)
    assert samples.quantile_ns(hidden.response_ns, 0.99) == pytest.approx(service_ns, rel=0.05)


def test_requests_leave_as_a_poisson_process(generator: Generator, tmp_path: Path) -> None:
    """At 2 000 a second, gaps between due times and between sends are exponential, and p99 send lag is under 1 ms."""
    with serving() as url:
        path = measured(generator, url, [1000], PoissonRate((2000,)), tmp_path, slices=3)
    with np.load(path) as file:
        columns = {name: file[name] for name in ("due_ns", "sent_ns", "slice")}
    lag_ns = columns["sent_ns"] - columns["due_ns"]
    assert np.quantile(lag_ns, 0.99) < 1_000_000
    for name in ("due_ns", "sent_ns"):
        for number in range(3):
            gaps_ns = np.diff(np.sort(columns[name][columns["slice"] == number]))
            # Six tests of one claim: each at a sixth of 5 %.
            assert stats.kstest(gaps_ns, "expon", args=(0, SECOND / 2000)).pvalue > 0.05 / 6, (name, number)
