"""Who is compared with whom: every pair differs in what its axis names, against a baseline named beforehand."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from experiment.compared_pairs import comparisons
from experiment.contender import Contender
from experiment.errors import USAGE, ExpectedError
from experiment.journal_records import TWIN, ComparisonRecord, NotRunRecord, target_of, varied_of
from experiment.line_up import MODEL_TARGETS, PLAN_TARGETS, contenders, left_out
from experiment.planning import plan_experiment
from experiment.progress import Bar
from experiment.run_request import RunRequest
from servers import registry
from servers.registry import FRAMEWORKS

BEFORE = (
    ("framework", "framework", "flask", ("bottle",)),
    ("native", "framework", "flask-native", ("bottle-native",)),
    ("floor", "framework", "wsgi", ("flask", "bottle")),
    ("mode", "mode", "eager", None),
    ("server", "server", "gunicorn", None),
    ("device", "device", "cpu", ("gpu",)),
)
"""Axis, part, baseline and candidates as they once stood by name: what today's plans compare must not change."""


def _pairs(targets: str, **more: object) -> set[tuple[str, str, str]]:
    found = comparisons(contenders("smoke", targets, [], **more), named=True)  # type: ignore[arg-type]
    return {(one.axis, one.baseline, one.candidate) for one in found if one.axis != "noise"}


def _by_name(ours: list[Contender]) -> list[ComparisonRecord]:
    found = []
    for axis, part, baseline, candidates in BEFORE:
        for a in ours:
            for b in ours:
                assert a.target is not None
                assert b.target is not None
                left, right = a.target.parts, b.target.parts
                wanted = candidates is None or right[part] in candidates
                if [name for name in left if left[name] != right[name]] == [part] and left[part] == baseline and wanted:
                    found.append(ComparisonRecord(baseline=a.id, candidate=b.id, axis=axis))
    return found


@pytest.mark.parametrize("plan", PLAN_TARGETS)
def test_a_plan_compares_what_it_always_did(plan: str) -> None:
    """Baselines that the registries declare give each plan's pairs to the letter, and stacks beside them."""
    present = contenders(plan, None, [])
    found = [one for one in comparisons(present, named=False) if one.axis not in ("noise", "stack")]
    assert found == _by_name([one for one in present if one.twin_of is None])


def test_pairs_differ_in_one_part() -> None:
    """Every compared pair differs in exactly the part that its axis names; the first target meets its twin."""
    named = ",".join(PLAN_TARGETS["standard"])
    present = contenders("standard", named, ["a=http://127.0.0.1:1", "b=http://127.0.0.1:2"])
    by_id = {one.id: one for one in present}
    pairs = comparisons(present, named=False)
    assert pairs[0] == ComparisonRecord(baseline=present[0].id, candidate=present[0].id + TWIN, axis="noise")
    assert {"framework", "native", "floor", "mode", "server", "url"} <= {pair.axis for pair in pairs}
    for pair in pairs:
        left, right = by_id[pair.baseline].target, by_id[pair.candidate].target
        if pair.axis in ("noise", "url", "stack"):
            continue
        assert left is not None
        assert right is not None
        differing = [name for name in left.parts if left.parts[name] != right.parts[name]]
        assert differing == [{"floor": "framework", "native": "framework"}.get(pair.axis, pair.axis)]


def test_a_framework_that_was_added_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more file in servers/apps meets Flask where Flask is measured, else whoever was named first."""
    monkeypatch.setitem(FRAMEWORKS, "werkzeug", replace(FRAMEWORKS["flask"], name="werkzeug"))
    flask, bottle, new = (f"{name}+gunicorn+function+cpu" for name in ("flask", "bottle", "werkzeug"))
    assert _pairs("werkzeug,flask") == {("framework", flask, new)}
    assert _pairs("werkzeug,bottle") == {("framework", new, bottle)}
    assert _pairs("wsgi,werkzeug") == {("floor", "wsgi+gunicorn+function+cpu", new)}


def test_a_mode_without_eager_is_held_against_function() -> None:
    """A user's model has no eager mode: the graph is the baseline then; and of others the one named first."""
    ids = {mode: f"flask+gunicorn+{mode}+cpu" for mode in ("frozen", "function", "xla")}
    assert _pairs("flask+gunicorn+xla,flask") == {("mode", ids["function"], ids["xla"])}
    assert _pairs("flask+gunicorn+xla,flask+gunicorn+frozen") == {("mode", ids["xla"], ids["frozen"])}
    assert _pairs("flask+waitress,flask+granian") == {
        ("server", "flask+waitress+function+cpu", "flask+granian+function+cpu")
    }


def test_a_varied_setting_is_an_axis() -> None:
    """The first value is the baseline, and all else is equal: other settings and the framework too."""
    found = _pairs("flask,bottle", vary={"threads": (2, 8, 4), "executor": ("default", "single")})
    threads = [pair for pair in found if pair[0] == "threads"]
    assert len(threads) == 2 * 2 * 2
    for _, baseline, candidate in threads:
        assert "!threads=2!" in baseline
        assert candidate in (baseline.replace("threads=2", "threads=8"), baseline.replace("threads=2", "threads=4"))
    assert len([pair for pair in found if pair[0] == "executor"]) == 2 * 3
    assert len([pair for pair in found if pair[0] == "framework"]) == 2 * 3
    assert _pairs("flask", vary={"threads": (4,)}) == set()


def test_a_stack_of_another_kind_is_compared_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI shares no server with the others, so it meets them as they run: all named, or the usual ones."""
    monkeypatch.setattr(registry, "find_spec", lambda _name: True)
    fastapi = "fastapi-native+uvicorn+function+cpu"
    others = ("bottle+granian+lite+cpu", "flask-native+gunicorn+function+cpu")
    assert _pairs(f"{fastapi},{','.join(others)}") == {("stack", fastapi, one) for one in others}
    planned = [one for one in comparisons(contenders("standard", None, []), named=False) if one.axis == "stack"]
    assert {one.candidate.partition("+")[0] for one in planned} == {
        *("flask", "bottle", "flask-native", "bottle-native")
    }
    assert len(planned) == 4


FLASK = "flask+gunicorn+function+cpu"


def test_a_target_named_twice_is_measured_once() -> None:
    """The same target under a short and a full id is one contender, and its twin the second."""
    assert [one.id for one in contenders("smoke", "flask,flask+gunicorn", [])] == [
        "flask+gunicorn+function+cpu",
        f"flask+gunicorn+function+cpu{TWIN}",
    ]


def test_a_url_must_be_named() -> None:
    """A foreign server without a name has nothing to appear under in the report."""
    with pytest.raises(ExpectedError):
        contenders("smoke", None, ["http://127.0.0.1:1"])


def test_every_value_is_a_contender() -> None:
    """Two targets under two settings of two values each are eight contenders and a twin, each with its own id."""
    found = contenders("smoke", "flask,bottle", [], vary={"threads": (2, 8), "executor": ("default", "single")})
    assert len({one.id for one in found}) == 9
    assert found[0].id == f"{FLASK}!threads=2!executor=default"
    assert found[-1].id == found[0].id + TWIN
    for one in found:
        assert target_of(one.id) == one.target.id
        assert varied_of(one.id) == {name: str(value) for name, value in one.varied.items()}


def test_an_id_is_a_file_name_everywhere() -> None:
    """What sets a setting off stands in no other part of an id, nor is it forbidden in a file's name anywhere."""
    (one, _twin) = contenders("smoke", "flask", [], vary={"threads": (2,)})
    assert not set(one.id) & set('/\\:*?"<>|')
    assert one.id.count("!") == 1


def test_what_is_not_installed_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without FastAPI a plan goes on, and says what installs it; alone it is nothing to run."""
    monkeypatch.setattr(registry, "find_spec", lambda name: None if name == "fastapi" else True)
    reason = "fastapi is not installed; the extra `fastapi` installs it"
    assert NotRunRecord(what="fastapi-native+uvicorn", reason=reason) in left_out("standard", None, [])
    assert not [one for one in contenders("standard", None, []) if "fastapi" in one.id]
    with pytest.raises(ExpectedError, match=reason):
        contenders("smoke", "fastapi-native", [])


def test_choices_that_differ_in_several_parts_are_held_against_one() -> None:
    """Named targets meet Flask on gunicorn as a whole, or the first of them; what one axis compares is not repeated."""
    lite = "bottle+granian+lite+cpu"
    assert ("stack", FLASK, lite) in _pairs(f"bottle+granian,{lite},flask")
    assert _pairs(f"wsgi+granian,{lite},flask+waitress+xla") == {("stack", lite, "flask+waitress+xla+cpu")}
    found = _pairs("flask,bottle,flask+granian+lite,flask+granian")
    assert {pair for pair in found if pair[0] == "stack"} == {("stack", FLASK, "flask+granian+lite+cpu")}
    planned = comparisons(contenders("standard", None, []), named=False)
    assert not [one for one in planned if one.axis == "stack" and "native" not in one.baseline]


@pytest.mark.parametrize("plan", MODEL_TARGETS)
def test_a_plan_of_a_users_model_compares_modes_and_frameworks(plan: str) -> None:
    """Whatever the plan, a SavedModel is asked about in every mode that it may run in, and with both frameworks."""
    refused = {"eager": "a SavedModel holds no Python code to run eagerly"}
    present = contenders(
        plan, ",".join(MODEL_TARGETS[plan]), [], lacks=lambda target: refused.get(target.mode), vary=None
    )
    pairs = comparisons(present, named=True)
    assert {"mode", "framework"} <= {pair.axis for pair in pairs}
    assert {one.candidate.split("+")[2] for one in pairs if one.axis == "mode"} == {"frozen", "xla", "lite"}


class _Heard:
    """A terminal that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def bar(self, _title: str) -> AbstractContextManager[Bar]:
        return nullcontext(self)  # type: ignore[arg-type]

    def update(self, _done: float, _total: float, what: str, _left_s: float | None = None) -> None:
        self.said.append(what)


def test_a_run_that_would_compare_nothing_says_so_beforehand(tmp_path: Path) -> None:
    """Two targets that no axis holds against each other are refused before a folder is made; one alone is told."""
    with pytest.raises(ExpectedError, match=r"this run would compare nothing: .*flask-native") as refused:
        plan_experiment(RunRequest(plan="smoke", targets="flask,flask-native", out=tmp_path / "two"), _Heard())
    assert refused.value.code == USAGE
    assert refused.value.hint
    assert not (tmp_path / "two").exists()
    heard = _Heard()
    plan_experiment(RunRequest(plan="smoke", targets="flask", out=tmp_path / "one"), heard).journal.close()
    assert any("compared with nothing" in line for line in heard.said)
