"""A predictor that compiles for each batch size is called with a fixed set of sizes only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from servers.core.buckets import LARGEST, bucket

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Predictor


def in_buckets(predict: Predictor) -> Predictor:
    """`predict` for any number of rows, called with the sizes of `BUCKETS` only.

    A batch is padded with rows of zeros up to the next size, and one above the largest goes in parts.
    """

    def padded(batch: NDArray[Any]) -> NDArray[np.float32]:
        rows = len(batch)
        if rows > LARGEST:
            return np.concatenate([padded(batch[first : first + LARGEST]) for first in range(0, rows, LARGEST)])
        size = bucket(rows)
        if size == rows:
            return predict(batch)
        return predict(np.concatenate([batch, np.zeros((size - rows, *batch.shape[1:]), batch.dtype)]))[:rows]

    return padded
