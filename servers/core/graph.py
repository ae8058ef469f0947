"""Graphs that hold their weights as constants, and one way to call a graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from servers.core.mode import Built, ValuesRefusedError
from servers.core.refusals import conditions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from servers.core.mode import Called, Executable, ModelCall


def traced(source: Executable[Any], forward: Callable[..., Any], **options: Any) -> Any:
    """A `tf.function` of the model's one input signature, all arguments positional."""

    @tf.function(input_signature=source.tensor_specs(), autograph=False, **options)  # type: ignore[untyped-decorator]
    def whole(*inputs: Any) -> Any:
        return forward(*inputs)

    return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A model's graph, its weights as constants. `forward` takes its inputs, inside a `tf.function`, never alone.

    It gives a list of the `outputs` and, where it was asked for and the graph may refuse values, whether it does not.
    `whole` keeps what was loaded alive: tables are no constants, and live as long as that.
    """

    forward: Callable[..., list[Any]]
    outputs: int
    whole: Any


def frozen(source: Executable[Any], *, guarded: bool = False) -> Frozen:
    """The model frozen, with `guarded` for runtimes that compute on where TensorFlow refuses (`refusals.py`).

    The graph is put into the function that calls `forward`, node by node: so its tables are inputs like others, loops
    stay loops, which XLA needs, and its operations can be asked what they refuse. Called as a function, what
    `convert_variables_to_constants_v2` returns binds no table (TensorFlow 2.21, `concrete_function`). It makes no
    constant of a weight that is looked up inside a function (`_ResourceGather`): functions go into their callers first.
    """
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415 - not a public name, and slow
        convert_variables_to_constants_v2,
    )

    whole = traced(source, source.forward())
    concrete = whole.get_concrete_function()
    constant = convert_variables_to_constants_v2(concrete, lower_control_flow=False, aggressive_inlining=True)
    graph = _without_gradients(constant.graph.as_graph_def())
    library = {function.signature.name: function for function in graph.library.function}
    # What is left of the captured resources, by the placeholders that stand for them.
    captured = {inner.name: outer for outer, inner in concrete.graph.captures}
    tables = {tensor.name: captured[tensor.name] for tensor in constant.inputs if tensor.name in captured}
    own = [tensor.name for tensor in constant.inputs if tensor.name not in captured]
    names = [tensor.name for tensor in constant.outputs]

    def forward(*inputs: Any) -> list[Any]:
        into = tf.compat.v1.get_default_graph()
        before = len(into.get_operations())
        places = dict(zip(own, inputs, strict=True)) | {name: into.capture(table) for name, table in tables.items()}
        answers = tf.graph_util.import_graph_def(graph, places, names, name="frozen")
        met = conditions(into.get_operations()[before:], library) if guarded else []
        return [*answers, *([tf.reduce_all(tf.stack(met))] if met else [])]

    return Frozen(forward=forward, outputs=len(names), whole=whole)


def _without_gradients(graph: Any) -> Any:
    """The graph without what nobody serves: arguments in the place of which others are put, and custom gradients.

    XLA compiles no placeholder, even one that nothing reads; LiteRT's converter looks for the Python code of gradients.
    """
    kept = [node for node in graph.node if node.op != "Placeholder"]
    del graph.node[:]
    graph.node.extend(kept)
    for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
        node.attr.pop("_gradient_op_type", None)
    return graph


def built_from(
    function: Any,
    source: Executable[Called],
    around: Callable[[ModelCall], ModelCall] = lambda run: run,
    outputs: int | None = None,
) -> Built[Called]:
    """A `tf.function` of one input signature as a mode, called as its ConcreteFunction; `around` is put around calls.

    Where it has one more than so many `outputs`, the last says whether the model takes the values.

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

    def checked(*inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        *answers, taken = run(*inputs)
        if not taken:
            raise ValuesRefusedError
        return tuple(answers)

    refuses = outputs is not None and len(dtypes) > outputs
    return Built(
        predict=source.called(around(checked if refuses else run)),
        device=lambda: devices[0],
        traces=function.experimental_get_tracing_count,
    )
