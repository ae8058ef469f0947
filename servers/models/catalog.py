"""Which models exist, what they take and give, and where their built SavedModels live. Imports no TensorFlow."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from servers.repository import REPOSITORY

HERE: Final = Path(__file__).parent
WEIGHTS_DIR: Final = HERE / "weights"
METRICS_FILE: Final = WEIGHTS_DIR / "metrics.json"
CACHE_VARIABLE: Final = "TITRATE_CACHE"

_IMAGE_RANK: Final = 4

# What a SavedModel is made from: the weights and these two files. The digest covers all of it, so that editing any
# of them makes earlier builds stale.
_SOURCES: Final = (HERE / "definitions.py", HERE / "build.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model under test; shapes leave out nothing: `None` is the batch dimension."""

    name: str
    """Name of the weights file, of the TensorFlow definition and of the reference."""

    endpoint: str
    """The endpoint that serves it, without the slash."""

    saved_model: str
    """Directory name of its SavedModel, as the article loads it."""

    input_shape: tuple[int | None, ...]
    input_dtype: str
    output_shape: tuple[int | None, ...]

    @property
    def takes_pictures(self) -> bool:
        """Whether its input is [rows, height, width, channels]; else it is [rows, features]."""
        return len(self.input_shape) == _IMAGE_RANK

    @property
    def weights_file(self) -> Path:
        """The committed float32 weights, an npz of named arrays."""
        return WEIGHTS_DIR / f"{self.name}.npz"

    @property
    def digest(self) -> str:
        """SHA-256 of the weights file, 64 hex digits."""
        return hashlib.sha256(self.weights_file.read_bytes()).hexdigest()


MODELS: Final = MappingProxyType(
    {
        model.name: model
        for model in (
            Model(
                name="linear_regression",
                endpoint="predict",
                saved_model="linear_regression_model",
                input_shape=(None, 1),
                input_dtype="float32",
                output_shape=(None, 1),
            ),
            Model(
                name="advanced_regression",
                endpoint="advanced_predict",
                saved_model="my_model",
                input_shape=(None, 2),
                input_dtype="float32",
                output_shape=(None, 1),
            ),
            Model(
                name="digits_cnn",
                endpoint="classify",
                saved_model="cnn_image_classifier",
                input_shape=(None, 224, 224, 3),
                input_dtype="float32",
                output_shape=(None, 10),
            ),
        )
    }
)
"""Every model by name, in the order in which the article presents them, regressions before the CNN."""


@cache
def model_for(endpoint: str) -> Model:
    """The model behind an endpoint. Raises KeyError for an endpoint that has none."""
    for model in MODELS.values():
        if model.endpoint == endpoint:
            return model
    raise KeyError(endpoint)


def build_digest() -> str:
    """SHA-256 over the weights of every model and the sources that turn them into SavedModels."""
    whole = hashlib.sha256()
    for file in (*(model.weights_file for model in MODELS.values()), *_SOURCES):
        whole.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def cache_dir() -> Path:
    """Where derived files are kept: `TITRATE_CACHE`, or `.cache` in the repository."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).resolve() if named else REPOSITORY / ".cache"


def saved_models_dir() -> Path:
    """Where the SavedModels of the present weights and definitions belong, built or not.

    The folder's name holds the digest: builds of different weights never meet.
    """
    return cache_dir() / "savedmodels" / build_digest()[:12]


STAMP: Final = "BUILD.json"
"""Written last, into a directory that is then renamed into place: where it stands, the build is whole."""


def is_current(directory: Path) -> bool:
    """Whether the directory holds a whole build of the present weights and definitions. Needs no TensorFlow."""
    try:
        stamp = json.loads((directory / STAMP).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    whole = all((directory / model.saved_model / "saved_model.pb").is_file() for model in MODELS.values())
    return whole and isinstance(stamp, dict) and stamp.get("digest") == build_digest()
