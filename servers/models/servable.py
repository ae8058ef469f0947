"""A SavedModel made readable as TensorFlow Serving reads it: graph, signatures, tables and assets.

`tf.saved_model.load` also revives the Python objects that were saved with them, and fails where one is of a class that
is not here: an optimizer of Keras 2, a layer of a package. So the file is written anew beside its description, with one
MetaGraph and with objects that are nothing but names; variables and assets are links to the user's own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Final

import tensorflow as tf
from google.protobuf import text_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from tensorflow.core.framework.variable_pb2 import VariableDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from servers.last_words import last_words
from servers.models.user_model import UserModelError

SERVING: Final = "serving_default"

_TAGS: Final = ("serve",)
_LINKED: Final = ("variables", "assets", "assets.extra")
_GENERIC: Final = "_generic_user_object"
_SIGNATURES: Final = "signature_map"
"""The one class that loading needs: the mapping under `signatures`."""

_INIT: Final = "__saved_model_init_op"
_PRIVATE: Final = (_INIT, "__saved_model_train_op")
_MAIN_OP: Final = "saved_model_main_op"


def write_servable(saved_model: Path, out: Path, tags: str | None) -> None:
    """Write it to `out`. Raises UserModelError where the SavedModel cannot be loaded, or has no such tags."""
    chosen = _meta_graph(saved_model, tags)
    out.mkdir()
    for name in _LINKED:
        if (saved_model / name).is_dir():
            # A link for each file, since what looks for files does not go through linked folders.
            shutil.copytree(saved_model / name, out / name, copy_function=os.symlink)
    first: Exception | None = None
    for simplified in (_objects_as_names, _graph_alone):
        simplified(chosen)
        _write(chosen, out)
        try:
            tf.saved_model.load(str(out))
        except Exception as error:  # noqa: BLE001 - a loader raises what it likes; its word is the reason
            first = first or error
        else:
            return
    raise UserModelError(
        f"{saved_model} cannot be loaded: {last_words(str(first))}",
        f"it was saved by TensorFlow {chosen.meta_info_def.tensorflow_version}, and {tf.__version__} is installed",
    ) from first


def load_signatures(servable: Path) -> Any:
    """What was written by `write_servable`, loaded: the object whose `signatures` are to be called, and kept alive."""
    return tf.saved_model.load(str(servable))


def public_signatures(signatures: Any) -> list[str]:
    """The names that a user may choose among."""
    return sorted(name for name in signatures if name not in _PRIVATE)


def _meta_graph(saved_model: Path, tags: str | None) -> Any:
    """The MetaGraph that has all of `tags`: those for serving where none are named, or the only one there is."""
    document = SavedModel()
    try:
        if (saved_model / "saved_model.pb").is_file():
            document.ParseFromString((saved_model / "saved_model.pb").read_bytes())
        else:
            text_format.Parse((saved_model / "saved_model.pbtxt").read_text(encoding="utf-8"), document)
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as error:
        raise UserModelError(
            f"{saved_model} cannot be loaded: its saved_model.pb is damaged, or not that of a SavedModel",
            "does tf.saved_model.load read it? Copy it anew",
        ) from error
    graphs = list(document.meta_graphs)
    wanted = set(_TAGS if tags is None else filter(None, tags.split(",")))
    found = [each for each in graphs if set(each.meta_info_def.tags) == wanted]
    if tags is None and len(graphs) == 1:
        found = graphs
    if not found:
        there = "; ".join(",".join(each.meta_info_def.tags) for each in graphs) or "none"
        raise UserModelError(
            f"{saved_model} has no graph with the tags {','.join(sorted(wanted))}", f"--tags takes one of: {there}"
        )
    return found[0]


def _write(meta_graph: Any, out: Path) -> None:
    document = SavedModel(saved_model_schema_version=1)
    document.meta_graphs.append(meta_graph)
    (out / "saved_model.pb").write_bytes(document.SerializeToString())


def _objects_as_names(meta_graph: Any) -> None:
    """Every object of Python becomes one that has children, and nothing else."""
    for node in meta_graph.object_graph_def.nodes:
        for field in ("slot_variables", "registered_name", "registered_saver"):
            node.ClearField(field)
        if node.WhichOneof("kind") == "user_object" and node.user_object.identifier != _SIGNATURES:
            node.user_object.Clear()
            node.user_object.identifier = _GENERIC
            node.user_object.version.producer = node.user_object.version.min_consumer = 1


def _graph_alone(meta_graph: Any) -> None:
    """No objects at all, as TensorFlow 1 saved it: variables and the operation that fills tables by their names."""
    if not meta_graph.HasField("object_graph_def"):
        return
    meta_graph.ClearField("object_graph_def")
    main = meta_graph.collection_def[_MAIN_OP].node_list.value
    if _INIT in meta_graph.signature_def and not main:
        main.append(meta_graph.signature_def[_INIT].outputs[_INIT].name)
    for name in _PRIVATE:
        if name in meta_graph.signature_def:
            del meta_graph.signature_def[name]
    reads = {node.input[0]: node.name for node in meta_graph.graph_def.node if node.op == "ReadVariableOp"}
    variables = meta_graph.collection_def["variables"].bytes_list.value
    for node in meta_graph.graph_def.node:
        if node.op == "VarHandleOp" and node.name in reads:
            variable = VariableDef(
                variable_name=f"{node.name}:0",
                # Never run: values come from the checkpoint.
                initializer_name=node.name,
                snapshot_name=f"{reads[node.name]}:0",
                is_resource=True,
            )
            variables.append(variable.SerializeToString())
