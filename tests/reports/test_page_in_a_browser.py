"""The report in a real browser: no serious finding of axe-core, no request, nothing wider than a telephone.

`tox -e axe` fetches axe-core; elsewhere AXE_CORE names its axe.min.js, or these are skipped with the reason.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from browser import audit, chromium
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import SCENARIOS, Truth, write_run

from reports.render import render

TRUTH = Truth(
    samples=700,
    scenarios=(*SCENARIOS, "predict@16/instances", "predict~poisson200rps", "predict~poisson400rps"),
    invalid={"wsgi+gunicorn+eager+cpu": "the generator was at 91 % CPU"},
)
TELEPHONE, DESK = 400, 1280


@pytest.fixture(scope="module")
def axe_core() -> Path:
    """axe-core's script; skips where it or the browser is missing."""
    named = os.environ.get("AXE_CORE", "")
    if not named:
        pytest.skip("AXE_CORE names no axe.min.js: `tox -e axe` fetches it")
    if chromium() is None:
        pytest.skip("chromium is not installed (Debian's package of that name)")
    return Path(named)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, axe_core: Path) -> Path:
    """A drawn report with every section."""
    folder = write_ladder(write_run(tmp_path_factory.mktemp("axe") / "run", TRUTH), LadderTruth())
    return render(folder, price_per_core_hour=0.04)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [TELEPHONE, DESK])
def test_a_browser_finds_nothing_serious(page: Path, axe_core: Path, width: int, *, dark: bool) -> None:
    """Unfolded, on light and dark paper, narrow and wide: nothing serious, no request, and no sideways scrolling."""
    found = audit(page, axe_core, width=width, dark=dark)
    print(f"{found.width} px, {'dark' if found.dark else 'light'}: loaded in {found.loaded_ms:.0f} ms")
    assert (found.width, found.dark) == (width, dark)
    assert found.grave() == []
    assert found.requests == []
    assert max(found.wide, found.wide_unfolded) <= found.width


def test_a_click_sorts_a_table(page: Path, axe_core: Path) -> None:
    """By its figures a column runs upwards, thousands and intervals too, and cells without a figure come last."""
    found = audit(page, axe_core, width=DESK).sorted
    for name in ("Requests/s", "95 % interval", "Requests"):
        (texts,) = (values for head, values in found.items() if head.split("\u00a0")[0] == name)
        figures = [re.match(r"[\d.]+", one.replace("\u202f", "")) for one in texts]
        known = [float(one[0]) for one in figures if one]
        assert len(known) > 1
        assert known == sorted(known), name
        assert all(figures[: len(known)]), name


def test_a_page_with_a_fault_is_found_out(page: Path, axe_core: Path, tmp_path: Path) -> None:
    """Pale text, a picture from elsewhere and a table wider than the window are each noticed."""
    broken = tmp_path / "broken.html"
    text = page.read_text().replace("img-src data:", "img-src http: data:")
    wide = '<div style="color:#ccc;background:#fff;width:3000px">pale</div><img src="http://example.invalid/a.png">'
    broken.write_text(text.replace("<main>", f"<main>{wide}", 1))
    found = audit(broken, axe_core, width=DESK)
    assert {"color-contrast", "image-alt"} <= {one["id"] for one in found.grave()}
    assert found.requests == ["http://example.invalid/a.png"]
    assert found.wide > found.width
