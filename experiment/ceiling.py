"""What the load generator can do on this machine, against a server that does next to nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from experiment.errors import ExpectedError
from loadtests.orders import CalibrationOrder, PreparedRequest, TargetOrder
from loadtests.remote import Generator
from loadtests.trial_record import Calibration, CeilingRecord, WorkerNode
from servers.launch import LaunchError, launch
from servers.settings import Settings
from servers.target import Target

NULL: Final = Target.parse("null+granian")
START_TIMEOUT_S: Final = 60.0
_USERS: Final = 64
REQUEST: Final = PreparedRequest(
    method="POST",
    path="/predict",
    headers={"Content-Type": "application/json"},
    body=b'{"feature": 24.5}',
    expect_body=b'{"prediction":0.0}',
)


def measure_ceiling(generator: Generator, settings: Settings, cpus: Sequence[int], logs: Path) -> Calibration:
    """Requests per second at 64 users and microseconds at one, generator and null server on a core each.

    With fewer users it is the null server that is the limit: it then waits for requests one by one.

    Raises ExpectedError where the null server does not start.
    """
    try:
        with launch(NULL, settings, logs / "null.log") as server:
            server.wait_ready(START_TIMEOUT_S)
            if cpus:
                server.pin(cpus)
            target = TargetOrder(id=NULL.id, base_url=server.base_url, requests=(REQUEST,))
            return generator.calibrate(CalibrationOrder(target=target, users=_USERS))
    except LaunchError as error:
        raise ExpectedError(str(error), hint="the null server needs no model: granian itself does not start") from error


def joint_ceiling(workers: Sequence[WorkerNode]) -> CeilingRecord:
    """What workers can do together, from what each measured at home: the sum of their ceilings, the rest at its worst.

    None where one of them was not calibrated.
    """
    own = [worker.calibration for worker in workers if worker.calibration]
    known = len(own) == len(workers)
    return CeilingRecord(
        ceiling_rps=sum(one.ceiling_rps for one in own) if known else None,
        overhead_us=max(one.overhead_us for one in own) if known else None,
        users=max(one.users for one in own) if known else None,
        cpu_share=max(one.cpu_share for one in own) if known else None,
        workers=tuple(workers),
    )
