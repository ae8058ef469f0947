"""How targets are said where a setting was varied, and where two stacks are compared whole."""

from __future__ import annotations

from dataclasses import dataclass

from reports import wording


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    id: str
    framework: str | None = "flask"
    server: str | None = "gunicorn"
    mode: str | None = "function"
    device: str | None = "cpu"
    twin_of: str | None = None
    interpreter: str | None = None


FEW, MANY = (_Named(id=f"flask+gunicorn+function+cpu!threads={count}!batch=8") for count in (2, 16))
FASTAPI = _Named(id="fastapi-native+uvicorn+function+cpu", framework="fastapi-native", server="uvicorn")
LITE = _Named(id="bottle+granian+lite+cpu", framework="bottle", server="granian", mode="lite")


def test_variants_are_told_apart_by_what_was_varied() -> None:
    """The compared setting names the two sides, and what else was varied is a condition, as the parts are."""
    assert wording.part_name("threads", MANY) == "threads 16"
    assert wording.conditions("threads", MANY) == "flask, gunicorn, function, cpu, batch 8"
    assert wording.fraction("threads", FEW, MANY, []) == "16 / 2, batch 8"
    assert wording.conditions("framework", MANY) == "gunicorn, function, cpu, threads 16, batch 8"
    assert len(set(wording.labels([FEW, MANY]).values())) == 2


def test_stacks_are_named_whole() -> None:
    """Server and mode belong to what is compared, so they stand in the names and not among the conditions."""
    assert wording.part_name("stack", FASTAPI) == "FastAPI as it comes on uvicorn with the compiled model"
    assert wording.part_name("stack", LITE) == "Bottle on granian with LiteRT"
    assert wording.conditions("stack", LITE) == "cpu"
    assert wording.fraction("stack", FASTAPI, LITE, ["server", "mode"]) == (
        "bottle granian lite / fastapi-native uvicorn function"
    )
    assert "server and mode differ too" in wording.axis_title("stack")
