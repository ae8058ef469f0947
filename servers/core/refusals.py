"""What a graph refuses by value, as tensors: XLA and LiteRT compute on where TensorFlow's own kernels raise an error.

XLA clamps an index that is out of range and leaves assertions out; LiteRT's converter leaves assertions out. So a value
that the model refuses would be answered, with another row's answer. Here every operation of a graph that may refuse
gets its condition as a boolean beside the outputs: it is compiled with them and costs next to nothing.

Operations within the body of a loop, and those of a graph with the branches of TensorFlow 1, are out of reach: what a
mode does there is found out by asking (`edges.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping

_BRANCHES: Final = ("then_branch", "else_branch")


def conditions(operations: Iterable[Any], library: Mapping[str, Any]) -> list[Any]:
    """A boolean scalar for each of `operations` that may refuse what it is given, true where it does not.

    To be called inside the graph that holds them. `library` has the graph's functions by name.
    """
    present = list(operations)
    if any(one.type == "Switch" for one in present):
        # In a graph of TensorFlow 1 what is not chosen is dead, and would leave the condition without a value.
        return []
    found = []
    for one in present:
        if one.type in ("If", "StatelessIf"):
            found += _branches(one, library)
        elif one.type in _CONDITIONS:
            found += _CONDITIONS[one.type](one)
    return [tf.reduce_all(each) for each in found]


def _branches(one: Any, library: Mapping[str, Any]) -> list[Any]:
    """The condition of an `If` that asserts on one side: that is what `tf.debugging` makes of an assertion."""
    asserts = [
        any(node.op == "Assert" for node in library[one.get_attr(branch).name].node_def)
        if one.get_attr(branch).name in library
        else False
        for branch in _BRANCHES
    ]
    if asserts == [False, True]:
        return [tf.cast(one.inputs[0], tf.bool)]
    return [tf.logical_not(tf.cast(one.inputs[0], tf.bool))] if asserts == [True, False] else []


def _known(tensor: Any) -> bool:
    """Whether the values are a constant of the model's, which it has been asked with already."""
    return tf.get_static_value(tensor) is not None


def _gather(one: Any) -> list[Any]:
    table, indices, axis = one.inputs
    if _known(indices):
        return []
    return [_within(indices, tf.gather(tf.shape(table), tf.cast(axis, tf.int32) % tf.rank(table)))]


def _gather_nd(one: Any) -> list[Any]:
    table, indices = one.inputs
    return [] if _known(indices) else [_within(indices, tf.shape(table)[: indices.shape[-1]])]


def _scatter(one: Any) -> list[Any]:
    """`TensorScatter...` has the tensor first, `ScatterNd` the shape last."""
    if one.type == "ScatterNd":
        indices, _, shape = one.inputs
    else:
        indices, shape = one.inputs[1], tf.shape(one.inputs[0])
    return [] if _known(indices) else [_within(indices, shape[: indices.shape[-1]])]


def _within(indices: Any, sizes: Any) -> Any:
    sizes = tf.cast(sizes, indices.dtype)
    return tf.logical_and(tf.reduce_all(indices >= 0), tf.reduce_all(indices < sizes))


def _slice(one: Any) -> list[Any]:
    """A slice that begins where the request says; a size of -1 takes what is left."""
    whole, begin, size = one.inputs
    if _known(begin):
        return []
    sizes = tf.cast(tf.shape(whole), begin.dtype)
    return [tf.logical_and(tf.reduce_all(begin >= 0), tf.reduce_all(begin + tf.maximum(size, 0) <= sizes))]


def _item(one: Any) -> list[Any]:
    """`x[i]`: a strided slice whose first places are single indices; other bounds are cut, not refused."""
    whole, begin, _, _ = one.inputs
    single = one.get_attr("shrink_axis_mask")
    if not single or one.get_attr("ellipsis_mask") or one.get_attr("new_axis_mask") or _known(begin):
        return []
    sizes = tf.cast(tf.shape(whole), begin.dtype)
    places = [at for at in range(begin.shape[0] or 0) if single >> at & 1]
    return [tf.logical_and(begin[at] >= -sizes[at], begin[at] < sizes[at]) for at in places]


def _division(one: Any) -> list[Any]:
    """Only integers cannot be divided by zero."""
    by = one.inputs[1]
    return [tf.not_equal(by, 0)] if by.dtype.is_integer and not _known(by) else []


def _power(one: Any) -> list[Any]:
    """Nor be raised to less than the power of zero."""
    by = one.inputs[1]
    return [by >= 0] if by.dtype.is_integer and not _known(by) else []


def _finite(one: Any) -> list[Any]:
    # Not tf.math.is_finite, which LiteRT has no operation for; a comparison with NaN is false.
    return [tf.abs(one.inputs[0]) <= one.inputs[0].dtype.max]


def _counted(one: Any) -> list[Any]:
    """Negative numbers cannot be counted; those beyond the last bin are left out."""
    return [] if _known(one.inputs[0]) else [one.inputs[0] >= 0]


def _asserted(one: Any) -> list[Any]:
    return [one.inputs[0]]


_CONDITIONS: Final[dict[str, Callable[[Any], list[Any]]]] = {
    "Assert": _asserted,
    "CheckNumerics": _finite,
    "CheckNumericsV2": _finite,
    "GatherV2": _gather,
    "GatherNd": _gather_nd,
    "ScatterNd": _scatter,
    "TensorScatterAdd": _scatter,
    "TensorScatterMax": _scatter,
    "TensorScatterMin": _scatter,
    "TensorScatterSub": _scatter,
    "TensorScatterUpdate": _scatter,
    "Slice": _slice,
    "StridedSlice": _item,
    "Bincount": _counted,
    "DenseBincount": _counted,
    "Div": _division,
    "FloorDiv": _division,
    "FloorMod": _division,
    "Mod": _division,
    "TruncateDiv": _division,
    "TruncateMod": _division,
    "Pow": _power,
}
"""By the name of an operation, when it does not refuse; each after its kernel's own check."""
