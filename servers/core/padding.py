"""Batches in few sizes: filled up with their last row, so that nothing is compiled for a size while clients wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from servers.core.row_counts import LARGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import ModelCall


def padded(batch: NDArray[Any]) -> NDArray[Any]:
    """The batch with its last row repeated up to the next power of two; itself where it needs none.

    Not with zeros: a model may refuse those, and what the client sent is what it may be asked about.
    """
    rows = len(batch)
    size = 1 << (rows - 1).bit_length()
    if size == rows:
        return batch
    whole = np.empty((size, *batch.shape[1:]), dtype=batch.dtype)
    whole[:rows] = batch
    whole[rows:] = batch[-1]
    return whole


def in_buckets(run: ModelCall) -> ModelCall:
    """`run` for any number of rows, called with the sizes of `BUCKETS` only: those are the powers of two.

    A batch is padded up to the next size, and one above the largest goes in parts.
    """

    def whole(*inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        rows = len(inputs[0])
        if rows > LARGEST:
            starts = range(0, rows, LARGEST)
            parts = [whole(*(each[first : first + LARGEST] for each in inputs)) for first in starts]
            return tuple(map(np.concatenate, zip(*parts, strict=True)))
        return tuple([answer[:rows] for answer in run(*map(padded, inputs))])

    return whole
