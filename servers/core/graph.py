"""Graphs that hold their weights as constants, and one way to call a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from servers.core.mode import Built

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.source import Source
    from servers.settings import Executor


def frozen_forward(source: Source) -> Callable[[Any], Any]:
    """The endpoint's tensor to predictions, weights as constants; for use inside a `tf.function`, never by itself.

    Called eagerly, what `convert_variables_to_constants_v2` returns never binds its argument: each call raises a
    TypeError whose text holds the whole input, swallows it, and tries again (TensorFlow 2.21,
    `concrete_function.ConcreteFunction._call_impl`). Inside a `tf.function` that happens once, at tracing.
    """
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415 - not a public name, and slow
        convert_variables_to_constants_v2,
    )

    constant = convert_variables_to_constants_v2(source.signature())

    def forward(batch: Any) -> Any:
        (answer,) = tf.nest.flatten(constant(source.prepare(batch)))
        return answer

    return forward


def built_from(function: Any, executor: Executor) -> Built:
    """A `tf.function` of one input signature as a mode, called as its ConcreteFunction.

    Never as a polymorphic `tf.function` or through the loaded object: there one bad argument leaves a lock held and
    every other thread waits for ever (TensorFlow 2.21, `polymorphic_function.Function._call`). A ConcreteFunction takes
    no such lock and cannot retrace.

    It is run by the operation that stands for a function call in every graph. `ConcreteFunction.__call__` runs the same
    function, but first looks, in Python, for gradients to record and arguments to bind; serving has neither, and for a
    small model that search takes three times as long as all the rest (measured on one core: 154 us in place of 47 us
    for a linear regression). The operation alone does not honour `jit_compile` of the function it is given, only of the
    calls inside, which is why `xla` wraps its function in another.
    """
    concrete = function.get_concrete_function()
    captured = tuple(concrete.captured_inputs)
    dtypes = [output.dtype for output in concrete.outputs]
    run = tf.raw_ops.StatefulPartitionedCall
    executor_type = "SINGLE_THREADED_EXECUTOR" if executor == "single" else ""
    devices: list[str] = []

    def predict(batch: NDArray[Any]) -> NDArray[np.float32]:
        (result,) = run(args=(tf.constant(batch), *captured), Tout=dtypes, f=concrete, executor_type=executor_type)
        if not devices:
            devices.append(result.backing_device)
        answer: NDArray[np.float32] = result.numpy()
        return answer

    return Built(predict=predict, device=lambda: devices[0], traces=function.experimental_get_tracing_count)
