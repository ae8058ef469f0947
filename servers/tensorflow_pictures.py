"""TensorFlow's own decoders of pictures: what the core's are held against, in a process that serves nobody.

`tf.io.decode_image` undoes a JPEG's transform by a fast method that is up to five levels off its own exact one, and
offers no choice; `tf.io.decode_jpeg` does, so for JPEGs that is asked. Both read the same files.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from servers.core.images import decode_image
from servers.core.picture_files import JPEG_SIGNATURE
from servers.core.reply import ApiError


def by_tensorflow(data: bytes, width: int, height: int) -> NDArray[np.uint8] | str:  # noqa: ARG001 - as `by_the_core`
    """Levels [height, width, 3] as TensorFlow has them, or why it refuses."""
    try:
        if data.startswith(JPEG_SIGNATURE):
            levels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
        else:
            levels = tf.io.decode_image(data, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError as refusal:
        return str(refusal)
    decoded: NDArray[np.uint8] = levels.numpy()
    return decoded


def by_the_core(data: bytes, width: int, height: int) -> NDArray[np.uint8] | str:
    """The same as the core has them: at a picture's own size nothing is resampled."""
    try:
        return decode_image(data, width, height)
    except ApiError as refusal:
        return refusal.text
