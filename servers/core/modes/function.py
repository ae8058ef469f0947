"""`function`: the SavedModel's graph, called as a ConcreteFunction.

Never as a polymorphic `tf.function` or through the loaded object: there one bad argument leaves a lock held and every
other thread waits for ever (TensorFlow 2.21, `polymorphic_function.Function._call`). A ConcreteFunction takes no such
lock and cannot retrace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from servers.core.mode import Built

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.source import Source


def build(source: Source) -> Built:
    """The serving signature, wrapped once so that its one argument is positional and images may come as bytes."""
    signature = source.signature()

    @tf.function(input_signature=[source.tensor_spec()], autograph=False)  # type: ignore[untyped-decorator]
    def whole(batch: Any) -> Any:
        return signature(x=source.prepare(batch))["y"]

    concrete = whole.get_concrete_function()
    devices: list[str] = []

    def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
        result = concrete(tf.constant(batch))
        if not devices:
            devices.append(result.backing_device)
        return np.asarray(result.numpy(), dtype=np.float32)

    return Built(
        predict=predict,
        device=lambda: devices[0],
        traces=whole.experimental_get_tracing_count,
    )
