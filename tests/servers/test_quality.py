"""The committed data, weights and the figures stated about them."""

from __future__ import annotations

import json
import sys
from subprocess import run

import numpy as np
import pytest

from servers.models import quality
from servers.models.catalog import METRICS_FILE, MODELS, model_for
from servers.models.datasets import dataset, probes
from servers.models.reference import ATOL, RTOL, reference, reference_with, weights64
from servers.models.renderings import JUDGED, draw
from servers.repository import REPOSITORY

METRICS = json.loads(METRICS_FILE.read_text(encoding="utf-8"))
REGRESSIONS = ("linear_regression", "advanced_regression")


@pytest.mark.parametrize("name", REGRESSIONS)
@pytest.mark.parametrize("side", ["train", "held_out"])
def test_stated_r_squared_holds(name: str, side: str) -> None:
    """The R2 in metrics.json is that of the committed weights on the committed rows."""
    assert quality.r_squared(name, held_out=side == "held_out") == pytest.approx(METRICS[name][f"r2_{side}"], abs=1e-9)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regressions_are_the_least_squares_fit(name: str) -> None:
    """No nearby weights explain the training rows better: every nudge lowers R2 on them."""
    best = quality.r_squared(name, held_out=False)
    for key, values in weights64(name).items():
        for nudge in (0.99, 1.01):
            other = {**weights64(name), key: values * nudge}
            assert quality.r_squared(name, held_out=False, weights=other) < best


def test_blood_pressure_adds_to_body_mass_index() -> None:
    """The second feature explains more of rows that neither model has seen."""
    single, both = (quality.r_squared(name, held_out=True) for name in REGRESSIONS)
    assert both > single > 0


def test_stated_accuracy_holds() -> None:
    """Held-out digits, through real JPEG and PNG files and the service's decoder, are recognised as metrics.json says.

    A digit of tolerance: another version of a codec may turn one that lies on an edge.
    """
    rights = [quality.digits_right(rendering) for rendering in JUDGED]
    stated = METRICS["digits_cnn"]
    assert {len(right) for right in rights} == {stated["held_out_digits"]}
    for right, accuracy in zip(rights, stated["accuracy_by_rendering"].values(), strict=True):
        assert right.mean() == pytest.approx(accuracy, abs=1.5 / len(right))
    assert np.mean(rights) == pytest.approx(stated["accuracy_held_out"], abs=1.5 / stated["held_out_digits"])
    assert min(right.mean() for right in rights) >= 0.97


def test_accuracy_notices_a_net_that_has_lost_a_class() -> None:
    """The accuracy figure falls below what is stated when the classifier can no longer say 7."""
    damaged = {**weights64("digits_cnn")}
    damaged["dense_bias"] = damaged["dense_bias"] - 1000.0 * (np.arange(10) == 7)
    right = quality.digits_right(JUDGED[0], logits=lambda pixels: reference_with(damaged, pixels))
    _, labels = dataset("digits").part(held_out=True)
    assert not right[labels == 7].any()
    assert right[labels != 7].mean() >= 0.97


@pytest.mark.parametrize(("name", "rows"), [("digits", 1797), ("diabetes", 442)])
def test_split_holds_out_a_fifth_and_shares_no_row(name: str, rows: int) -> None:
    """Every row is on one side of the split, and no input of one side is a copy of one on the other."""
    data = dataset(name)
    assert len(data.inputs) == len(data.targets) == len(data.held_out) == rows
    assert data.held_out.mean() == pytest.approx(0.2, abs=0.003)
    if name == "digits":  # two patients may well share their body mass index and blood pressure
        train, held_out = ({ink.tobytes() for ink in data.part(held_out=side)[0]} for side in (False, True))
        assert not train & held_out


def test_digit_is_drawn_light_on_dark_from_edge_to_edge() -> None:
    """Full ink becomes 255 and no ink 0, in the place where the source has it."""
    ink = np.zeros((8, 8), dtype=np.uint8)
    ink[0, 7] = 16
    pixels = np.asarray(draw(ink, JUDGED[3]).convert("L"))
    assert pixels[0, -1] == 255
    assert pixels[-1, 0] == pixels[0, 0] == 0


@pytest.mark.parametrize("name", list(MODELS))
def test_committed_weights_are_small_float32(name: str) -> None:
    """Weights are float32 and below 300 kB, so that they can live in the repository."""
    assert MODELS[name].weights_file.stat().st_size < 300_000
    with np.load(MODELS[name].weights_file) as stored:
        assert {stored[key].dtype for key in stored.files} == {np.dtype(np.float32)}


def test_reference_convolves_as_the_definition_of_convolution_says() -> None:
    """The vectorised reference equals a loop over output positions, written from the definition."""
    rng = np.random.default_rng(7)
    weights = weights64("digits_cnn")
    x = rng.random((1, 224, 224, 3))
    hidden = x[0]
    for number, stride in enumerate((4, 2, 2, 2), start=1):
        kernel, bias = weights[f"conv{number}_kernel"], weights[f"conv{number}_bias"]
        size = len(kernel)
        sides = range(0, len(hidden) - size + 1, stride)
        hidden = np.maximum(
            [
                [np.einsum("hwc,hwck->k", hidden[i : i + size, j : j + size], kernel) + bias for j in sides]
                for i in sides
            ],
            0,
        )
    expected = hidden.ravel() @ weights["dense_kernel"] + weights["dense_bias"]
    np.testing.assert_allclose(reference("digits_cnn", x)[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", list(MODELS))
def test_reference_refuses_a_shape_that_is_not_the_models(name: str) -> None:
    """A transposed or flattened input is an error, not an answer."""
    with pytest.raises(ValueError, match=name):
        reference(name, np.zeros((3, 5)))


@pytest.mark.parametrize("name", list(MODELS))
def test_reference_comparison_detects_one_wrong_weight(name: str) -> None:
    """One weight that is 1 % off, the largest of any array, moves the answer beyond the stated tolerance."""
    probed = probes(name)
    x = probed / 255 if probed.dtype == np.uint8 else probed
    right = reference(name, x)
    for key, values in weights64(name).items():
        wrong = values.copy()
        wrong.flat[np.abs(wrong).argmax()] *= 1.01
        answer = reference_with({**weights64(name), key: wrong}, x)
        assert not np.allclose(answer, right, rtol=RTOL, atol=ATOL), key


def test_catalog_names_a_model_for_each_inference_endpoint() -> None:
    """Each endpoint of the contract that infers has one model, and an unknown endpoint has none."""
    assert [model_for(endpoint).saved_model for endpoint in ("predict", "advanced_predict", "classify")] == [
        "linear_regression_model",
        "my_model",
        "cnn_image_classifier",
    ]
    with pytest.raises(KeyError):
        model_for("healthz")


def test_nothing_but_definitions_and_building_needs_tensorflow() -> None:
    """Payloads, references, the catalog and `is_current` cost no import of TensorFlow."""
    code = (
        "import sys; from servers.models import build, catalog, payloads, quality; "
        "catalog.is_current(catalog.saved_models_dir()); payloads.payloads('classify', 'raw', 2); "
        "print('tensorflow' in sys.modules)"
    )
    done = run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
