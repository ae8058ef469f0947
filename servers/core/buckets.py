"""A fixed set of batch sizes: for a mode that compiles for each size, and so must never see a new one while serving."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Predictor

BUCKETS: Final = (1, 2, 4, 8, 16, 32)
"""Rows of the batches that such a mode is run on. Doubling wastes less than half of a batch on padding."""


def in_buckets(predict: Predictor) -> Predictor:
    """`predict` for any number of rows, called with the sizes of `BUCKETS` only.

    A batch is padded with rows of zeros up to the next size, and one above the largest goes in parts.
    """
    largest = BUCKETS[-1]

    def padded(batch: NDArray[Any]) -> NDArray[np.float32]:
        rows = len(batch)
        if rows > largest:
            return np.concatenate([padded(batch[first : first + largest]) for first in range(0, rows, largest)])
        size = next(bucket for bucket in BUCKETS if bucket >= rows)
        if size == rows:
            return predict(batch)
        return predict(np.concatenate([batch, np.zeros((size - rows, *batch.shape[1:]), batch.dtype)]))[:rows]

    return padded
