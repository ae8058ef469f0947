"""`python -m servers.models.train`: draw the data, train every model, write weights and metrics.json.

Needs the dependency group `train`. Takes two to four minutes on two cores, nearly all of it the classifier.
`--skip-digits` leaves the classifier as it is and only measures it again.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_digits

# Before TensorFlow is imported: training is on the CPU, where it is deterministic, and quiet.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from servers.models.catalog import METRICS_FILE, MODELS
from servers.models.datasets import DATA_DIR, dataset
from servers.models.quality import digits_right, r_squared
from servers.models.renderings import JUDGED, Rendering
from servers.models.train import digits

_SEED: Final = 20250130
_HELD_OUT_SHARE: Final = 0.2


def main() -> None:
    """Retrain everything and state how long it took."""
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m servers.models.train", description=__doc__)
    parser.add_argument("--skip-digits", action="store_true", help="keep the classifier's weights")
    arguments = parser.parse_args()
    started = time.perf_counter()
    _draw_data()
    print("data drawn", flush=True)
    metrics: dict[str, object] = dict(_fit_regressions())
    print(f"regressions: {metrics}", flush=True)
    if not arguments.skip_digits:
        digits.train()
    metrics["digits_cnn"] = _measured_digits()
    METRICS_FILE.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print(f"digits_cnn: {metrics['digits_cnn']}")
    print(f"all trained in {time.perf_counter() - started:.0f} s")


def _draw_data() -> None:
    """Write data/diabetes.npz and data/digits.npz from scikit-learn's copies, with their splits."""
    rng = np.random.default_rng(_SEED)
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
        held_out[rng.choice(members, size=round(_HELD_OUT_SHARE * len(members)), replace=False)] = True
    return held_out


def _fit_regressions() -> dict[str, dict[str, float]]:
    """Fit and write both regressions; their R2 on train and held-out rows, by model name.

    Ordinary least squares on the diabetes data (Efron, Hastie, Johnstone, Tibshirani 2004), solved, not descended. The
    fit is float64 and the stored weights are its float32 rounding; R2 is that of the stored weights.
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


def _measured_digits() -> dict[str, object]:
    """Accuracy on the held-out digits, over all judged renderings and in each."""
    rights = {_label(rendering): digits_right(rendering) for rendering in JUDGED}
    return {
        "accuracy_held_out": sum(int(right.sum()) for right in rights.values())
        / sum(len(right) for right in rights.values()),
        "held_out_digits": int(dataset("digits").held_out.sum()),
        "accuracy_by_rendering": {label: float(right.mean()) for label, right in rights.items()},
    }


def _label(rendering: Rendering) -> str:
    return f"{rendering.side} {rendering.mode} {rendering.format} {rendering.resample.name.lower()}"


if __name__ == "__main__":
    main()
