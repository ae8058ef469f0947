"""How many rows a request may bring, and how many a model is then run with. Imports no TensorFlow."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MAX_ROWS: Final = 1024
"""Most rows of one request."""

PADDED_ROWS: Final = tuple(2**power for power in range(MAX_ROWS.bit_length()))
"""The row counts that a regression is ever run with: each is compared, compiled and warmed before the first request.

Without padding a mode that compiles for every shape (XLA) would compile up to 1024 times, while clients wait.
"""


def padded(batch: NDArray[Any]) -> NDArray[Any]:
    """The batch with rows of zeros at its end, up to the next of `PADDED_ROWS`; itself where it needs none."""
    rows = len(batch)
    size = 1 << (rows - 1).bit_length()
    if size == rows:
        return batch
    whole = np.zeros((size, *batch.shape[1:]), dtype=batch.dtype)
    whole[:rows] = batch
    return whole
