"""What is reported is what was: a server whose service times are known, in a process and on a core of its own."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
from reports import latencies
from servers.repository import REPOSITORY

pytestmark = [
    pytest.mark.noisy,
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="server and generator need a core each"),
]

SERVER = REPOSITORY / "tests" / "support" / "truth_server.py"
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
def serving(log: Path, *stalls: float) -> Iterator[str]:
    """The server's base URL; it is on the first core, and what it did is in `log` afterwards."""
    command = [sys.executable, str(SERVER), str(min(os.sched_getaffinity(0))), str(log), *map(str, stalls)]
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
    assert record.valid, record.reason
    return folder / str(record.samples)


def known_ns(services_us: Sequence[int], quantile: float) -> float:
    """The nearest-rank quantile of service times that are equally frequent."""
    ordered = sorted(services_us)
    return US * ordered[math.ceil(quantile * len(ordered)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the steady requests really took, in ns, by the server's own clock readings and the schedule."""

    service_ns: np.ndarray
    response_ns: np.ndarray


def truth(log: Path, trial: Path) -> Truth:
    """The server's generator of the requests in a samples file, matched in the order in which they were sent."""
    with np.load(trial) as file:
        columns = {name: file[name] for name in ("due_ns", "sent_ns", "phase")}
    order = np.argsort(columns["sent_ns"], kind="stable")
    logged = np.frombuffer(log.read_bytes(), np.int64).reshape(-1, 3)
    # What was asked before is the warm-up.
    logged = logged[logged[:, 1] >= columns["sent_ns"].min()]
    looked, read, done = logged[np.argsort(logged[:, 1], kind="stable")].T
    assert len(done) == len(order), "server and generator count different requests"
    # A request that was sent after the server had last looked has waited from then on, however long that core was away.
    came = np.minimum(read, np.maximum(looked, columns["sent_ns"][order]))
    steady = columns["phase"][order] == latencies.STEADY
    return Truth(
        service_ns=(done - came)[steady],
        response_ns=(done - columns["due_ns"][order])[steady],
    )


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
    """p50, p90 and p99, service and response time, lie within 3 % or 100 us of what the server knows that it took.

    What it knows is what it was told, but where the machine has taken its core away: the median must be as told.
    """
    log = tmp_path / "log"
    with serving(log) as url:
        trial = measured(generator, url, services_us, arrival, tmp_path)
    found, real = latencies.read(trial), truth(log, trial)
    assert np.quantile(real.service_ns, 0.5) == pytest.approx(known_ns(services_us, 0.5), rel=0.03)
    told = {}
    for quantile in QUANTILES:
        pairs = (("service", found.service_ns, real.service_ns), ("response", found.response_ns, real.response_ns))
        for kind, values, known in pairs:
            told[kind, quantile] = (latencies.quantile_ns(values, quantile) / US, np.quantile(known, quantile) / US)
    wrong = {place: pair for place, pair in told.items() if abs(pair[0] - pair[1]) > max(0.03 * pair[1], 100)}
    assert not wrong


def test_the_stall_is_in_the_open_loop_and_hidden_in_the_closed_one(generator: Generator, tmp_path: Path) -> None:
    """A second's stall in ten: response times are those that the schedule gives, within 5 %; a closed loop shows none.

    What each request should have taken follows from its due time, the known service time and when the stalls were.
    """
    every, stall, service_ns = 10, 1, 5_000_000
    changes: dict[str, Any] = {"slices": 1, "slice_s": 22.0, "longest_slice_s": 30.0, "warmup_slices": 0}
    with serving(tmp_path / "log", every, stall) as url:
        opened = measured(generator, url, [5000], PoissonRate((100,)), tmp_path, label="open", **changes)
        closed = measured(generator, url, [5000], ClosedLoop(users=4), tmp_path, label="closed", **changes)

    def moves(at: int) -> int:
        return moves_at(at, every * SECOND, stall * SECOND)

    with np.load(opened) as file:
        steady = file["phase"] == latencies.STEADY
        due = file["due_ns"][steady].tolist()
    expected = np.array([moves(moves(at) + service_ns) - at for at in due])
    found = latencies.read(opened)
    for quantile in (0.5, 0.95, 0.99):
        known = float(np.quantile(expected, quantile, method="inverted_cdf"))
        assert latencies.quantile_ns(found.response_ns, quantile) == pytest.approx(known, rel=0.05), quantile
    assert np.quantile(expected, 0.99) > 500_000_000
    # Half a second there, and here nothing that a stall could be told from.
    hidden = latencies.read(closed)
    assert latencies.quantile_ns(hidden.response_ns, 0.99) < 2 * service_ns


def test_requests_leave_as_a_poisson_process(generator: Generator, tmp_path: Path) -> None:
    """At 2 000 a second, gaps between due times and between sends are exponential, and p99 send lag is under 1 ms."""
    with serving(tmp_path / "log") as url:
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
