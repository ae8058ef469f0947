"""What each model answers in float64 NumPy: the judge of every execution mode. Imports no TensorFlow.

It is written from the models' mathematics and restates their strides, so that an error in the TensorFlow definition, or
in a mode's graph rewriting, cannot hide by being shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from servers.models.catalog import MODELS

Weights64 = Mapping[str, NDArray[np.float64]]

RTOL: Final = 1e-5
"""Relative tolerance of a float32 CPU mode against the reference; near 100 float32 roundings (2**-24 each)."""

ATOL: Final = 1e-4
"""Absolute tolerance, in the unit of the output (logit, or disease progression score)."""

_STRIDES: Final = (4, 2, 2, 2)


@cache
def weights64(name: str) -> Weights64:
    """The committed weights of a model, widened to float64 without change of value."""
    with np.load(MODELS[name].weights_file) as stored:
        return {key: stored[key].astype(np.float64) for key in stored.files}


def reference(name: str, x: ArrayLike) -> NDArray[np.float64]:
    """The float64 answer of a model: regressions [N, features] to [N, 1]; `digits_cnn` [N, 224, 224, 3] to [N, 10].

    Raises ValueError where the shape is not the model's own, KeyError for an unknown name.
    """
    inputs = np.asarray(x, dtype=np.float64)
    expected = MODELS[name].input_shape
    if inputs.ndim != len(expected) or inputs.shape[1:] != expected[1:]:
        raise ValueError(f"{name} takes {expected}, not {inputs.shape}")
    return reference_with(weights64(name), inputs)


def reference_with(weights: Weights64, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """As `reference`, with weights of the caller: a convolutional net where they hold `conv1_kernel`, else affine."""
    if "conv1_kernel" not in weights:
        return x @ weights["kernel"] + weights["bias"]
    for number, stride in enumerate(_STRIDES, start=1):
        x = _convolve(x, weights[f"conv{number}_kernel"], stride) + weights[f"conv{number}_bias"]
        x = np.maximum(x, 0.0)
    return x.reshape(len(x), -1) @ weights["dense_kernel"] + weights["dense_bias"]


def _convolve(x: NDArray[np.float64], kernel: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    """Cross-correlation without padding, as deep learning calls convolution.

    Shapes: x [N, H, W, C], kernel [h, w, C, K], answer [N, (H - h) // stride + 1, (W - w) // stride + 1, K].
    """
    height, width, _, _ = kernel.shape
    windows = sliding_window_view(x, (height, width), axis=(1, 2))[:, ::stride, ::stride]
    # [N, rows, columns, C, h, w] against [h, w, C, K]
    product: NDArray[np.float64] = np.tensordot(windows, kernel, axes=((4, 5, 3), (0, 1, 2)))
    return product
