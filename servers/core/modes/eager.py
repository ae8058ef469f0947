"""`eager`: every operation dispatched from Python, one by one; what code without `tf.function` costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from servers.core.mode import Built

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.source import Source


def build(source: Source) -> Built:
    """The model's own Python code on eager tensors."""
    forward = source.eager()
    devices: list[str] = []

    def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
        result = forward(tf.constant(batch))
        if not devices:
            devices.append(result.backing_device)
        return np.asarray(result.numpy(), dtype=np.float32)

    return Built(predict=predict, device=lambda: devices[0], traces=lambda: 0)
