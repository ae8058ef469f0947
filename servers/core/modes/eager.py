"""`eager`: every operation dispatched from Python, one by one; what code without `tf.function` costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from servers.core.mode import Built

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Called, Executable


def build(source: Executable[Called]) -> Built[Called]:
    """The model's own Python code on eager tensors. Raises RefusedError for a model that has none."""
    forward = source.eager()
    devices: list[str] = []

    def run(*inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        results = forward(*map(tf.constant, inputs))
        if not devices:
            devices.append(results[0].backing_device)
        return tuple([result.numpy() for result in results])

    return Built(predict=source.called(run), device=lambda: devices[0], traces=lambda: 0)
