"""The native table: its data, how what a target does is told in words, and how a changed row is found."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import native_table as divergence
from conformance.case import Case
from conformance.cases import CASES, select
from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.native_table import DIVERGENCES
from conformance.observation import SEVERITIES, Behaviour, Observation
from conformance.servers_own import is_servers_own
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


def test_the_page_begins_with_what_it_comes_to() -> None:
    """The first sentence counts the rows in which some framework ends in a 500; five of the worst stand above all."""
    text = PAGE.read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    failed = sum(bool(re.search(r"\b500 ", " ".join(cells[3:6]))) for cells in rows)
    assert f"**Of {len(rows)} requests to the tutorial code, {failed} end in a 500 and " in text
    worst = text[text.index("## The five worst") : text.index("## F01")]
    named = re.findall(r"^\| ([FA]\d+) \| .* \| `([\w-]+)` \|", worst, re.MULTILINE)
    assert len(dict(named)) == 5
    kind = re.search(r"^\| ([a-z0-9 ]+) \| [1-9]\d* \|$", text, re.MULTILINE)
    assert kind
    first = next(line for line in worst.splitlines() if re.match(r"\| [FA]\d", line))
    assert f" | {kind[1]} | " in first


def test_a_changed_row_is_found_and_a_new_version_alone_is_not() -> None:
    """A row that changes is printed before and after; another version without another row is no change."""
    old = _page(bottle="500 JSON", version="1")
    assert changed(old, _page(bottle="500 JSON", version="2")) == []
    lines = changed(old, _page(bottle="502 JSON", version="2"))
    assert [line[0] for line in lines] == ["-", "+"]
    assert "500 JSON" in lines[0]
    assert "502 JSON" in lines[1]


def _answer(status: int, body: bytes, kind: str = "application/json") -> HttpExchange:
    headers = (("Content-Type", kind), ("Content-Length", str(len(body))))
    return HttpExchange(
        answers=(HttpAnswer(status=status, headers=headers, body=body, keep_alive=True),), fate=Fate.KEPT
    )


@pytest.mark.parametrize(
    ("case_id", "exchange", "behaviour", "text"),
    [
        ("predict-number", _answer(200, b'{"prediction":1.5}'), Behaviour.RIGHT, "200 {prediction}"),
        ("predict-number", _answer(200, b'{"prediction":1.5}\n'), Behaviour.FORM, "200 {prediction} (line feed)"),
        (
            "predict-number",
            _answer(200, b'{"prediction":NaN}'),
            Behaviour.WRONG_ANSWER,
            "200 with NaN or Infinity, which is no JSON",
        ),
        ("predict-number", _answer(400, b"<p>", "text/html; charset=x"), Behaviour.REFUSED, "400 HTML"),
        ("predict-number", _answer(500, b"{}"), Behaviour.SERVER_ERROR, "500 JSON"),
        ("json-nan", _answer(200, b'{"prediction":1.5}'), Behaviour.ACCEPTED, "200 {prediction}"),
        ("json-nan", _answer(415, b"", "text/plain"), Behaviour.OTHER_ERROR, "415 empty"),
        ("json-nan", _answer(400, b"<p>", "text/html"), Behaviour.ERROR_BODY, "400 HTML"),
        (
            "predict-echo-name",
            _answer(400, b'{"error":"zq7marker"}'),
            Behaviour.ERROR_BODY,
            "400 JSON, repeats the input",
        ),
        ("json-nan", HttpExchange(answers=(), fate=Fate.TIMED_OUT), Behaviour.HANGS, "hangs"),
        ("json-nan", HttpExchange(answers=(), fate=Fate.CLOSED), Behaviour.DROPPED, "closed without an answer"),
    ],
)
def test_an_observation_is_told_in_stable_words(
    case_id: str, exchange: HttpExchange, behaviour: Behaviour, text: str
) -> None:
    """What is seen is told by its kind, without figures, so that it reads alike on every machine."""
    from conformance.checks import check  # noqa: PLC0415
    from conformance.observation import observed  # noqa: PLC0415

    (case,) = select(ids=[case_id])
    seen = observed(case, exchange, check(case.expects, exchange, method="POST"))
    assert (seen.behaviour, seen.text) == (behaviour, text)


def test_outcomes_are_ordered_as_severities_are() -> None:
    """An behaviour that is worse in the table is never less severe."""
    weights = [SEVERITIES[behaviour] for behaviour in Behaviour if behaviour in SEVERITIES]
    assert weights == sorted(weights)


def _plain_answer(status: int, body: bytes, **headers: str) -> HttpAnswer:
    pairs = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    pairs |= {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpAnswer(status=status, headers=tuple(pairs.items()), body=body, keep_alive=True)


def _exchange(answer: HttpAnswer | None, fate: Fate = Fate.KEPT, **fields: object) -> HttpExchange:
    answers = () if answer is None else (answer,)
    return replace(HttpExchange(answers=answers, fate=fate), **fields)  # type: ignore[arg-type]


GOOD = _plain_answer(200, b'{"prediction":1.5}')


MALFORMED = b'{"code":"malformed_json","error":"no"}'


@pytest.mark.parametrize(
    ("exchange", "own"),
    [
        (_exchange(_plain_answer(400, b"<html>")), True),
        (_exchange(_plain_answer(413, b"")), True),
        (_exchange(_plain_answer(400, MALFORMED)), False),
        (_exchange(_plain_answer(500, b"<html>")), False),
        (_exchange(_plain_answer(200, b"<html>")), False),
        (_exchange(None, Fate.CLOSED), True),
        (_exchange(None, Fate.RESET), True),
        (_exchange(None, Fate.TIMED_OUT), False),
        (_exchange(None, Fate.REFUSED), False),
        (_exchange(None, Fate.CLOSED, problem="malformed"), False),
    ],
)
def test_servers_own_refusal_is_told(exchange: HttpExchange, own: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """A refusal without the contract's body, or hanging up, is the server's own; a 5xx, a 200 and a hang are not."""
    assert is_servers_own(exchange) is own
