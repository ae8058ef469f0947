"""Trains the digit classifier on renderings of the UCI digits as the service would see them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from PIL import Image

from servers.core.images import SIDE, decode_image
from servers.models.catalog import MODELS
from servers.models.datasets import dataset
from servers.models.definitions import StridedCnn
from servers.models.renderings import Rendering, draw, encode

SEED: Final = 20250130
VIEWS: Final = 8
EPOCHS: Final = 12
BATCH: Final = 64
PEAK_RATE: Final = 3e-3
LABEL_SMOOTHING: Final = 0.05
CLASSES: Final = 10
CHANNELS: Final = (3, 8, 16, 32, 48)
SIDES: Final = (56, 27, 13, 6)
"""Side of each convolution's output, in pixels."""

_RESAMPLINGS: Final = (
    Image.Resampling.NEAREST,
    Image.Resampling.BILINEAR,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


def train() -> None:
    """Train from scratch with fixed seeds, and write the float32 weights."""
    tf.random.set_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    rng = np.random.default_rng(SEED)
    pixels, labels = _views(rng)
    net = StridedCnn(_initial_weights(rng), name="digits_cnn")
    _fit(net, pixels, labels, rng)
    numbers = range(1, len(net.STRIDES) + 1)
    arrays = {f"conv{n}_kernel": net.kernels[n - 1].numpy() for n in numbers}
    arrays |= {f"conv{n}_bias": net.biases[n - 1].numpy() for n in numbers}
    arrays |= {"dense_kernel": net.dense_kernel.numpy(), "dense_bias": net.dense_bias.numpy()}
    np.savez(MODELS["digits_cnn"].weights_file, **arrays)


def _initial_weights(rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Normal weights of variance 2 / fan-in, for rectified layers (He et al. 2015, arXiv 1502.01852); zero biases."""
    shapes = {f"conv{n}": (side, side, CHANNELS[n - 1], CHANNELS[n]) for n, side in enumerate((4, 3, 3, 3), start=1)}
    every: dict[str, tuple[int, ...]] = {**shapes, "dense": (SIDES[-1] ** 2 * CHANNELS[-1], CLASSES)}
    weights: dict[str, NDArray[np.float32]] = {}
    for layer, shape in every.items():
        spread = np.sqrt(2.0 / np.prod(shape[:-1]))
        weights[f"{layer}_kernel"] = rng.normal(0.0, spread, shape).astype(np.float32)
        weights[f"{layer}_bias"] = np.zeros(shape[-1], dtype=np.float32)
    return weights


def _views(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Every training digit in several random renderings, decoded by the service: uint8 [n, 224, 224] and labels.

    One channel is kept: the pictures are grey.
    """
    inks, labels = dataset("digits").part(held_out=False)
    pixels = np.empty((VIEWS * len(inks), SIDE, SIDE), dtype=np.uint8)
    for view in range(VIEWS):
        for row, ink in enumerate(inks):
            rendering = _random_rendering(rng)
            picture = _jolted(draw(ink, rendering), rng) if view else draw(ink, rendering)
            pixels[view * len(inks) + row] = decode_image(encode(picture, rendering))[..., 0]
        print(f"digits_cnn: view {view + 1} of {VIEWS} drawn", flush=True)
    return pixels, np.tile(labels, VIEWS)


def _random_rendering(rng: np.random.Generator) -> Rendering:
    """A rendering with a side of 28 to 512 pixels, small ones as likely as large ones."""
    return Rendering(
        side=round(float(np.exp(rng.uniform(np.log(28), np.log(512))))),
        format="JPEG" if rng.random() < 0.5 else "PNG",
        mode="RGB" if rng.random() < 0.5 else "L",
        resample=_RESAMPLINGS[rng.integers(len(_RESAMPLINGS))],
        quality=int(rng.integers(85, 96)),
    )


def _jolted(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """The picture turned (12 degrees at most), scaled (12 %), sheared and shifted a little."""
    angle, shear = rng.uniform(-0.21, 0.21), rng.uniform(-0.15, 0.15)
    zoom = rng.uniform(0.88, 1.12, size=2)
    turn = np.array([[np.cos(angle), np.sin(angle) + shear], [-np.sin(angle), np.cos(angle)]]) / zoom
    centre = np.full(2, picture.width / 2)
    offset = centre - turn @ (centre + rng.uniform(-0.08, 0.08, size=2) * picture.width)
    matrix = (turn[0, 0], turn[0, 1], offset[0], turn[1, 0], turn[1, 1], offset[1])
    return picture.transform(picture.size, Image.Transform.AFFINE, tuple(map(float, matrix)), Image.Resampling.BILINEAR)


def _fit(net: StridedCnn, pixels: NDArray[np.uint8], labels: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Adam under a cosine schedule (Kingma and Ba 2015, arXiv 1412.6980; Loshchilov and Hutter 2017, 1608.03983)."""
    variables = net.trainable_variables
    batches = len(labels) // BATCH
    optimizer = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(PEAK_RATE, EPOCHS * batches))
    optimizer.build(variables)

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]  # TensorFlow publishes no types
    def step(grey: Any, label: Any, tint: Any) -> Any:
        # A tint per picture and channel keeps the first layer from resting on one channel alone.
        x = tf.cast(grey, tf.float32)[..., None] * tint[:, None, None, :] / 255.0
        wanted = tf.one_hot(label, CLASSES) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / CLASSES
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, net.forward(x)))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    for epoch in range(EPOCHS):
        started = time.perf_counter()
        losses = [
            float(step(pixels[rows], labels[rows], rng.uniform(0.7, 1.0, (BATCH, 3)).astype(np.float32)))
            for rows in _shuffled(len(labels), rng)
        ]
        took_s = time.perf_counter() - started
        print(
            f"digits_cnn: epoch {epoch + 1} of {EPOCHS}, loss {np.mean(losses):.4f}, {took_s:.1f} s",
            flush=True,
        )


def _shuffled(count: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """Row numbers of one epoch's whole batches, in random order."""
    order = rng.permutation(count)
    for start in range(0, count - BATCH + 1, BATCH):
        yield order[start : start + BATCH]
