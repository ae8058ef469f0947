"""The report in a real browser: what a reader sees and can do, and no serious finding of axe-core.

Skipped with the reason where there is no chromium. Those with axe-core need its axe.min.js too, which `tox -e axe`
fetches and AXE_CORE names. The page is opened as a file with a few lines of script written into it; the answer comes
back in its DOM, so that no driver is needed. The browser has a new profile of its own each time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from synthetic_ladder import Truth as LadderTruth
from synthetic_ladder import write_ladder
from synthetic_run import SCENARIOS, Truth, write_run

from reports.render import render
from servers.repository import REPOSITORY

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
    return Path(named)


@pytest.fixture(scope="module")
def browser() -> str:
    """The browser's path; skips where there is none."""
    found = chromium()
    if found is None:
        pytest.skip("chromium is not installed (Debian's package of that name)")
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, browser: str) -> Path:
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


@pytest.mark.parametrize("width", [TELEPHONE, DESK])
@pytest.mark.parametrize("name", ["every section", "the example"])
def test_a_reader_sees_verdicts_sorts_filters_and_points(page: Path, width: int, name: str) -> None:
    """The verdict's column is in sight, filter and series leave what they say, a point tells its value; all silent."""
    found = looked_at(page if name == "every section" else EXAMPLE, width=width)
    assert found["width"] == width
    assert found["verdict"]["left"] < found["verdict"]["right"] <= width
    assert found["first_cell"]["left"] < width - 60
    assert found["rows"]["all"] > found["rows"]["filtered"] > 0
    assert all("wsgi" in text.lower() for text in found["rows"]["texts"])
    ratios = found["sorted"]
    assert len(ratios) > 3
    assert ratios == sorted(ratios)
    assert re.search(r"\d.*(faster|slower|equivalent|inconclusive)", found["tip"])
    assert found["series"]["without"] == found["series"]["all"] - found["series"]["own"] < found["series"]["all"]
    assert (found["lines"]["before"], found["lines"]["after"]) == (0, found["lines"]["cells"])
    assert found["requests"] == []
    assert found["console"] == []
    assert found["wide"] <= width


def test_the_example_is_no_wall(browser: str) -> None:
    """The example's page is under 10 000 px at a desk, in a file under 3 MiB."""
    assert looked_at(EXAMPLE, width=DESK)["height"] < 10_000
    assert EXAMPLE.stat().st_size < 3 * 2**20


def test_a_noisy_page_is_found_out(page: Path, tmp_path: Path) -> None:
    """A line on the console and a picture from elsewhere are each noticed."""
    loud = tmp_path / "loud.html"
    text = page.read_text().replace("img-src data:", "img-src http: data:")
    loud.write_text(
        text.replace("</main>", '<img src="http://example.invalid/a.png"><script>nothing()</script></main>')
    )
    found = looked_at(loud, width=DESK)
    assert found["requests"] == ["http://example.invalid/a.png"]
    assert any("nothing is not defined" in line for line in found["console"])


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


FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
EXAMPLE = REPOSITORY / "docs" / "example" / "report.html"
DARK = "--blink-settings=preferredColorScheme=0"
TIMEOUT_S = 180
ANSWER = "titrate-answer"
# Everything that is folded is unfolded first: what a reader can open is part of the page.
PROBE = """
addEventListener("load", async () => {
  const loaded_ms = performance.now();
  const wide = document.documentElement.scrollWidth;
  document.querySelectorAll("details").forEach((one) => (one.open = true));
  const table = [...document.querySelectorAll("table.sortable")].find((one) => one.innerText.includes("Requests/s"));
  const sorted = [...(table?.tHead.rows[0].cells ?? [])].map((head, column) => {{
    head.querySelector("button").click();
    return [head.innerText.trim(), [...table.tBodies[0].rows].map((row) => row.cells[column].innerText.trim())];
  }});
  const found = await axe.run(document, { resultTypes: ["violations"] });
  const answer = {
    loaded_ms, wide, width: innerWidth, dark: matchMedia("(prefers-color-scheme: dark)").matches,
    wide_unfolded: document.documentElement.scrollWidth,
    sorted: Object.fromEntries(sorted),
    requests: performance.getEntriesByType("resource").map((one) => one.name),
    findings: found.violations.map((one) => ({
      id: one.id, impact: one.impact, help: one.help, nodes: one.nodes.map((node) => node.html.slice(0, 200)),
    })),
  };
  parent.postMessage(JSON.stringify(answer), "*");
});
"""
# Before everything else, so that nothing is said or asked for unheard.
LISTEN = """
const console_lines = [];
for (const name of ["log", "info", "warn", "error", "debug"])
  console[name] = (...said) => console_lines.push(said.join(" "));
addEventListener("error", (event) => console_lines.push(event.message || `not loaded: ${event.target.src}`), true);
addEventListener("securitypolicyviolation", (event) => console_lines.push(`refused: ${event.blockedURI}`));
"""
LOOK = """
addEventListener("load", () => {
  const box = (one) => (({ left, right }) => ({ left, right }))(one.getBoundingClientRect());
  const visible = (one) => one.getBoundingClientRect().width > 0;
  const height = document.documentElement.scrollHeight, wide = document.documentElement.scrollWidth;
  const first_cell = box(document.querySelector(".verdicts tbody tr:not(.group) td"));
  document.querySelectorAll("details").forEach((one) => (one.open = true));
  const region = document.querySelector('[aria-label="All comparisons"]');
  const heads = [...region.querySelectorAll("thead th")];
  const named = (text) => heads.findIndex((one) => one.innerText.includes(text));
  const verdict = box(heads[named("Verdict")]);
  const rows = [...region.querySelectorAll("tbody tr")];
  heads[named("Ratio")].querySelector("button").click();
  const ratios = [...region.querySelectorAll("tbody tr")].map((row) => row.cells[named("Ratio")].dataset.value);
  const sorted = ratios.filter(Boolean).map(Number);
  const input = document.querySelector('input[aria-label="Filter rows: All comparisons"]');
  input.value = "wsgi";
  input.dispatchEvent(new Event("input"));
  const left = rows.filter(visible);
  const point = document.querySelector(".plot-ratios [data-tip]");
  point.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 100, clientY: 100 }));
  const tip = document.getElementById("tip");
  const figure = document.getElementById("figure-throughput"), chip = figure.querySelector("button[aria-pressed]");
  const shown = () => [...figure.querySelectorAll("svg [data-series]")].filter(visible), series = () => shown().length;
  const all = series(), own = shown().filter((one) => one.dataset.series === chip.textContent).length;
  chip.click();
  const cells = [...document.querySelectorAll("[data-from]")];
  const seen = () => cells.filter((one) => getComputedStyle(one).display !== "none").length;
  const before = seen();
  document.getElementById("lines").click();
  parent.postMessage(JSON.stringify({
    width: innerWidth, height, wide, first_cell, verdict, sorted,
    rows: { all: rows.length, filtered: left.length, texts: left.map((row) => row.innerText) },
    tip: visible(tip) ? tip.innerText : "",
    series: { all, own, without: series() },
    lines: { before, after: seen(), cells: cells.length },
    requests: performance.getEntriesByType("resource").map((one) => one.name),
    console: console_lines,
  }), "*");
});
"""
# A browser's window cannot be as narrow as a telephone; a frame in it can.
FRAME = """<!doctype html>
<html lang="en"><head><title>frame</title><script>
addEventListener("message", (message) => {{
  const place = document.createElement("pre");
  place.id = "{answer}";
  place.textContent = message.data;
  document.body.append(place);
}});
</script></head><body style="margin:0"><iframe title="page" src="page.html" width="{width}" height="900"
style="border:0"></iframe></body></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What one look at a page found. `findings` are axe-core's violations; `requests` the addresses it asked for."""

    findings: list[dict[str, Any]]
    requests: list[str]
    loaded_ms: float
    width: int
    wide: int
    wide_unfolded: int
    dark: bool
    sorted: dict[str, list[str]]
    """The table of throughputs, sorted by each of its columns in turn: the column's texts in that order."""

    def grave(self) -> list[dict[str, Any]]:
        """The findings that axe-core calls serious or critical."""
        return [one for one in self.findings if one["impact"] in ("serious", "critical")]


def chromium() -> str | None:
    """The browser's path; None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def looked_at(page: Path, *, width: int) -> dict[str, Any]:
    """What a reader sees and can do on `page` at that width, in CSS pixels."""
    return answer_of(page, f"<script>{LISTEN}</script><script>{LOOK}</script>", width=width)


def audit(page: Path, axe_core: Path, *, width: int, dark: bool = False) -> Audit:
    """Open `page` at that width, in CSS pixels, and let axe-core look at it."""
    probe = f"<script>{axe_core.read_text(encoding='utf-8')}</script><script>{PROBE}</script>"
    return Audit(**answer_of(page, probe, width=width, dark=dark))


def answer_of(page: Path, probe: str, *, width: int, dark: bool = False) -> dict[str, Any]:
    """What `probe`, written into the page's head, posts to the frame around it. Raises RuntimeError without it."""
    browser = chromium()
    if browser is None:
        raise RuntimeError("there is no chromium")
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="titrate-browser-") as profile:
        probed = Path(profile, "page.html")
        probed.write_text(text.replace("<head>", f"<head>{probe}", 1), encoding="utf-8")
        frame = Path(profile, "frame.html")
        frame.write_text(FRAME.format(answer=ANSWER, width=width), encoding="utf-8")
        command = [browser, *FLAGS, f"--user-data-dir={profile}/profile", f"--window-size={max(width, 500)},900"]
        command += [DARK] if dark else []
        command += ["--virtual-time-budget=60000", "--dump-dom", frame.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    answer = re.search(rf'<pre id="{ANSWER}">(.*?)</pre>', done.stdout, re.DOTALL)
    if answer is None:
        raise RuntimeError(f"the page gave no answer: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(unescape(answer[1]))
    return found
