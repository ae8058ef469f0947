"""`python -m servers.models.train`: draw the data, train every model, write weights and metrics.json.

Needs the dependency group `train`. Takes two to four minutes on two cores, nearly all of it the classifier.
`--skip-digits` leaves the classifier as it is and only measures it again.
"""

from __future__ import annotations

import argparse
import json
import os
import time

# Before TensorFlow is imported: training is on the CPU, where it is deterministic, and quiet.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from servers.models import quality
from servers.models.catalog import METRICS_FILE
from servers.models.datasets import dataset
from servers.models.renderings import JUDGED, Rendering
from servers.models.train import digits, draw_data, regressions


def main() -> None:
    """Retrain everything and state how long it took."""
    parser = argparse.ArgumentParser(prog="python -m servers.models.train", description=__doc__)
    parser.add_argument("--skip-digits", action="store_true", help="keep the classifier's weights")
    arguments = parser.parse_args()
    started = time.perf_counter()
    draw_data.draw()
    print("data drawn", flush=True)
    metrics: dict[str, object] = dict(regressions.train())
    print(f"regressions: {metrics}", flush=True)
    if not arguments.skip_digits:
        digits.train()
    metrics["digits_cnn"] = _measured_digits()
    METRICS_FILE.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    print(f"digits_cnn: {metrics['digits_cnn']}")
    print(f"all trained in {time.perf_counter() - started:.0f} s")


def _measured_digits() -> dict[str, object]:
    """Accuracy on the held-out digits, over all judged renderings and in each."""
    rights = {_label(rendering): quality.digits_right(rendering) for rendering in JUDGED}
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
