"""Who is measured: targets by name or by plan, in every way of running them."""

from __future__ import annotations

import pytest

from experiment.contender_ids import TWIN, target_of, varied_of
from experiment.errors import ExpectedError
from experiment.line_up import contenders, left_out
from experiment.run_record import NotRunRecord
from servers import registry

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
