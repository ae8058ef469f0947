"""TensorFlow's process-wide settings, fixed before its first operation."""

from __future__ import annotations

import os
from typing import Any, Final

import tensorflow as tf

from servers.core.refused_target import RefusedError
from servers.settings import MEMORY

_FLAGS: Final = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_USE_LEGACY_KERAS",
    *MEMORY,
)


def configure(*, device: str, intra: int, inter: int) -> dict[str, Any]:
    """Set threads and visible devices, and say what was set.

    Raises RefusedError where the device is not there: soft placement would otherwise compute on the CPU in silence.
    """
    tf.config.threading.set_intra_op_parallelism_threads(intra)
    tf.config.threading.set_inter_op_parallelism_threads(inter)
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    else:
        gpus = tf.config.list_physical_devices("GPU")
        if not gpus:
            raise RefusedError("device gpu: TensorFlow sees no GPU here; a machine with a CUDA GPU is needed")
        tf.config.set_soft_device_placement(enabled=False)
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, enable=True)
    return {
        "intra": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter": tf.config.threading.get_inter_op_parallelism_threads(),
        "flags": {name: os.environ[name] for name in _FLAGS if name in os.environ},
    }
