"""The committed data sets with their fixed train and held-out rows, and the probes that are taken from those.

data/LICENSE.md names the sources. Imports no TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from servers.models.catalog import MODELS
from servers.models.renderings import FULL_INK

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


ROWS: Final = 32
"""Enough that the largest weight of every array plays a part; with 4 pictures some did not."""


def probes(name: str, rows: int = ROWS) -> NDArray[Any]:
    """The first held-out inputs of a model as its endpoint hands them over.

    They are held-out patients and pictures, not noise: on noise most rectifiers of the classifier stay shut, and a
    wrong weight behind a shut one shows nowhere.

    Regressions: float32 [rows, features]. The classifier: uint8 [rows, 224, 224, 3], to be divided by 255.
    Raises ValueError where fewer rows are held out.
    """
    model = MODELS[name]
    picture = model.endpoint == "classify"
    inputs, _ = dataset("digits" if picture else "diabetes").part(held_out=True)
    if rows > len(inputs):
        raise ValueError(f"{name} has {len(inputs)} held-out inputs, not {rows}")
    if not picture:
        return inputs[:rows, : model.input_shape[1]].astype(np.float32)
    levels = np.rint(inputs[:rows] * (255 / FULL_INK)).astype(np.uint8)
    scale = 224 // levels.shape[1]
    return np.repeat(levels.repeat(scale, axis=1).repeat(scale, axis=2)[..., None], 3, axis=3)
