"""Describes a user's SavedModel: `python -m servers.models.describe --saved-model DIR --out DIR`.

Its signature is read from the file, its payloads are made or read, and what its own signature answers to them is kept:
the yardstick of every mode. Then the modes that are asked for are tried. Progress, findings and refusals are JSON
objects, one a line, on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from servers.models.quiet_import import import_quietly
from servers.models.signature import KINDS, Signature, Tensor
from servers.models.user_model import DESCRIPTION, UserModel, UserModelError, digest_of

SERVING: Final = "serving_default"
REFUSED: Final = 2

_LONGEST_REASON: Final = 240
_SERVE: Final = "serve"


def main(argv: list[str] | None = None) -> int:
    """Describe where needed, then try modes; 2 and one line of JSON where the model cannot be served at all."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, prog="python -m servers.models.describe", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--saved-model", type=Path, required=True)
    parser.add_argument("--payload", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--modes", default="")
    arguments = parser.parse_args(argv)
    modes = [mode for mode in arguments.modes.split(",") if mode]
    # Before TensorFlow is imported: nothing here needs a GPU or may take its memory.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    _say(what="importing TensorFlow")
    import_quietly().get_logger().setLevel("ERROR")
    try:
        if not (arguments.out / DESCRIPTION).is_file():
            _say(what=f"asking {arguments.saved_model.name} itself")
            _describe(arguments.saved_model, arguments.payload, arguments.out)
    except UserModelError as error:
        _say(error=str(error), hint=error.hint)
        return REFUSED
    model = UserModel.read(arguments.out)
    for mode in modes:
        _say(what=f"trying mode {mode}", trying=mode)
        _say(mode=mode, refusal=_refusal(mode, model))
    return 0


def _describe(saved_model: Path, payload: Path | None, out: Path) -> None:
    """Write the description, whole or not at all."""
    from servers.core.user_model_codec import UserModelCodec  # noqa: PLC0415 - imports TensorFlow
    from servers.core.user_model_source import write_probes  # noqa: PLC0415
    from servers.models.questions import questions  # noqa: PLC0415 - imports TensorFlow

    out.parent.mkdir(parents=True, exist_ok=True)
    name, inputs, outputs = read_signature(saved_model)
    asked = questions(
        saved_model, Signature(name=name, inputs=inputs, outputs=outputs, by_row=True, independent=True), payload
    )
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        fresh = Path(scratch) / "description"
        fresh.mkdir()
        model = UserModel(
            folder=fresh,
            saved_model=saved_model,
            digest=digest_of(saved_model),
            signature=asked.signature,
            payloads=asked.payloads,
            sample=asked.sample,
            accepts=UserModelCodec(signature=asked.signature).accepts,
            signature_defs=read_signature_defs(saved_model),
        )
        write_probes(model, asked.probes)
        model.write()
        try:
            fresh.rename(out)
        except OSError:
            # Another process was faster: its description is equal.
            if not (out / DESCRIPTION).is_file():
                raise


def read_signature(saved_model: Path) -> tuple[str, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The name, inputs and outputs of the one serving signature, by name. Raises UserModelError."""
    import tensorflow as tf  # noqa: PLC0415 - see the module's docstring

    try:
        signatures = tf.saved_model.load(str(saved_model)).signatures
    except Exception as error:
        raise UserModelError(
            f"{saved_model} cannot be loaded: {_first_line(error)}",
            "does tf.saved_model.load read it, under this version of TensorFlow?",
        ) from error
    names = list(signatures)
    if SERVING not in names and len(names) != 1:
        raise UserModelError(
            f"{saved_model} has {'no serving signature' if not names else f'no {SERVING} among its signatures'}",
            "tf.saved_model.save(model, 'my_model', signatures={'serving_default': function})",
        )
    name = SERVING if SERVING in names else names[0]
    signature = signatures[name]
    _, inputs = signature.structured_input_signature
    if not inputs:
        raise UserModelError(f"signature {name} of {saved_model} takes no input", "give it one to be asked with")
    return name, _tensors(inputs, "input"), _tensors(signature.structured_outputs, "output")


def _tensors(specs: dict[str, Any], what: str) -> tuple[Tensor, ...]:
    found = []
    for name, spec in sorted(specs.items()):
        dtype = getattr(getattr(spec, "dtype", None), "name", type(spec).__name__)
        if dtype not in KINDS:
            raise UserModelError(
                f"{what} {name} is of type {dtype}, which JSON cannot carry", "cast it in the signature"
            )
        shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
        if shape is None and what == "input":
            raise UserModelError(f"input {name} leaves open even its rank", "give it a TensorSpec with a rank")
        found.append(Tensor(name=name, dtype=dtype, shape=shape))
    return tuple(found)


def _refusal(mode: str, model: UserModel) -> str | None:
    """Why `mode` cannot run the model; None where it can and answers alike."""
    from servers.core.mode import RefusedError  # noqa: PLC0415
    from servers.core.user_model_source import UserModelSource, build_user_model  # noqa: PLC0415

    source = UserModelSource(name=model.saved_model.name, model=model)
    try:
        source.compare(build_user_model(mode, source))
    except RefusedError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a compiler or converter raises what it likes; its word is the reason
        # What a request would be told is of no use here: the cause is the runtime's own word.
        return f"mode {mode} cannot run it: {_first_line(error.__cause__ or error)}"
    return None


def _first_line(error: BaseException) -> str:
    """The line of an error that says what is wrong: the compiler's own where there is one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    telling = next((line for line in lines if "error:" in line), lines[0])
    return telling if len(telling) <= _LONGEST_REASON else f"{telling[:_LONGEST_REASON]}..."


def read_signature_defs(saved_model: Path) -> dict[str, Any]:
    """Every signature of the graph with the tag `serve`, or of the first one, as TensorFlow Serving tells of them.

    By name, each the message SignatureDef with the names of its fields (tensorflow/core/protobuf/meta_graph.proto), as
    `GET /v1/models/NAME/metadata` has it (https://www.tensorflow.org/tfx/serving/api_rest).
    """
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


def _say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    sys.exit(main())
