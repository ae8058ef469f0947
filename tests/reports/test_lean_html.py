"""A page with less in it is the same page: a parser that knows HTML's rules finds the same tables in it."""

from __future__ import annotations

from html.parser import HTMLParser

from reports.lean_html import lean

PAGE = """\
<table><thead><tr><th scope="col" class="n">a</th><th aria-label="two words">b</th></tr></thead>
<tbody><tr data-lines="3 4"><th scope="row">x</th>
<td class="n" data-value="1.5e+06">1 <small>of <code class="c">2</code></small></td>
<td class="n failed" title='"'></td></tr></tbody></table><p class="n">after</p>
"""


class _Read(HTMLParser):
    """Start tags with attributes, and texts, in their order; cells end where the next begins."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[object] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag."""
        self.found.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        """A text that is more than spaces."""
        if data.strip():
            self.found.append(data)


def test_the_same_elements_attributes_and_texts_are_read() -> None:
    """Values with spaces or quotes keep their quotes, and only cells and rows are touched."""
    small = lean(PAGE)
    assert _Read(small).found == _Read(PAGE).found
    assert "</td>" not in small
    assert "class=n data-value=1.5e+06>" in small
    assert '<code class="c">' in small
    assert '<p class="n">' in small
    assert 'data-lines="3 4"' in small
