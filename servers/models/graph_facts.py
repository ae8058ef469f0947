"""What can be seen in a signature's graph without running it: chance, state, and how it treats a picture's levels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import tensorflow as tf

_CHANCE: Final = re.compile(
    r"Random(?!Dataset)|Stateful(?:Standard|Truncated|Uniform|Random)|Multinomial|ParameterizedTruncatedNormal"
    r"|Rng|Timestamp|StatelessRandomGetKeyCounter"
)
"""Operations whose result is another at every call."""

_STATE: Final = re.compile(
    r"Assign\w*VariableOp|Assign(?:Add|Sub)?\Z|ResourceScatter|LookupTable(?:Insert|Remove|Import)|Queue\w*(?:Enqueue|Dequeue)"
)
"""Operations that leave something behind for the next call."""

_PASSED_ON: Final = frozenset(
    [
        "Identity",
        "IdentityN",
        "StopGradient",
        "Snapshot",
        "EnsureShape",
        "Cast",
        "Reshape",
        "Transpose",
        "Squeeze",
        "ExpandDims",
        "StridedSlice",
        "Pad",
        "PadV2",
        "MirrorPad",
        "ReverseV2",
        "ResizeBilinear",
        "ResizeBicubic",
        "ResizeNearestNeighbor",
        "PreventGradient",
    ]
)
"""Operations that leave the levels of a picture on their scale."""

_LEVELS: Final = 50.0
"""A divisor or a mean from here on is meant for levels up to 255; one for numbers up to 1 is far below."""

_DEPTH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFacts:
    """Operations by which answers differ from call to call, and whether a picture's levels are brought to a scale."""

    chance: tuple[str, ...]
    state: tuple[str, ...]
    rescales: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """Nodes of a graph or of a function; `given` are the values of its arguments as far as they are constants."""

    nodes: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    def consumers(self, name: str) -> Iterator[tuple[Any, int]]:
        for node in self.nodes.values():
            for at, one in enumerate(node.input):
                if not one.startswith("^") and one.partition(":")[0] == name:
                    yield node, at


def graph_facts(concrete: Any, *, picture: bool) -> GraphFacts:
    """What the graph of a ConcreteFunction says; `picture` is whether its one input takes pictures."""
    definition = concrete.graph.as_graph_def()
    functions = {function.signature.name: function for function in definition.library.function}
    operations = _operations(definition.node, functions)
    given = {
        inner.op.name: outer.numpy()
        for outer, inner in concrete.graph.captures
        if outer.dtype.is_floating and hasattr(outer, "numpy")
    }
    scope = _Scope(nodes={node.name: node for node in definition.node}, given=given)
    return GraphFacts(
        chance=tuple(sorted(filter(_CHANCE.match, operations))),
        state=tuple(sorted(filter(_STATE.match, operations))),
        rescales=picture and _rescales(scope, str(concrete.inputs[0].op.name), functions, _DEPTH),
    )


def _operations(nodes: Iterable[Any], functions: Mapping[str, Any]) -> set[str]:
    """Those of the graph and of every function that it reaches: a file also holds functions that only save and load."""
    found: set[str] = set()
    left, seen = [list(nodes)], set()
    while left:
        for node in left.pop():
            found.add(node.op)
            for attribute in node.attr.values():
                for name in (attribute.func.name, *(each.name for each in attribute.list.func)):
                    if name in functions and name not in seen:
                        seen.add(name)
                        left.append(list(functions[name].node_def))
    return found


def _rescales(scope: _Scope, name: str, functions: Mapping[str, Any], depth: int) -> bool:
    """Whether the first arithmetic that `name` meets brings levels up to 255 to another scale."""
    if depth == 0:
        return False
    for node, at in scope.consumers(name):
        if node.op in _PASSED_ON and at == 0:
            if _rescales(scope, node.name, functions, depth - 1):
                return True
        elif node.op in ("PartitionedCall", "StatefulPartitionedCall"):
            function = functions.get(node.attr["f"].func.name)
            names = [argument.name for argument in function.signature.input_arg] if function else []
            if at < len(names) and _rescales(_called(scope, node, function), names[at], functions, depth - 1):
                return True
        elif node.op in ("Mul", "RealDiv", "Div", "Sub", "AddV2", "Add") and _is_for_levels(scope, node, at):
            return True
    return False


def _called(scope: _Scope, call: Any, function: Any) -> _Scope:
    """The nodes of a function, with the constants that this call of it passes."""
    names = [argument.name for argument in function.signature.input_arg]
    values = {own: _value(scope, given) for own, given in zip(names, call.input, strict=False)}
    return _Scope(
        nodes={node.name: node for node in function.node_def},
        given={own: value for own, value in values.items() if value is not None},
    )


def _is_for_levels(scope: _Scope, node: Any, at: int) -> bool:
    if len(node.input) < 2:
        return False
    value = _value(scope, node.input[1 - at])
    if value is None or not value.size or not np.isfinite(value).all():
        return False
    largest = float(np.max(np.abs(value)))
    if node.op == "Mul":
        return 0 < largest <= 1 / _LEVELS
    return largest >= _LEVELS and (at == 0 or node.op in ("AddV2", "Add"))


def _value(scope: _Scope, name: str) -> Any:
    """The constant that a tensor's name stands for; None where it is none."""
    for _ in range(_DEPTH):
        name = name.partition(":")[0]
        if name in scope.given:
            return np.asarray(scope.given[name], dtype=np.float64)
        node = scope.nodes.get(name)
        if node is None:
            return None
        if node.op == "Const":
            value = tf.make_ndarray(node.attr["value"].tensor)
            return value.astype(np.float64) if np.issubdtype(value.dtype, np.number) else None
        if node.op not in _PASSED_ON and node.op != "ReadVariableOp":
            return None
        name = node.input[0]
    return None
