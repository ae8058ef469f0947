"""Describes a user's SavedModel: `python -m servers.models.describe --saved-model DIR --out DIR`.

It is made readable (`servers.models.servable`), its payloads are made or read, and what its own signature answers to
them is kept: the yardstick of every mode. Then the modes that are asked for are tried. Progress, findings and refusals
are JSON objects, one a line, in the file descriptor `--channel`: models and compilers write to stdout as they please.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from servers.last_words import last_words
from servers.models.quiet_import import import_quietly
from servers.models.signature import KINDS, Signature, Tensor
from servers.models.user_model import DESCRIPTION, SERVABLE, Reading, UserModel, UserModelError, digest_of

if TYPE_CHECKING:
    from servers.core.edges import Edges

REFUSED: Final = 2

_STDOUT: Final = 1
_SPARSE: Final = ("indices", "values", "dense_shape")
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
    parser.add_argument("--channel", type=int, default=_STDOUT)
    for option in ("--signature", "--tags", "--scale"):
        parser.add_argument(option)
    parser.add_argument("--fix", action="store_true")
    arguments = parser.parse_args(argv)
    modes = [mode for mode in arguments.modes.split(",") if mode]
    channel = arguments.channel
    # Before TensorFlow is imported: nothing here needs a GPU or may take its memory.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    _say(channel, what="importing TensorFlow")
    import_quietly().get_logger().setLevel("ERROR")
    try:
        if not (arguments.out / DESCRIPTION).is_file():
            _say(channel, what=f"asking {arguments.saved_model.name} itself", described=False)
            reading = Reading(
                signature=arguments.signature, tags=arguments.tags, scale=arguments.scale, fix=arguments.fix
            )
            _describe(arguments.saved_model, arguments.payload, arguments.out, reading)
        _say(channel, what="described", described=True)
    except UserModelError as error:
        _say(channel, error=str(error), hint=error.hint)
        return REFUSED
    except Exception as error:  # noqa: BLE001 - what nobody foresaw is told as any other reason, its traceback below
        traceback.print_exc()
        reason = f"{arguments.saved_model.name} cannot be read: {type(error).__name__}: {last_words(str(error))}"
        _say(channel, error=reason, hint="if TensorFlow serves it, this is a fault of ours: please report it")
        return REFUSED
    model = UserModel.read(arguments.out)
    for mode in modes:
        _say(channel, what=f"trying mode {mode}", trying=mode)
        began = time.monotonic()
        refusal = _refusal(mode, model)
        _say(channel, mode=mode, refusal=refusal, seconds=round(time.monotonic() - began, 1))
    return 0


def _describe(saved_model: Path, payload: Path | None, out: Path, reading: Reading | None = None) -> None:
    """Write the description, whole or not at all."""
    from servers.core.user_model_codec import UserModelCodec  # noqa: PLC0415 - imports TensorFlow
    from servers.core.user_model_source import write_probes  # noqa: PLC0415
    from servers.models.questions import questions  # noqa: PLC0415 - imports TensorFlow
    from servers.models.servable import write_servable  # noqa: PLC0415 - imports TensorFlow

    reading = reading or Reading()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        fresh = Path(scratch) / "description"
        fresh.mkdir()
        write_servable(saved_model, fresh / SERVABLE, reading.tags)
        name, inputs, outputs = read_signature(fresh / SERVABLE, saved_model, reading.signature)
        signature = Signature(name=name, inputs=inputs, outputs=outputs, by_row=True, independent=True)
        asked = questions(fresh / SERVABLE, signature, payload, reading.scale, fix=reading.fix)
        model = UserModel(
            folder=fresh,
            saved_model=saved_model,
            digest=digest_of(saved_model),
            signature=asked.signature,
            payloads=asked.payloads,
            sample=asked.sample,
            accepts=UserModelCodec(signature=asked.signature).accepts,
            statements=asked.statements,
            spread=asked.spread,
            request_s=asked.request_s,
            signature_defs=read_signature_defs(fresh / SERVABLE),
        )
        write_probes(model, asked.probes)
        model.write()
        try:
            fresh.rename(out)
        except OSError:
            # Another process was faster: its description is equal.
            if not (out / DESCRIPTION).is_file():
                raise


def read_signature(
    servable: Path, saved_model: Path, wanted: str | None
) -> tuple[str, tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The name, inputs and outputs of a signature, by name: the wanted one, that for serving, or the only one.

    Raises UserModelError.
    """
    from servers.models.servable import SERVING, load_signatures, public_signatures  # noqa: PLC0415 - as above

    loaded = load_signatures(servable)
    names = public_signatures(loaded.signatures)
    if not names:
        raise UserModelError(
            f"{saved_model} has no serving signature",
            "tf.saved_model.save(model, 'my_model', signatures={'serving_default': function})",
        )
    name = wanted or (SERVING if SERVING in names else names[0])
    if name not in names or (wanted is None and SERVING not in names and len(names) > 1):
        missing = f"signature {name}" if wanted else f"{SERVING} among its signatures"
        raise UserModelError(f"{saved_model} has no {missing}", f"--signature takes one of: {', '.join(names)}")
    signature = loaded.signatures[name]
    _, inputs = signature.structured_input_signature
    if not inputs:
        raise UserModelError(f"signature {name} of {saved_model} takes no input", _others(names, name))
    outputs = signature.structured_outputs
    if not isinstance(outputs, dict) or not outputs:
        raise UserModelError(f"signature {name} of {saved_model} has no output to answer with", _others(names, name))
    return name, _tensors(inputs, "input"), _tensors(outputs, "output")


def _others(names: list[str], name: str) -> str:
    left = ", ".join(one for one in names if one != name)
    return f"--signature takes one of: {left}" if left else "a signature takes tensors and answers with some"


def _tensors(specs: dict[str, Any], what: str) -> tuple[Tensor, ...]:
    import tensorflow as tf  # noqa: PLC0415 - see the module's docstring

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
        if isinstance(spec, tf.SparseTensorSpec | tf.SparseTensor):
            rank = None if shape is None else len(shape)
            parts = (("int64", (None, rank)), (dtype, (None,)), ("int64", (rank,)))
            found += [
                Tensor(name=f"{name}/{part}", dtype=own, shape=sizes)
                for part, (own, sizes) in zip(_SPARSE, parts, strict=True)
            ]
            continue
        ragged = int(getattr(spec, "ragged_rank", 0))
        found.append(Tensor(name=name, dtype=dtype, shape=shape, ragged=ragged))
    return tuple(found)


def _refusal(mode: str, model: UserModel) -> str | None:
    """Why `mode` cannot run the model; None where it can and answers alike. All that was said is kept in a file."""
    from servers.core.mode import RefusedError  # noqa: PLC0415
    from servers.core.user_model_source import build_user_model  # noqa: PLC0415

    edges = _edges(model.folder)
    try:
        edges.write_limits()
        built = build_user_model(mode, edges.source)
        edges.source.compare(built)
        if mode != "function" and (apart := edges.disagreement(built)):
            return f"mode {mode} is not the model at the edges of its inputs: {apart}"
    except RefusedError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a compiler or converter raises what it likes; its word is the reason
        model.said_by(mode).write_text(traceback.format_exc(), encoding="utf-8")
        # What a request would be told is of no use here: the cause is the runtime's own word.
        cause = error.__cause__ or error
        return f"mode {mode} cannot run it: {last_words(str(cause)) or type(cause).__name__}"
    return None


@cache
def _edges(folder: Path) -> Edges:
    """What mode `function` does at the edges is asked once for all other modes."""
    from servers.core.edges import Edges  # noqa: PLC0415 - imports TensorFlow
    from servers.core.user_model_source import UserModelSource  # noqa: PLC0415

    model = UserModel.read(folder)
    return Edges(UserModelSource(name=model.saved_model.name, model=model))


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


def _say(channel: int, **facts: Any) -> None:
    line = json.dumps(facts) + "\n"
    if channel == _STDOUT:
        print(line, end="", flush=True)
        return
    left = line.encode()
    while left:
        left = left[os.write(channel, left) :]


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Not sys.exit: a loop of the model's that never ends would hold it.
    os._exit(code)
