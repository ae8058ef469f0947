"""The comparison of settings, as a user starts it."""

from __future__ import annotations

import re

import pytest

from servers.settings import Settings
from tuning import threads
from tuning.variants import AXES, variants


def test_every_value_but_the_default_is_a_variant() -> None:
    """Each variant differs from the defaults in its own setting and in nothing else, and no default is among them."""
    defaults = Settings()
    found = variants(defaults, list(AXES))
    assert {one.axis for one in found} == set(AXES)
    assert all(getattr(defaults, axis) in values for axis, values in AXES.items())
    assert len(found) == sum(len(values) - 1 for values in AXES.values())
    for one in found:
        differing = {name for name, value in one.settings.record().items() if value != defaults.record()[name]}
        assert differing == {one.axis}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--axes", "threads,colour"], "'colour' is no setting to tune in mode function\nhint: there are threads"),
        (["--target", "flask+granian+lite", "--axes", "executor"], "'executor' is no setting to tune in mode lite"),
        (["--blocks", "1"], "at least two blocks"),
        (["--target", "flask+x"], "'x' in 'flask+x' is no server"),
        (["--target", "flask-native"], "flask-native takes no settings"),
    ],
)
def test_what_cannot_be_tuned_is_a_usage_error(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line and a hint, and nothing is started."""
    assert threads.main(arguments) == 2
    assert says in capsys.readouterr().err


@pytest.mark.noisy
def test_variants_are_measured_beside_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """Both endpoints get a ratio with its interval for each variant, and the noise beside them."""
    assert threads.main(["--axes", "threads,executor", "--blocks", "2", "--slices", "1", "--users", "4"]) == 0
    shown = capsys.readouterr().out
    for name in ("A/A, the noise", "threads=1", "threads=8", "executor=single"):
        assert len(re.findall(rf"^{re.escape(name)} +\d+ +[0-9.]+ +[0-9.]+ to [0-9.]+$", shown, re.MULTILINE)) == 2
