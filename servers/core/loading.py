"""From nothing to warm: import TensorFlow, build every model in the target's mode, compare, warm up.

It runs in the process that serves, after any fork: TensorFlow's threads do not survive one (tensorflow#8220).
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core import bicubic
from servers.core.batching import BATCHED
from servers.core.images import Resize, by_pillow
from servers.core.mode import RefusedError
from servers.core.row_counts import PADDED_ROWS
from servers.core.user_model_codec import beside_name
from servers.models.catalog import MODELS
from servers.models.datasets import probes
from servers.models.reference import ATOL, RTOL, reference
from servers.models.user_model import digest_of
from servers.settings import MEMORY

if TYPE_CHECKING:
    from servers.core.mode import Built, ModelCall, Predictor
    from servers.core.source import Source
    from servers.core.user_model_source import UserModelSource
    from servers.models.user_model import UserModel
    from servers.settings import Executor


_FLAGS: Final = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_USE_LEGACY_KERAS",
    *MEMORY,
)

_WARM_RUNS: Final = 20

_ODD_SIZE: Final = 3
"""A batch that no compiled size fits, so that a mode which pads is compared on a padded one too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What requests are answered from: the catalog's models, in `runs` a user's own, and how pictures are resized."""

    predictors: dict[str, Predictor]
    models: dict[str, dict[str, Any]]
    device: str
    startup_s: dict[str, float]
    threads: dict[str, Any]
    retraces: Callable[[], int]
    runs: dict[str, ModelCall] = field(default_factory=dict)
    resize: Resize = by_pillow


def load(
    *,
    mode: str,
    device: str,
    folder: Path,
    intra: int,
    inter: int,
    batch_sizes: tuple[int, ...] = (1,),
    callers: int = 1,
    executor: Executor = "default",
    user_models: dict[str, UserModel] | None = None,
) -> Loaded:
    """Every model of the catalog in `mode`, and a user's own; raises RefusedError where one is wrong or cannot run.

    `batch_sizes` are those that batched models may be served; each is compared and run before the first request.
    `callers` are the threads that may call at once; a model that is batched has only one, the executor.
    """
    started = time.perf_counter()
    # TensorFlow's import is a measured part of start-up.
    from servers.core.source import Source, build  # noqa: PLC0415
    from servers.core.user_model_source import UserModelSource, build_user_model  # noqa: PLC0415

    threads = _configure(device=device, intra=intra, inter=inter)
    imported = time.perf_counter()
    sources = {name: Source(model=model, folder=folder, executor=executor) for name, model in MODELS.items()}
    built = {name: build(mode, source) for name, source in sources.items()}
    own = [UserModelSource(name=name, model=model, executor=executor) for name, model in (user_models or {}).items()]
    for one in own:
        _refuse_changed(one)
    runs = {one.name: build_user_model(mode, one) for one in own}
    resize = bicubic.compiled()
    loaded = time.perf_counter()
    errors: dict[str, float] = {}
    for name, source in sources.items():
        sizes = {*built[name].warm_sizes, *(batch_sizes if name in BATCHED else (1,))}
        # Images come one a request; the rows of a regression's batch are padded.
        sizes |= set() if source.model.takes_pictures else set(PADDED_ROWS)
        errors[name] = compare(source, built[name], sizes)
        _warm(source, built[name])
        built[name].reserve(1 if name in BATCHED and len(batch_sizes) > 1 else callers)
    for one in own:
        errors[one.name] = one.compare(runs[one.name])
        one.warm(runs[one.name], _WARM_RUNS)
        runs[one.name].reserve(callers)
    warmed = time.perf_counter()
    devices = {name: one.device() for name, one in built.items()}
    devices |= {name: one.device() for name, one in runs.items()}
    require_device(device, devices)
    # What is alive now lives as long as the process; without this a full collection walks all of TensorFlow's objects
    # and stalls a request for a quarter of a second.
    gc.collect()
    gc.freeze()
    counters = [*(one.traces for one in built.values()), *(one.traces for one in runs.values())]
    traces_when_ready = sum(count() for count in counters)
    return Loaded(
        predictors={name: one.predict for name, one in built.items()},
        models={
            name: {
                "digest": model.digest,
                "largest_error": errors[name],
                "rtol": RTOL,
                "atol": ATOL,
                "settings": dict(built[name].settings),
            }
            for name, model in MODELS.items()
        }
        | {
            one.name: {
                "digest": one.model.digest,
                "signature": one.model.signature.to_json(),
                "largest_error": errors[one.name],
                "compared_with": f"its own signature {one.model.signature.name}, mode function",
                "rtol": RTOL,
                "atol": ATOL,
                "settings": dict(runs[one.name].settings),
            }
            for one in own
        },
        device=devices["digits_cnn"],
        startup_s={
            "import_s": round(imported - started, 4),
            "load_s": round(loaded - imported, 4),
            "warm_s": round(warmed - loaded, 4),
        },
        threads=threads | {"executor": executor},
        retraces=lambda: sum(count() for count in counters) - traces_when_ready,
        runs={name: one.predict for name, one in runs.items()}
        | {beside_name(one.name, other): one.beside(other) for one in own for other in one.model.beside},
        resize=resize,
    )


def require_device(device: str, devices: Mapping[str, str]) -> None:
    """Raise RefusedError where a model was computed elsewhere than on `device`, which is `cpu` or `gpu`.

    `devices` are TensorFlow's names of where each model's result lay, not of where it was asked to be.
    """
    misplaced = [name for name, where in devices.items() if f"device:{device}:" not in where.lower()]
    if misplaced:
        raise RefusedError(f"device {device}: {', '.join(misplaced)} ran on {devices[misplaced[0]]}")


def _refuse_changed(source: UserModelSource) -> None:
    if digest_of(source.saved_model) != source.model.digest:
        raise RefusedError(f"{source.saved_model} has changed since it was described; start again")


def compare(source: Source, built: Built[Predictor], sizes: Iterable[int] = (1,)) -> float:
    """The largest absolute error against the float64 reference; raises RefusedError beyond the tolerance.

    Row by row, as requests come, and in every batch size that may be served: a kernel for one row is not the kernel for
    four. What compiles for a size does so here.
    """
    rows = probes(source.model.name)
    wanted = reference(source.model.name, source.reference_input(rows))
    worst = 0.0
    indices = [np.array([row]) for row in range(len(rows))]
    # A size above the number of probes takes them again from the first.
    indices += [np.arange(size) % len(rows) for size in {*sizes, _ODD_SIZE} - {1}]
    for chosen in indices:
        answer = built.predict(rows[chosen]).astype(np.float64)
        right = wanted[chosen]
        if answer.shape != right.shape or not np.allclose(answer, right, rtol=RTOL, atol=ATOL):
            raise RefusedError(
                f"model {source.model.name} differs from its float64 reference beyond rtol {RTOL} and atol {ATOL}"
            )
        worst = max(worst, float(np.max(np.abs(answer - right))))
    return worst


def _warm(source: Source, built: Built[Predictor]) -> None:
    """Run what most requests are. Larger sizes were run by the comparison, which is all that a compiler needs."""
    row = probes(source.model.name, 1)
    for _ in range(_WARM_RUNS):
        built.predict(row)


def _configure(*, device: str, intra: int, inter: int) -> dict[str, Any]:
    """Set threads and visible devices, and say what was set.

    Raises RefusedError where the device is not there: soft placement would otherwise compute on the CPU in silence.
    """
    import tensorflow as tf  # noqa: PLC0415 - who counts instructions over a null model imports none

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
