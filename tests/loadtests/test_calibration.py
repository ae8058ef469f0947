"""What the generator says that it can do."""

from __future__ import annotations

import numpy as np
import pytest
from loadtests_servers import KnownServer, ok

from loadtests.orders import CalibrationOrder
from loadtests.remote import Generator


def test_calibration_finds_the_limit_of_what_it_sees() -> None:
    """Ceiling and overhead are those of the server shown: N users per service time, one service time."""
    with Generator() as generator, KnownServer(lambda _n, _b: [0.005, ok()]) as server:
        found = generator.calibrate(CalibrationOrder(target=server.target("null"), users=4, slices=4))
    assert found.users == 4
    assert 0 < found.cpu_share < 1
    served_s = float(np.median(server.served_s))
    assert found.overhead_us == pytest.approx(served_s * 1e6, rel=0.1)
    # Pauses of a busy machine lower a throughput but not a median.
    assert 0.5 < found.ceiling_rps / (4 / served_s) < 1.1
