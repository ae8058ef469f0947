"""The options of the suite's pytest face."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.documents import read_figures
from conformance.session import Session

_HOW = "pass --base-url http://127.0.0.1:8000; `python3 bench.py serve flask --port 8000` starts such a server"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options that say which server is examined."""
    group = parser.getgroup("conformance")
    group.addoption("--base-url", help="the server to examine, such as http://127.0.0.1:8000")
    group.addoption("--target-name", default="server", help="its name in findings")
    group.addoption("--figures", type=Path, help="reference figures: a JSON object, endpoint to a list of figures")


@pytest.fixture(scope="session")
def session(request: pytest.FixtureRequest) -> Session:
    """The examination of the server at --base-url."""
    base_url = request.config.getoption("--base-url")
    if base_url is None:
        pytest.skip(_HOW)
    figures: Path | None = request.config.getoption("--figures")
    reference = {} if figures is None else read_figures(figures)
    name = request.config.getoption("--target-name")
    made = Session(base_url=base_url, target=name, reference=reference, foreign=True)
    if not made.listens():
        pytest.exit(f"nobody listens at {base_url}", returncode=3)
    return made
