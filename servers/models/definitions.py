"""The models in raw TensorFlow operations, with the committed weights in their variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from servers.models.catalog import MODELS

Weights = Mapping[str, NDArray[np.float32]]


class AffineRegression(tf.Module):  # type: ignore[misc]  # TensorFlow publishes no types
    """Least squares, y = x w + b, on features in their own physical units.

    Weights: `kernel` [features, 1], `bias` [1].
    """

    def __init__(self, weights: Weights, *, name: str) -> None:
        super().__init__(name=name)
        self.kernel = tf.Variable(weights["kernel"], dtype=tf.float32, name="kernel")
        self.bias = tf.Variable(weights["bias"], dtype=tf.float32, name="bias")

    def forward(self, x: Any) -> Any:
        """Predictions float32 [N, 1] for features float32 [N, features]."""
        return tf.add(tf.matmul(x, self.kernel), self.bias)


class StridedCnn(tf.Module):  # type: ignore[misc]  # TensorFlow publishes no types
    """Four strided convolutions and one dense layer: 224 x 224 x 3 pixels in [0, 1] to ten logits.

    Strides in place of pooling, and a first layer of disjoint 4 x 4 patches, keep it near 3.3 million multiply-adds an
    image: little enough that the serving around the model stays visible in a measurement.

    Weights: `conv{1..4}_kernel` [h, w, in, out], `conv{1..4}_bias` [out], `dense_kernel` [1728, 10], `dense_bias` [10].
    """

    STRIDES: Final = (4, 2, 2, 2)

    def __init__(self, weights: Weights, *, name: str) -> None:
        super().__init__(name=name)
        numbers = range(1, len(self.STRIDES) + 1)
        self.kernels = [tf.Variable(weights[f"conv{n}_kernel"], name=f"conv{n}_kernel") for n in numbers]
        self.biases = [tf.Variable(weights[f"conv{n}_bias"], name=f"conv{n}_bias") for n in numbers]
        self.dense_kernel = tf.Variable(weights["dense_kernel"], name="dense_kernel")
        self.dense_bias = tf.Variable(weights["dense_bias"], name="dense_bias")

    def forward(self, x: Any) -> Any:
        """Logits float32 [N, 10] for pixels float32 [N, 224, 224, 3]."""
        for kernel, bias, stride in zip(self.kernels, self.biases, self.STRIDES, strict=True):
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, strides=stride, padding="VALID"), bias))
        flat = tf.reshape(x, [-1, self.dense_kernel.shape[0]])
        return tf.add(tf.matmul(flat, self.dense_kernel), self.dense_bias)


def load(name: str) -> AffineRegression | StridedCnn:
    """The model of that catalog name with its committed weights. Raises KeyError for an unknown name."""
    with np.load(MODELS[name].weights_file) as weights:
        arrays = dict(weights)
    return StridedCnn(arrays, name=name) if name == "digits_cnn" else AffineRegression(arrays, name=name)
