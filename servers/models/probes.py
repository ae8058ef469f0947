"""Fixed inputs on which a mode or a build is compared with the float64 reference. Imports no TensorFlow.

They are held-out patients and pictures, not noise: on noise most rectifiers of the classifier stay shut, and a wrong
weight behind a shut one shows nowhere.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from servers.models.catalog import MODELS
from servers.models.datasets import dataset
from servers.models.renderings import FULL_INK

ROWS: Final = 32
"""Enough that the largest weight of every array plays a part; with 4 pictures some did not."""


def probes(name: str, rows: int = ROWS) -> NDArray[Any]:
    """The first held-out inputs of a model as its endpoint hands them over.

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
