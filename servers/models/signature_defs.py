"""Every signature that a SavedModel's file holds, as TensorFlow Serving tells of them.

The JSON is that of `GET /v1/models/NAME/metadata`: the message SignatureDef with the names of its fields
(https://www.tensorflow.org/tfx/serving/api_rest, tensorflow/core/protobuf/meta_graph.proto).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_SERVE: Final = "serve"


def read_signature_defs(saved_model: Path) -> dict[str, Any]:
    """The signatures of the graph with the tag `serve`, or of the first one, by name. Imports TensorFlow."""
    from tensorflow.python.saved_model.loader_impl import parse_saved_model  # noqa: PLC0415 - reads every form of it

    graphs = parse_saved_model(str(saved_model)).meta_graphs
    graph = next((one for one in graphs if _SERVE in one.meta_info_def.tags), graphs[0])
    return {name: _definition(graph.signature_def[name]) for name in sorted(graph.signature_def)}


def _definition(message: Any) -> dict[str, Any]:
    return {
        "inputs": {name: _info(message.inputs[name]) for name in sorted(message.inputs)},
        "outputs": {name: _info(message.outputs[name]) for name in sorted(message.outputs)},
        "method_name": message.method_name,
    }


def _info(message: Any) -> dict[str, Any]:
    from tensorflow.core.framework.types_pb2 import DataType  # noqa: PLC0415 - as above

    shape = message.tensor_shape
    told = {
        "dtype": DataType.Name(message.dtype),
        "tensor_shape": {
            "dim": [{"size": str(dim.size), "name": dim.name} for dim in shape.dim],
            "unknown_rank": shape.unknown_rank,
        },
    }
    if message.WhichOneof("encoding") == "coo_sparse":
        sparse = message.coo_sparse
        parts = ("values_tensor_name", "indices_tensor_name", "dense_shape_tensor_name")
        return told | {"coo_sparse": {part: getattr(sparse, part) for part in parts}}
    return told | {"name": message.name}
