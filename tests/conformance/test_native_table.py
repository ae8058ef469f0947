"""The native table: its data, how an observation is told, and how a changed row is found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import native_table as divergence
from conformance.case import Case
from conformance.cases import CASES, select
from conformance.native_table import DIVERGENCES
from conformance.observation import Behaviour, Observation
from reports.native_page import changed, page, rows

PAGE = Path(__file__).parents[2] / "docs" / "native.md"


NUMBER = select(ids=["predict-number"])[0]


def test_divergences_are_sound() -> None:
    """Every entry has cases that exist, or a reason why it has none, and no case is a row twice."""
    assert divergence.faults(DIVERGENCES, CASES) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"cases": ("no-such-case",)}, "no such case"),
        ({"cases": ()}, "needs cases"),
        ({"untold": "because"}, "needs cases"),
    ],
)
def test_an_unsound_divergence_is_found(change: dict[str, Any], fault: str) -> None:
    """An entry that names no case, or a case that does not exist, is found; and so is one that is there twice."""
    sound = divergence.Divergence(id="X1", what="A thing", cases=("predict-number",))
    assert divergence.faults([sound], CASES) == []
    assert any(fault in line for line in divergence.faults([replace(sound, **change)], CASES))
    assert len(divergence.faults([sound, sound], CASES)) == 2


def test_the_committed_page_has_every_row() -> None:
    """The page in docs has one row for each case of each entry: at least sixty, each with what it means for a user."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\| `[a-z]", line)]
    named = [line.split("`")[1] for line in lines]
    assert named == [name for one in DIVERGENCES for name in one.cases]
    assert len(named) >= 60
    assert all(len(line.split(" | ")) == 8 and line.split(" | ")[7].strip(" |") for line in lines)


def test_the_committed_page_holds_no_address_and_no_time() -> None:
    """Nothing on the page differs from run to run: no address of an object, no port, no duration."""
    assert re.search(r"0x[0-9a-f]{6}|127\.0\.0\.1|localhost:|\d s\b", PAGE.read_text(encoding="utf-8")) is None


def _seen(behaviour: Behaviour, text: str) -> dict[str, Observation]:
    return {NUMBER.id: Observation(case_id=NUMBER.id, behaviour=behaviour, text=text)}


def _page(*, bottle: str, version: str, third: dict[str, dict[str, Observation]] | None = None) -> str:
    one = divergence.Divergence(id="X1", what="A thing", cases=(NUMBER.id,))
    by_id: dict[str, Case] = {NUMBER.id: NUMBER}
    flask = {"gunicorn": _seen(Behaviour.RIGHT, "200"), "dev": _seen(Behaviour.RIGHT, "200")}
    other = {"gunicorn": _seen(Behaviour.RIGHT, "200"), "dev": _seen(Behaviour.SERVER_ERROR, bottle)}
    seen = {"Flask": flask, "Bottle": other, "FastAPI": third or {}}
    return page(rows([one], by_id, seen), [one], list(seen), ["gunicorn", "dev"], {"bottle": version})


def test_servers_that_disagree_are_named() -> None:
    """What differs from server to server is said server by server, and the consequence names the framework."""
    row = next(line for line in _page(bottle="500 JSON", version="1").splitlines() if line.startswith("| `"))
    assert (
        "| 200 (right) | gunicorn: 200 (right); dev: 500 JSON | not installed | server error"
        " | Bottle: A good request fails. |" in row
    )


def test_frameworks_that_fail_alike_are_named_together() -> None:
    """A third framework has its column, its weight, and its name before what two of the three have in common."""
    third = {"uvicorn": _seen(Behaviour.SERVER_ERROR, "500 text")}
    text = _page(bottle="500 JSON", version="1", third=third)
    row = next(line for line in text.splitlines() if line.startswith("| `"))
    assert "| Flask | Bottle | FastAPI |" in text
    assert "| 500 text | server error | Bottle and FastAPI: A good request fails. |" in row


def test_a_changed_row_is_found_and_a_new_version_alone_is_not() -> None:
    """A row that changes is printed before and after; another version without another row is no change."""
    old = _page(bottle="500 JSON", version="1")
    assert changed(old, _page(bottle="500 JSON", version="2")) == []
    lines = changed(old, _page(bottle="502 JSON", version="2"))
    assert [line[0] for line in lines] == ["-", "+"]
    assert "500 JSON" in lines[0]
    assert "502 JSON" in lines[1]
