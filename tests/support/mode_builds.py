"""The catalog's models in every mode, and a copy of them with one weight changed, for the tests of the modes."""

from __future__ import annotations

import shutil
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from commands.terminal import StandardError
from experiment.built_models import built_models
from servers.core.mode import Built
from servers.core.source import Source, build
from servers.models import build as building
from servers.models import catalog
from servers.models.catalog import MODELS
from servers.models.reference import Weights64, weights64
from servers.registry import MODES

if TYPE_CHECKING:
    from numpy.typing import NDArray

SERVED = [
    pytest.param(mode, marks=pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="needs the extra `lite`"))
    if mode == "lite"
    else mode
    for mode in MODES
]
"""Every mode; where LiteRT is not installed, the one that needs it is skipped."""

LARGEST = {"linear_regression": "kernel", "advanced_regression": "kernel", "digits_cnn": "conv4_kernel"}
"""In which array of each model the largest weight is changed."""


@cache
def saved_models() -> Path:
    """Where the SavedModels of the committed weights lie, built where they are missing."""
    return built_models(StandardError())


@cache
def right(mode: str, name: str) -> Built:
    """A model in a mode, as it is served."""
    return build(mode, Source(model=MODELS[name], folder=saved_models()))


class Planted:
    """Weights, and SavedModels made from them, in which the largest weight of one array is 2 % too large.

    The folder is a copy of the right one, with whatever modes keep there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"
        self.weights_dir = folder / "weights"
        self.weights_dir.mkdir()
        shutil.copytree(saved_models(), self.folder)
        for name, model in MODELS.items():
            weights = dict(_changed(weights64(name), LARGEST[name]))
            np.savez(self.weights_dir / f"{name}.npz", **{key: one.astype(np.float32) for key, one in weights.items()})
            shutil.rmtree(self.folder / model.saved_model)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(catalog, "WEIGHTS_DIR", self.weights_dir)
            for model in MODELS.values():
                building._write(model, self.folder / model.saved_model)

    def source(self, name: str) -> Source:
        """The wrong model."""
        return Source(model=MODELS[name], folder=self.folder)

    def built(self, mode: str, name: str) -> Built:
        """The wrong model in a mode."""
        with pytest.MonkeyPatch.context() as patch:
            # `eager` runs the definition, which reads the weights themselves.
            patch.setattr(catalog, "WEIGHTS_DIR", self.weights_dir)
            return build(mode, self.source(name))

    def weights(self, name: str) -> Weights64:
        """The wrong weights."""
        with np.load(self.weights_dir / f"{name}.npz") as stored:
            return {key: stored[key].astype(np.float64) for key in stored.files}


def _changed(weights: Weights64, array: str) -> dict[str, NDArray[Any]]:
    changed = {name: values.copy() for name, values in weights.items()}
    largest = np.unravel_index(np.argmax(np.abs(changed[array])), changed[array].shape)
    changed[array][largest] *= 1.02
    return changed
