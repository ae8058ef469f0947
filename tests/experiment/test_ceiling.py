"""What workers can do together."""

from __future__ import annotations

from msgspec.structs import replace

from experiment.ceiling import joint_ceiling
from loadtests.trial_record import Calibration, WorkerNode


def test_ceilings_add_up() -> None:
    """Together workers can do what each can; one that was not calibrated leaves it unknown."""
    own = Calibration(ceiling_rps=1000.0, overhead_us=50.0, users=64, cpu_share=0.9)
    first = WorkerNode(id=1, host="a", calibration=own)
    second = WorkerNode(id=2, host="b", calibration=replace(own, overhead_us=70.0))
    assert joint_ceiling([first, second]).ceiling_rps == 2000.0
    assert joint_ceiling([first, second]).overhead_us == 70.0
    unknown = joint_ceiling([first, replace(second, calibration=None)])
    assert (unknown.ceiling_rps, unknown.overhead_us, unknown.users, unknown.cpu_share) == (None, None, None, None)
