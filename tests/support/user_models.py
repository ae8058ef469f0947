"""SavedModels as users have them, made by TensorFlow: `python tests/support/user_models.py DIR`.

A process of its own, because Keras must be imported here and is not where models are served.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

NAMES: Final = (
    "two_inputs",
    "conv",
    "strings",
    "static",
    "centred",
    "mixed",
    "sequence",
    "random",
    "hostile",
    "no_signature",
    "complex",
    "table",
    "ragged",
    "half",
    "counting",
    "shaky",
    "distant",
    "picky",
    "two_signatures",
    "rescaling",
    "keras2",
    "unknown_object",
    "half_plus_two",
)


@cache
def user_saved_models() -> Path:
    """A folder with one SavedModel for each of `NAMES`."""
    folder = Path(mkdtemp(prefix="titrate-given-"))
    done = subprocess.run([sys.executable, __file__, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def _write_all(folder: Path) -> None:
    import numpy as np  # noqa: PLC0415 - only in this process
    import tensorflow as tf  # noqa: PLC0415

    def save(name: str, function: Any, **specs: Any) -> None:
        module = tf.Module()
        module.weight = tf.Variable(np.linspace(-1, 1, 12).reshape(4, 3).astype(np.float32))
        module.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(["cat", "dog"]), tf.constant([1.5, 2.5])), -1.0
        )
        module.serve = tf.function(
            lambda **inputs: function(module, **inputs),
            input_signature=None,
        )
        concrete = module.serve.get_concrete_function(
            **{key: tf.TensorSpec(shape, dtype, name=key) for key, (shape, dtype) in specs.items()}
        )
        tf.saved_model.save(module, str(folder / name), signatures={"serving_default": concrete})

    rows = (None, 4)
    save(
        "two_inputs",
        lambda m, left, right: {"total": left @ m.weight + right[:, tf.newaxis], "best": tf.argmax(left @ m.weight, 1)},
        left=(rows, tf.float32),
        right=((None,), tf.float32),
    )
    save(
        "strings",
        lambda _m, text: {"length": tf.strings.length(text), "upper": tf.strings.upper(text)},
        text=((None,), tf.string),
    )
    save("static", lambda m, x: {"y": x @ m.weight}, x=((2, 4), tf.float32))
    save("centred", lambda _m, x: {"y": x - tf.reduce_mean(x, axis=0)}, x=(rows, tf.float32))
    save(
        "mixed",
        lambda _m, flag, ids, scale: {"y": tf.where(flag, ids * 2, ids), "z": tf.cast(ids, tf.float64) * scale},
        flag=((None,), tf.bool),
        ids=((None,), tf.int64),
        scale=((), tf.float64),
    )
    save("sequence", lambda _m, tokens: {"sum": tf.reduce_sum(tokens, axis=1)}, tokens=((None, None), tf.float32))
    save("random", lambda _m, x: {"y": x + tf.random.uniform([])}, x=(rows, tf.float32))
    save("hostile", lambda m, at: {"y": tf.gather(m.weight, at)}, at=((None,), tf.int32))
    save("complex", lambda _m, x: {"y": tf.complex(x, x)}, x=(rows, tf.float32))
    save("table", lambda m, key: {"score": m.table.lookup(key)}, key=((None,), tf.string))
    save("ragged", lambda _m, text: {"words": tf.strings.split(text)}, text=((None,), tf.string))
    save(
        "half", lambda _m, x: {"y": tf.cast(x, tf.bfloat16) / 3, "z": tf.cast(x, tf.float16) / 3}, x=(rows, tf.float32)
    )
    save(
        "counting",
        lambda m, x: {"y": x * 0 + tf.cast(m.weight.assign_add(tf.ones([4, 3])) > 12, tf.float32)[0, 0]},
        x=(rows, tf.float32),
    )
    save("shaky", lambda _m, x: {"y": x + tf.random.uniform(tf.shape(x)) * 1e-6}, x=(rows, tf.float32))
    # Of what is made up first it makes NaN.
    save("distant", lambda _m, x: {"y": tf.math.log(x - 0.995)}, x=(rows, tf.float32))

    def picky(_m: Any, x: Any) -> Any:
        tf.debugging.assert_greater_equal(tf.reduce_min(x), 18.0, message="age is from 18")
        return {"y": x * 2}

    save("picky", picky, x=((None,), tf.float32))
    save("rescaling", lambda _m, x: {"y": tf.reduce_mean(x / 127.5 - 1, [1, 2, 3])}, x=((None, 8, 8, 3), tf.float32))
    _write_foreign(folder)
    tf.saved_model.save(tf.Module(), str(folder / "no_signature"))
    _write_half_plus_two(str(folder / "half_plus_two"))

    import keras  # noqa: PLC0415

    keras.utils.set_random_seed(7)
    layers = keras.layers
    picture = keras.Input((16, 16, 3), name="picture")
    found = layers.Conv2D(4, 3, strides=2, activation="relu")(picture)
    found = layers.Dense(5, activation="softmax")(layers.Flatten()(found))
    keras.Model(picture, found).export(str(folder / "conv"), verbose=False)


def _write_foreign(folder: Path) -> None:
    """As other versions write them: an optimizer of Keras 2, an object that nothing here can load, TensorFlow 1."""
    import tensorflow as tf  # noqa: PLC0415 - only in this process
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415

    class Doubling(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = tf.Variable(2.0)
            self.optimizer = tf.Module()
            self.optimizer.moment = tf.Variable(0.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def double(self, x: Any) -> Any:
            return {"y": x * self.factor}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])  # type: ignore[untyped-decorator]
        def halve(self, x: Any) -> Any:
            return {"half": x / self.factor}

    model = Doubling()
    tf.saved_model.save(model, str(folder / "two_signatures"), signatures={"up": model.double, "down": model.halve})
    for name in ("keras2", "unknown_object"):
        tf.saved_model.save(model, str(folder / name), signatures={"serving_default": model.double})
        file = folder / name / "saved_model.pb"
        document = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        nodes = document.meta_graphs[0].object_graph_def.nodes
        at = {child.local_name: child.node_id for child in nodes[0].children}
        optimizer = nodes[at["optimizer"]]
        if name == "keras2":
            optimizer.slot_variables.add(
                original_variable_node_id=at["factor"],
                slot_name="m",
                slot_variable_node_id=optimizer.children[0].node_id,
            )
        else:
            # A class of objects that says of itself that nothing older may load it, and one kind that is none.
            optimizer.user_object.version.min_consumer = 1000
            optimizer.ClearField("user_object")
            optimizer.children[0].node_id = 100_000
        file.write_bytes(document.SerializeToString())


def _write_half_plus_two(path: str) -> None:
    """As TensorFlow 1 saved it: x / 2 + 2, asked by tensors and, for a class or a value, by serialized examples."""
    import tensorflow.compat.v1 as tf1  # noqa: PLC0415 - as above

    saved = tf1.saved_model
    graph = tf1.Graph()
    with graph.as_default(), tf1.Session() as session:
        half, two = tf1.get_variable("a", initializer=0.5), tf1.get_variable("b", initializer=2.0)
        x = tf1.placeholder(tf1.float32, [None, 1], name="x")
        examples = tf1.placeholder(tf1.string, [None], name="tf_example")
        features = tf1.parse_example(examples, {"x": tf1.FixedLenFeature([1], tf1.float32)})
        value = half * features["x"] + two
        asked = {"inputs": saved.build_tensor_info(examples)}
        told = saved.build_tensor_info(value)
        definitions = {
            "serving_default": saved.predict_signature_def({"x": x}, {"y": half * x + two}),
            "regress_x_to_y": saved.build_signature_def(asked, {"outputs": told}, "tensorflow/serving/regress"),
            "classify_x_to_y": saved.build_signature_def(asked, {"scores": told}, "tensorflow/serving/classify"),
        }
        session.run(tf1.global_variables_initializer())
        builder = saved.Builder(path)
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=definitions)
        builder.add_meta_graph(["serve", "gpu"], signature_def_map=definitions)
        builder.save()


if __name__ == "__main__":
    _write_all(Path(sys.argv[1]))
