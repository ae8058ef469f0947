"""Draws the two committed data sets from scikit-learn's copies and fixes their splits."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_digits

from servers.models.datasets import DATA_DIR

SEED: Final = 20250130
HELD_OUT_SHARE: Final = 0.2


def draw() -> None:
    """Write data/diabetes.npz and data/digits.npz."""
    rng = np.random.default_rng(SEED)
    raw = load_diabetes(scaled=False)
    columns = [raw.feature_names.index("bmi"), raw.feature_names.index("bp")]
    everyone = np.zeros(len(raw.target), dtype=np.int64)
    np.savez_compressed(
        DATA_DIR / "diabetes.npz",
        inputs=raw.data[:, columns],
        targets=raw.target,
        held_out=_stratified(everyone, rng),
    )
    digits = load_digits()
    np.savez_compressed(
        DATA_DIR / "digits.npz",
        inputs=digits.images.astype(np.uint8),
        targets=digits.target.astype(np.uint8),
        held_out=_stratified(digits.target, rng),
    )


def _stratified(strata: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """A mask that holds out the same share of every stratum."""
    held_out = np.zeros(len(strata), dtype=np.bool_)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        held_out[rng.choice(members, size=round(HELD_OUT_SHARE * len(members)), replace=False)] = True
    return held_out
