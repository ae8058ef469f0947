"""What serves a user's model best, said by rule from verdicts: the winner's name, its factor, and what it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from synthetic_run import Truth, write_run

from experiment.run_folder import read_run
from reports.advice import choices, recommendation, stack_name
from reports.headline import headline
from reports.summarising import summarise
from reports.summary import TargetSummary
from reports.summary.load_rows import ComparisonRow

if TYPE_CHECKING:
    from pathlib import Path

_FLASK, _GRANIAN, _LITE = "flask+gunicorn+function+cpu", "bottle+granian+function+cpu", "bottle+granian+lite+cpu"


def _target(name: str) -> TargetSummary:
    framework, server, mode, device = name.split("+")
    parts: dict[str, Any] = {"framework": framework, "server": server, "mode": mode, "device": device}
    return TargetSummary(id=name, **parts, interpreter=None, twin_of=None, judged=True, settings={}, label=name)


_KNOWN = {name: _target(name) for name in (_FLASK, _GRANIAN, _LITE, "wsgi+gunicorn+function+cpu")}


def _row(candidate: str, ratio: float, verdict: str, *, baseline: str = _FLASK, p: float = 0.001) -> ComparisonRow:
    return ComparisonRow(
        baseline=baseline,
        candidate=candidate,
        axis="stack",
        endpoint="mine",
        scenario="mine@16",
        users=16,
        variant=None,
        arrival="closed",
        load="16",
        metric="throughput",
        ratio=ratio,
        ci95=(ratio * 0.95, ratio * 1.05),
        p_adjusted=p,
        verdict=verdict,
        reason=None,
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [_row(_LITE, 3.1, "faster"), _row(_GRANIAN, 1.2, "faster")],
            "Serve it with Bottle on Granian in LiteRT: 3.1 times Flask on gunicorn (2.9 to 3.3).",
        ),
        (
            [_row(_LITE, 3.1, "inconclusive"), _row(_GRANIAN, 1.2, "faster")],
            (
                "Serve it with Bottle on Granian in mode function: 1.20 times Flask on gunicorn (1.14 to 1.26); "
                "1 of 2 choices undecided."
            ),
        ),
        (
            [_row(_LITE, 0.8, "slower"), _row(_GRANIAN, 1.0, "equivalent")],
            "Serve it with Flask on gunicorn in mode function: nothing that was compared is shown to be faster.",
        ),
        (
            [_row(_LITE, 1.3, "inconclusive"), _row(_GRANIAN, 1.1, "inconclusive")],
            (
                "What serves it best is undecided: Bottle on Granian in LiteRT came out highest, "
                "1.30 times Flask on gunicorn in mode function (1.23 to 1.37)."
            ),
        ),
        # The largest of two is picked: 0.03 for one pair is 0.06 for the pick.
        (
            [_row(_LITE, 1.3, "faster", p=0.03), _row(_GRANIAN, 0.9, "slower")],
            "Serve it with Flask on gunicorn in mode function: nothing that was compared is shown to be faster.",
        ),
    ],
)
def test_the_sentence_follows_from_verdicts(rows: list[ComparisonRow], said: str) -> None:
    """Only a decided difference names a winner, its factor and what it is held against; all else says what is open."""
    base, found = choices(rows, list(_KNOWN.values()), "mine")
    assert base is not None
    assert recommendation(base, found, _KNOWN) == said


def test_every_comparison_is_read_from_the_same_side() -> None:
    """Where a pair's baseline is the other one, its ratio, interval and verdict are turned over."""
    base, rows = choices([_row(_FLASK, 0.5, "slower", baseline=_LITE)], list(_KNOWN.values()), "mine")
    assert base is not None
    assert base.id == _FLASK
    assert (rows[0].candidate, rows[0].ratio, rows[0].verdict) == (_LITE, 2.0, "faster")
    assert rows[0].ci95 == pytest.approx((1 / 0.525, 1 / 0.475))


def test_a_floor_is_no_choice() -> None:
    """Bare WSGI is never recommended, and a part that differs is always named."""
    assert choices([_row("wsgi+gunicorn+function+cpu", 2.0, "faster")], list(_KNOWN.values()), "mine") == (None, [])
    assert stack_name(_KNOWN[_LITE], beside=_KNOWN[_FLASK]) == "Bottle on Granian in LiteRT"


def test_the_report_of_a_users_model_begins_with_it(tmp_path: Path) -> None:
    """A run of ours begins as ever; of a user's model the first words are what to serve it with, and its cost."""
    summary = summarise(read_run(write_run(tmp_path / "run", Truth(samples=40))), None)
    assert not headline(summary).startswith("Serve it with")

    own = headline(replace(summary, model={"name": "predict"}))
    assert own.startswith("Serve it with Bottle on gunicorn in mode function: 1.12 times Flask on gunicorn (1.1")
    assert "It starts in 4." in own
    assert "a million predictions cost" in own
