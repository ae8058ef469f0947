"""Ordinary least squares on the diabetes data (Efron, Hastie, Johnstone, Tibshirani 2004), solved, not descended."""

from __future__ import annotations

import numpy as np

from servers.models.catalog import MODELS
from servers.models.datasets import dataset
from servers.models.quality import r_squared


def train() -> dict[str, dict[str, float]]:
    """Fit and write both regressions; their R2 on train and held-out rows, by model name.

    The fit is float64 and the stored weights are its float32 rounding; R2 is that of the stored weights.
    """
    inputs, targets = dataset("diabetes").part(held_out=False)
    found: dict[str, dict[str, float]] = {}
    for name in ("linear_regression", "advanced_regression"):
        features = MODELS[name].input_shape[1]
        design = np.column_stack([inputs[:, :features], np.ones(len(inputs))])
        solution, *_ = np.linalg.lstsq(design, targets, rcond=None)
        kernel, bias = solution[:-1, None].astype(np.float32), solution[-1:].astype(np.float32)
        np.savez(MODELS[name].weights_file, kernel=kernel, bias=bias)
        found[name] = {f"r2_{side}": r_squared(name, held_out=side == "held_out") for side in ("train", "held_out")}
    return found
