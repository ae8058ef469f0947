"""Whether a target still answers after a hostile case."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from contract_app import ContractApp, serving

from conformance.aftermath import is_stuck
from conformance.cases import select
from conformance.expect import PREDICT
from conformance.session import Session

NUMBER = select(ids=["predict-number"])[0]


class _LeavesALockHeld(ContractApp):
    """What TensorFlow's own lock does: the thread that failed holds it, and only that thread goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.over = False

    def predict(self, row: list[float]) -> Any:
        while not self.lock.acquire(timeout=0.05):
            if self.over:
                raise RuntimeError("over")
        if row == [24.0]:
            raise RuntimeError("the lock stays held")
        self.lock.release()
        return super().predict(row)


def test_a_lock_left_held_is_seen_on_another_thread() -> None:
    """After a request that leaves a lock held, the target is stuck; before it, it is not."""
    app = _LeavesALockHeld()
    with serving(app) as base_url:
        assert not is_stuck(base_url, PREDICT, timeout_s=1.0)
        bad = replace(NUMBER, request=replace(PREDICT, body=b'{"feature":24.0}'))
        Session(base_url=base_url, target="t").run(bad)
        assert is_stuck(base_url, PREDICT, timeout_s=0.5)
        app.over = True
