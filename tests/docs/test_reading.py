"""The pages for readers: the words of a report are explained, and each plot is told of."""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection, Iterable
from html.parser import HTMLParser

import pytest
from run_views import draw_whole

from reports import plots
from reports.verdicts import Verdict
from servers.registry import FRAMEWORKS, MODES
from servers.repository import REPOSITORY
from servers.web_servers import SERVERS

DOCS = REPOSITORY / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")
READING = (DOCS / "reading-the-report.md").read_text(encoding="utf-8")
WORDED = ("title", "h1", "h2", "h3", "th", "caption", "figcaption", "summary", "dt")
"""The elements whose words name what a page shows."""
CELLS = ("th", "td", "tr", "dt", "dd", "thead", "tbody")
LEFT_OUT = ("script", "style", "svg", "code")
EVERYDAY = frozenset(
    re.findall(
        r"\S+",
        """
        added alive apart audit average bars become begin best better billion bookworm broken but change charged
        clock column compiler cross curve cut dark debian did dot end-to-end ends errors example execution
        explains fastest fewer flags full furthest ghz gib git gnu grey group hatched here higher hollow idle
        implementation kernel largest latency launches left level light linux loading logarithm logical longest
        lower marker marks matters mean metric mhz middle milliseconds much nan neither network notes num off
        orange os packages paired panel peak per physical plot point quick reading refused repeat resources rfc
        ring say searched section segment served setting settings sha shaded shows source table tell ten tenth
        tf throughout titrate took top treatment trust turbo undecided upright usable used usual validity
        variation varied virtualisation wait waited waiting warming whose why wide zero
        """,
    )
)
"""What such words are made of beside terms: English, and what everybody knows who runs a server."""


class Words(HTMLParser):
    """The words of those elements of a page, in small letters."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._within: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Go into an element that tells, or whose text is no prose; a cell ends where the next one begins."""
        del attrs
        if tag in CELLS:
            self._within = [one for one in self._within if one not in CELLS]
        if tag in (*WORDED, *LEFT_OUT):
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave it, and whatever in it was not closed."""
        if tag in self._within:
            del self._within[len(self._within) - 1 - self._within[::-1].index(tag) :]
        if tag == "table":
            self._within = [one for one in self._within if one not in CELLS]

    def handle_data(self, data: str) -> None:
        """Take the words."""
        if self._within and not set(self._within) & set(LEFT_OUT):
            self.found |= set(re.findall(r"[a-z][a-z-]+", data.lower()))


def _unexplained(words: Iterable[str], glossary: str, everyday: Collection[str] = ()) -> list[str]:
    """The words that are not everyday, and that no entry of the glossary explains, as its head or within its text."""
    known = {*re.findall(r"[a-z][a-z0-9-]*", glossary.lower()), *everyday}
    return sorted(
        word
        for word in {word.lower() for word in words}
        if not {word, word.removesuffix("s")} & known and not set(word.split("-")) <= known
    )


@pytest.fixture(name="words", scope="module")
def _words(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The words of a page that shows everything."""
    folder = draw_whole(tmp_path_factory.mktemp("reading") / "run", native=True)
    return Words((folder / "report.html").read_text(encoding="utf-8")).found


def test_the_glossary_explains_every_word_of_a_report(words: set[str]) -> None:
    """Verdicts, parts of targets and the words of every heading, table head and caption are in it, or are everyday."""
    parts = {str(one).replace("-native", "") for one in (*Verdict, *FRAMEWORKS, *SERVERS, *MODES)}
    assert _unexplained(words | parts, GLOSSARY, EVERYDAY) == []
    assert _unexplained(["block", "blocks", "quux", "plain"], GLOSSARY, ["plain"]) == ["quux"]


def test_no_everyday_word_is_on_the_list_in_vain(words: set[str]) -> None:
    """Each is on the page and not in the glossary, so that the list holds no word that nobody needs there."""
    assert sorted(EVERYDAY - words) == []
    assert sorted(EVERYDAY - set(_unexplained(EVERYDAY, GLOSSARY))) == []


def test_a_page_with_a_new_word_is_noticed() -> None:
    """A word of a table's head, a caption or a heading is taken; one that is drawn, code or in a cell, is not."""
    heading = "<h2>One <b>two</b><svg><title>three</title></svg> <code>four</code></h2>"
    page = f"{heading}<table><th>five<td>six</table><style>seven</style>"
    assert Words(page).found == {"one", "two", "five"}


@pytest.mark.parametrize("name", plots.names())
def test_every_plot_is_told_of(name: str) -> None:
    """How to read each plot stands in docs/reading-the-report.md, under the plot's own title."""
    title = importlib.import_module(f"reports.plots.{name}").TITLE
    assert f"| {title} |" in READING
