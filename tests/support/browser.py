"""The report in a headless Chromium: what axe-core finds in it, what it asks the network for, how wide it lies.

The page is opened as a file with axe-core and a few lines of script written into it; the answer comes back in its DOM,
so that no driver is needed. The browser has a new profile of its own each time.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

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


def audit(page: Path, axe_core: Path, *, width: int, dark: bool = False) -> Audit:
    """Open `page` at that width, in CSS pixels, and look at it. Raises RuntimeError where no answer came."""
    browser = chromium()
    if browser is None:
        raise RuntimeError("there is no chromium")
    text = page.read_text(encoding="utf-8")
    probe = f"<script>{axe_core.read_text(encoding='utf-8')}</script><script>{PROBE}</script>"
    with tempfile.TemporaryDirectory(prefix="titrate-browser-") as profile:
        probed = Path(profile, "page.html")
        probed.write_text(text.replace("</head>", f"{probe}</head>", 1), encoding="utf-8")
        frame = Path(profile, "frame.html")
        frame.write_text(FRAME.format(answer=ANSWER, width=width), encoding="utf-8")
        command = [browser, *FLAGS, f"--user-data-dir={profile}/profile", f"--window-size={max(width, 500)},900"]
        command += [DARK] if dark else []
        command += ["--virtual-time-budget=60000", "--dump-dom", frame.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    answer = re.search(rf'<pre id="{ANSWER}">(.*?)</pre>', done.stdout, re.DOTALL)
    if answer is None:
        raise RuntimeError(f"the page gave no answer: {done.stderr[-2000:]}")
    return Audit(**json.loads(unescape(answer[1])))
