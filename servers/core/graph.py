"""Graphs that hold their weights as constants, and one way to call a graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from servers.core.mode import Built

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Called, Executable, ModelCall


def traced(source: Executable[Any], forward: Callable[..., Any], **options: Any) -> Any:
    """A `tf.function` of the model's one input signature, all arguments positional."""

    @tf.function(input_signature=source.tensor_specs(), autograph=False, **options)  # type: ignore[untyped-decorator]
    def whole(*inputs: Any) -> Any:
        return forward(*inputs)

    return whole


def frozen_forward(source: Executable[Any]) -> Callable[..., Any]:
    """The model's inputs to a list of its outputs, weights as constants; for use inside a `tf.function`, never alone.

    Called eagerly, what `convert_variables_to_constants_v2` returns never binds its argument: each call raises a
    TypeError whose text holds the whole input, swallows it, and tries again (TensorFlow 2.21,
    `concrete_function.ConcreteFunction._call_impl`). Inside a `tf.function` that happens once, at tracing.
    """
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415 - not a public name, and slow
        convert_variables_to_constants_v2,
    )

    whole = traced(source, source.forward())
    constant = convert_variables_to_constants_v2(whole.get_concrete_function())

    def forward(*inputs: Any) -> Any:
        return tf.nest.flatten(constant(*inputs))

    # Tables are no variables: they stay where they are, and live as long as what was loaded with them.
    forward.keep_alive = whole  # type: ignore[attr-defined]
    return forward


def built_from(
    function: Any, source: Executable[Called], around: Callable[[ModelCall], ModelCall] = lambda run: run
) -> Built[Called]:
    """A `tf.function` of one input signature as a mode, called as its ConcreteFunction; `around` is put around calls.

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
    call = tf.raw_ops.StatefulPartitionedCall
    executor_type = "SINGLE_THREADED_EXECUTOR" if source.executor == "single" else ""
    devices: list[str] = []

    def run(*inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        results = call(
            args=(*map(tf.constant, inputs), *captured), Tout=dtypes, f=concrete, executor_type=executor_type
        )
        if not devices:
            devices.append(results[0].backing_device)
        return tuple([result.numpy() for result in results])

    return Built(
        predict=source.called(around(run)), device=lambda: devices[0], traces=function.experimental_get_tracing_count
    )
