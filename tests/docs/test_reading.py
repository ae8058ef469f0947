"""The pages for readers: the words of a report are explained, and each plot is told of."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable

import pytest

from reports import gallery
from reports.verdicts import Verdict
from servers.registry import FRAMEWORKS, MODES
from servers.repository import REPOSITORY
from servers.web_servers import SERVERS

DOCS = REPOSITORY / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")
READING = (DOCS / "reading-the-report.md").read_text(encoding="utf-8")
# What stands in a report's headings and notes, and is not an everyday word.
WORDS = (
    *("block", "noise floor", "interval", "ratio", "margin", "family", "baseline", "candidate", "percentile", "RSS"),
    *("service time", "response time", "offered load", "saturated", "promise", "rung", "waterfall", "break-even"),
    *("gate", "parity", "finding", "retrace", "ceiling", "lag", "start-up", "core hour", "twin", "steady", "warm-up"),
    *("matrix", "HDR axis", "journal", "thinned", "closed loop", "open loop", "slice", "trial", "sample", "throughput"),
)


def _unexplained(words: Iterable[str], glossary: str) -> list[str]:
    """The words that no entry of the glossary explains, as its head or within its text."""
    return [word for word in words if not re.search(rf"\b{re.escape(word)}\b", glossary, re.IGNORECASE)]


def test_the_glossary_explains_every_word_of_a_report() -> None:
    """Verdicts, parts of targets and terms of the page are in it; a word that is not would be named."""
    parts = (*Verdict, *FRAMEWORKS, *SERVERS, *MODES)
    assert _unexplained([*map(str, parts), *WORDS], GLOSSARY) == []
    assert _unexplained(["block", "quux"], GLOSSARY) == ["quux"]


@pytest.mark.parametrize("name", gallery.names())
def test_every_plot_is_told_of(name: str) -> None:
    """How to read each plot stands in docs/reading-the-report.md, under the plot's own title."""
    title = importlib.import_module(f"reports.plots.{name}").TITLE
    assert f"| {title} |" in READING
