"""The comparison with servers of another make, as a user starts it."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from peers import compare, share
from peers.fastapi_server import NAME


def test_too_little_to_pair_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One block has no pairs: exit code 2, and nothing is started."""
    monkeypatch.setattr(compare, "_NEEDED", ())
    assert compare.main(["--blocks", "1"]) == 2
    assert "two blocks" in capsys.readouterr().err


def test_a_missing_peer_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the dependency group the user is told what to install."""
    monkeypatch.setattr(compare, "_NEEDED", ("no_such_distribution",))
    assert compare.main([]) == 2
    assert "no_such_distribution is not installed\nhint: uv sync --group peers" in capsys.readouterr().err


@pytest.mark.noisy
@pytest.mark.skipif(find_spec("fastapi") is None, reason="the dependency group `peers` is not installed")
def test_the_peer_is_measured_beside_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """Every target answers as the reference says, and both endpoints get a ratio and their noise floor."""
    assert compare.main(["--blocks", "2", "--slices", "1", "--users", "4"]) == 0
    shown = capsys.readouterr().out
    assert len(re.findall(rf"{re.escape(compare.OURS[0])} / {re.escape(NAME)}: [0-9.]+ \[", shown)) == 2
    assert len(re.findall(r"A/A noise floor: [0-9.]+ \[", shown)) == 2


def test_a_share_of_too_little_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    """One block has no pairs here either."""
    assert share.main(["--blocks", "1"]) == 2
    assert "two blocks" in capsys.readouterr().err


@pytest.mark.noisy
def test_what_is_served_is_set_beside_the_bare_core(capsys: pytest.CaptureFixture[str]) -> None:
    """Most of a classification is decoding and predicting: HTTP, framework and JSON leave four fifths of the speed."""
    assert share.main(["--blocks", "2", "--slices", "6"]) == 0
    shares = re.findall(r"share of the bare core: ([0-9.]+) \[", capsys.readouterr().out)
    assert len(shares) == len(share.MODES)
    assert all(0.8 < float(one) < 1.2 for one in shares)
