"""How good the committed models are, recomputed from committed data and weights with the float64 reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from servers.core.images import decode_image
from servers.models.catalog import MODELS
from servers.models.datasets import dataset
from servers.models.reference import Weights64, reference_with, weights64
from servers.models.renderings import Rendering, draw, encode

_BATCH = 32


def r_squared(name: str, *, held_out: bool, weights: Weights64 | None = None) -> float:
    """Coefficient of determination of a regression on one side of the diabetes split; 1 is perfect, 0 the mean.

    `weights` stands in for the committed ones.
    """
    inputs, targets = dataset("diabetes").part(held_out=held_out)
    features = inputs[:, : MODELS[name].input_shape[1]]
    predicted = reference_with(weights or weights64(name), features)[:, 0]
    residual = float(np.sum((targets - predicted) ** 2))
    return 1.0 - residual / float(np.sum((targets - targets.mean()) ** 2))


def digits_right(
    rendering: Rendering,
    *,
    held_out: bool = True,
    logits: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> NDArray[np.bool_]:
    """For every digit of one side of the split, whether it is recognised in that rendering.

    Each digit is drawn, encoded, and decoded by the service's own decoder, so the figure is that of the service.
    `logits` ([N, 224, 224, 3] to [N, 10]) stands in for the committed classifier's reference.
    """
    judge = logits or (lambda pixels: reference_with(weights64("digits_cnn"), pixels))
    inks, labels = dataset("digits").part(held_out=held_out)
    right = np.zeros(len(labels), dtype=np.bool_)
    for start in range(0, len(labels), _BATCH):
        rows = slice(start, start + _BATCH)
        pixels = np.stack([decode_image(encode(draw(ink, rendering), rendering)) for ink in inks[rows]])
        right[rows] = judge(pixels / 255.0).argmax(axis=1) == labels[rows]
    return right
