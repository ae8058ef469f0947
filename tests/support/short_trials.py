"""Orders of short trials, and what a trial has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from loadtests.orders import TargetOrder, TrialOrder
from loadtests.scenarios import closed
from loadtests.trial_record import TrialRecord


def order(*targets: TargetOrder, users: int = 4, **changes: Any) -> TrialOrder:
    """A short trial of predict."""
    values: dict[str, Any] = {"slices": 3, "slice_s": 0.05, "seed": 7, "label": "t", "timeout_s": 5.0}
    return TrialOrder(targets=targets, **({"scenario": closed("predict", users)[0]} | values | changes))


def columns_of(record: TrialRecord, folder: Path) -> dict[str, Any]:
    """The columns that a trial wrote, whose samples' folder lies in `folder`."""
    with np.load(folder / str(record.samples)) as file:
        return dict(file)
