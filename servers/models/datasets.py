"""The committed data sets with their fixed train and held-out rows; data/LICENSE.md names their sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DATA_DIR: Final = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows, what is to be predicted of them, and which of them training must not see."""

    inputs: NDArray[Any]
    """Diabetes: float64 [442, 2], body mass index in kg/m2 and mean blood pressure in mmHg. Digits: uint8 [1797, 8, 8],
    ink from 0 to 16."""

    targets: NDArray[Any]
    """Diabetes: float64 [442], progression of the disease after a year (25 to 346). Digits: uint8 [1797], 0 to 9."""

    held_out: NDArray[np.bool_]
    """True where a row is kept from training."""

    def part(self, *, held_out: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        """Inputs and targets of one side of the split, in the order of the source."""
        chosen = self.held_out == held_out
        return self.inputs[chosen], self.targets[chosen]


@cache
def dataset(name: str) -> Dataset:
    """The committed set `diabetes` or `digits`."""
    with np.load(DATA_DIR / f"{name}.npz") as stored:
        return Dataset(inputs=stored["inputs"], targets=stored["targets"], held_out=stored["held_out"])
