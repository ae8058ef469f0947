"""Reading what TensorFlow Serving would serve: graph and signatures, and what is found out by asking."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from user_models import user_saved_models

from servers.models import describe
from servers.models.signature import Scale
from servers.models.user_model import Reading, UserModel, UserModelError, checked_folder
from servers.repository import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("tensorflow")


@pytest.fixture(name="read", scope="module")
def _read(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., UserModel]:
    folder = tmp_path_factory.mktemp("read")

    def read(name: str, payload: Any = None, **reading: str) -> UserModel:
        """The description of one of the test's SavedModels, with a payload in JSON or without."""
        out = folder / f"{name}{len(list(folder.iterdir()))}"
        file = None
        if payload is not None:
            file = folder / f"{out.name}.json"
            file.write_text(json.dumps(payload))
        describe._describe(user_saved_models() / name, file, out, Reading(**reading))
        return UserModel.read(out)

    return read


def _said(model: UserModel) -> str:
    return "\n".join(model.statements)


@pytest.mark.parametrize(
    ("name", "reading", "doubled"),
    [
        ("keras2", {}, 2.0),
        ("unknown_object", {}, 2.0),
        ("two_signatures", {"signature": "up"}, 2.0),
        ("two_signatures", {"signature": "down"}, 0.5),
    ],
)
def test_what_python_objects_were_saved_beside_it_does_not_matter(
    read: Callable[..., UserModel], name: str, reading: dict[str, str], doubled: float
) -> None:
    """A SavedModel answers by its graph and signature, be its optimizer's class or its object graph unknown here."""
    model = read(name, {"instances": [3.0]}, **reading)
    assert model.payloads[0].expected == [3.0 * doubled]
    assert describe._refusal("function", model) is None
    assert describe._refusal("frozen", model) is None


def test_a_savedmodel_of_tensorflow_1_is_read_by_its_tags(read: Callable[..., UserModel]) -> None:
    """Half plus two, saved by TensorFlow 1 with two graphs; and tags that it has not are refused with those it has."""
    assert read("half_plus_two", {"instances": [[5.0]]}).payloads[0].expected == [[4.5]]
    assert read("half_plus_two", {"instances": [[5.0]]}, tags="gpu,serve").payloads[0].expected == [[4.5]]
    with pytest.raises(UserModelError, match="no graph with the tags tpu") as refused:
        read("half_plus_two", tags="tpu")
    assert "serve; serve,gpu" in refused.value.hint


@pytest.mark.parametrize("reading", [{}, {"signature": "sideways"}])
def test_signatures_to_choose_from_are_named(read: Callable[..., UserModel], reading: dict[str, str]) -> None:
    """Where none is for serving, or another is asked for, the hint names the option and the signatures."""
    with pytest.raises(UserModelError) as refused:
        read("two_signatures", **reading)
    assert refused.value.hint == "--signature takes one of: down, up"


def test_a_folder_of_versions_is_the_highest_of_them(tmp_path: Path) -> None:
    """As TensorFlow Serving chooses, 10 goes before 9; the file itself stands for its folder."""
    for name in ("9", "10", "notes"):
        (tmp_path / "model" / name).mkdir(parents=True)
    for name in ("9", "10"):
        (tmp_path / "model" / name / "saved_model.pb").touch()
    assert checked_folder(tmp_path / "model") == (tmp_path / "model" / "10").resolve()
    assert checked_folder(tmp_path / "model" / "9" / "saved_model.pb").name == "9"


@pytest.mark.parametrize(
    ("name", "head", "kind", "hint"),
    [
        (
            "mine.keras",
            b"PK\x03\x04",
            "a model of Keras",
            "keras.models.load_model('{path}', compile=False).export('mine_saved_model')",
        ),
        (
            "mine.h5",
            b"\x89HDF\r\n\x1a\n",
            "in HDF5",
            "keras.models.load_model('{path}', compile=False).export('mine_saved_model')",
        ),
        ("mine.hdf", b"\x89HDF\r\n\x1a\n", "in HDF5", "export('mine_saved_model')"),
        ("mine.bin", b"\x1c\0\0\0TFL3", "a model of LiteRT", "name the one that it was made from"),
        ("mine.txt", b"hello", "a file", "name the folder"),
    ],
)
def test_a_model_in_another_form_is_named_with_what_makes_a_savedmodel_of_it(
    tmp_path: Path, name: str, head: bytes, kind: str, hint: str
) -> None:
    """Its first bytes tell what it is, given as a file or as the folder with it; the hint is a command to paste."""
    file = tmp_path / name
    file.write_bytes(head + bytes(8))
    for given in (file, tmp_path) if kind != "a file" else (file,):
        with pytest.raises(UserModelError, match="not a SavedModel") as refused:
            checked_folder(given)
        assert kind in str(refused.value)
        assert hint.format(path=file) in refused.value.hint


@pytest.mark.parametrize(
    ("name", "payload", "says"),
    [
        ("counting", None, "keeps state from call to call"),
        ("counting", None, "AssignAddVariableOp"),
        ("random", {"instances": [[1, 2, 3, 4]]}, "answers to your random"),
        ("random", None, "answers to made-up values were others"),
        ("picky", None, "age is from 18"),
        ("picky", None, "made up from the signature, none could be used"),
        ("distant", {"instances": [[0.5, 0.5, 0.5, 0.5]]}, "answers it with NaN or infinity"),
        ("conv", None, None),
    ],
)
def test_a_refusal_says_on_whose_values_it_rests(
    read: Callable[..., UserModel], name: str, payload: Any, says: str | None
) -> None:
    """Chance and state are named by their operations; values that we made up are not held against the model."""
    if says is None:
        assert "made-up values" in _said(read(name, payload))
        return
    with pytest.raises(UserModelError) as refused:
        read(name, payload)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_made_up_values_that_give_nan_say_nothing_of_the_model(read: Callable[..., UserModel]) -> None:
    """They are left out, and said to be; rows are judged by the others, and NaN beside NaN is no difference."""
    model = read("distant")
    assert "16 were left out: the model answers them with NaN or infinity" in _said(model)
    assert model.signature.independent
    # Half of this row gives NaN: its own answer stays the same, and so rows are independent.
    own = read("distant", {"instances": [[1.2, 1.2, 1.2, 1.2]]})
    assert own.signature.independent
    assert "of your distant" in _said(own)


def test_a_model_that_is_particular_is_asked_with_its_owners_values(read: Callable[..., UserModel]) -> None:
    """Neighbours that are made up and refused are given up for rows of the payload."""
    model = read("picky", {"instances": [20.0, 40.0]})
    assert model.payloads[0].expected == [40.0, 80.0]
    assert model.signature.independent
    assert "values changed" not in _said(model) or "batches of 2" in _said(model)


def test_differences_from_call_to_call_are_measured_and_said(read: Callable[..., UserModel]) -> None:
    """Answers that differ by a millionth are served, with twice that in the tolerance; alike ones have none."""
    shaky, steady = read("shaky"), read("two_inputs")
    assert 1e-8 < shaky.spread < 2e-6
    assert "all checks allow for it" in _said(shaky)
    assert shaky.payloads[0].tolerance > 1e-4 + 2 * shaky.spread
    assert describe._refusal("function", shaky) is None
    assert steady.spread == 0.0
    assert "were alike each time" in _said(steady)


def test_answers_of_different_lengths_are_nested_row_by_row(read: Callable[..., UserModel]) -> None:
    """A ragged output is lists of lists, an empty row is an empty list."""
    model = read("ragged", {"instances": ["a b", "", "c d e"]})
    assert model.payloads[0].expected == [["a", "b"], [], ["c", "d", "e"]]
    assert model.signature.rows == (1, 1024)
    assert not model.signature.batched
    assert describe._refusal("function", model) is None


def test_bfloat16_is_told_as_the_shortest_decimal_that_reads_back(read: Callable[..., UserModel]) -> None:
    """A third in half precision of both kinds; a whole number keeps its point, or it would be an integer."""
    (row,) = read("half", {"instances": [[1, 3, 21, 0]]}).payloads[0].expected
    assert row["y"] == [0.333984, 1.0, 7.0, 0.0]
    assert all(type(each) is float for each in row["y"])
    assert row["z"] == [0.3333, 1.0, 7.0, 0.0]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("0..255", 0.0, 255.0),
        ("0..1", 0.0, 1.0),
        ("-1..1", -1.0, 1.0),
        ("imagenet", -2.1179, 2.2489),
        ("51/2", -25.5, 102),
    ],
)
def test_scales_take_levels_to_where_they_say(text: str, low: float, high: float) -> None:
    """Black and white of the red channel, against the figures that torchvision's normalisation gives."""
    scale = Scale.parse(text)
    ends = (np.array([0.0, 255.0]) - scale.mean[0]) / scale.deviation[0]
    assert ends == pytest.approx([low, high], abs=1e-4)


@pytest.mark.parametrize("text", ["0..2", "1/0", "1,2/3", "nan/1", "", "1/"])
def test_a_scale_that_is_none_is_refused(text: str) -> None:
    """Neither a name nor finite numbers for all channels or for each."""
    with pytest.raises(ValueError, match="MEAN"):
        Scale.parse(text)


def test_a_pictures_scale_is_seen_said_or_lacking_and_never_guessed(read: Callable[..., UserModel]) -> None:
    """A graph that rescales takes levels; one that does not takes no pictures until the user says on which scale."""
    assert read("rescaling").signature.scale == "0..255"
    silent = read("conv")
    assert silent.signature.scale is None
    assert "image/png" not in silent.accepts
    assert "--scale 0..255|0..1|-1..1|imagenet" in _said(silent)
    told = read("conv", scale="-1..1")
    assert told.signature.scale == "-1..1"
    assert "image/png" in told.accepts
    with pytest.raises(UserModelError, match="takes pictures"):
        read("static", scale="0..1")


def test_a_description_ends_with_its_parent(tmp_path: Path) -> None:
    """A harness that is killed while a model is read leaves no process behind."""
    code = (
        "import sys; from pathlib import Path; from commands.terminal import StandardError as T\n"
        "from experiment.user_model_setup import set_up_user_model as s\n"
        f"s(T(), 'mine={user_saved_models() / 'conv'}', None, ['function', 'lite'])\n"
    )
    environment = {**os.environ, "TITRATE_CACHE": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    harness = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    try:
        describing = _until(lambda: _describers(tmp_path), 60)
        assert describing
    finally:
        harness.send_signal(signal.SIGKILL)
        harness.wait()
    assert _until(lambda: not _describers(tmp_path), 30)


def _until(happens: Callable[[], Any], seconds: float) -> Any:
    end = time.monotonic() + seconds
    while not (found := happens()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def _describers(cache: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"servers.models.describe" in words and any(str(cache).encode() in word for word in words):
            found.append(process.parent.name)
    return found
