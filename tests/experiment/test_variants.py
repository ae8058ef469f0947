"""`--vary`: what it takes, and what a variant runs under."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment.errors import USAGE, ExpectedError
from experiment.variants import BatchBounds, parsed, settled, variations
from servers.settings import Settings
from servers.target import Target
from servers.varied_settings import VARIABLES

FLASK = Target.parse("flask")
OTHER = {
    "threads": 3,
    "workers": 2,
    "intra_threads": 0,
    "inter_threads": 2,
    "executor": "single",
    "keep_alive_s": 5,
}


@pytest.mark.parametrize(("name", "value"), OTHER.items())
def test_a_variant_differs_in_its_own_setting_and_in_nothing_else(name: str, value: int | str) -> None:
    """All but batching, which needs threads of its own, leave every other setting as it is."""
    base = Settings(models_dir=Path("models"))
    found = settled(FLASK, {name: value}, base, BatchBounds())
    differing = {one for one, said in found.record().items() if said != base.record()[one]}
    assert differing == {name}
    assert getattr(found, name) == value


def test_a_varied_batch_has_the_queue_and_the_threads_that_it_needs() -> None:
    """As with --batch: a request holds its thread while it waits."""
    off, on = (settled(FLASK, {"batch": batch}, Settings(), BatchBounds()) for batch in (0, 8))
    assert off == Settings()
    assert (on.batch, on.queue) == (8, 16)
    assert on.threads > on.batch + on.queue
    assert settled(FLASK, {"queue": 9}, Settings(), BatchBounds(batch=4)).queue == 9


def test_names_have_short_forms_and_values_an_order() -> None:
    """The first value stays the first; what is named twice counts once."""
    assert parsed(["threads=8,2,8", "intra=0,1", "keep-alive=5"]) == {
        "threads": (8, 2),
        "intra_threads": (0, 1),
        "keep_alive_s": (5,),
    }
    assert list(variations({"threads": (8, 2), "batch": (0,)})) == [
        {"threads": 8, "batch": 0},
        {"threads": 2, "batch": 0},
    ]
    assert variations({}) == [{}]


@pytest.mark.parametrize("text", ["port=1", "threads", "threads=0", "threads=1.5", "threads=-1", "batch=33", "=2"])
def test_what_is_no_setting_or_no_value_is_refused(text: str) -> None:
    """Usage, in one line, and the hint names the settings."""
    with pytest.raises(ExpectedError) as refused:
        parsed([text])
    assert refused.value.code == USAGE
    assert all(name in refused.value.hint for name in VARIABLES)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("flask+gunicorn+eager", "executor"),
        ("flask+gunicorn+lite", "inter_threads"),
        ("flask+granian", "keep_alive_s"),
        ("flask+waitress", "workers"),
        ("flask-native+dev", "threads"),
        ("fastapi-native", "batch"),
    ],
)
def test_what_means_nothing_to_a_target_is_refused(target: str, name: str) -> None:
    """It would be two measurements of the same thing under two names."""
    assert VARIABLES[name].refusal(Target.parse(target), Settings())
    with pytest.raises(ExpectedError, match=f"--vary {name} on "):
        settled(Target.parse(target), {name: 1}, Settings(), BatchBounds())


def test_uvicorns_threads_are_the_applications() -> None:
    """FastAPI's pool of threads takes the setting, though it stands in no command line."""
    assert VARIABLES["threads"].refusal(Target.parse("fastapi-native"), Settings()) is None
