"""Write down what the article's own code does, in Flask, Bottle and FastAPI, on every server."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from commands import values
from experiment.errors import FINDING, OK
from servers.repository import REPOSITORY

EPILOG: Final = """\
examples:
  python3 bench.py natives                      write docs/native.md anew
  python3 bench.py natives --check              exit 1, with the rows, where it would change
  python3 bench.py natives --out elsewhere.md

exit codes: 0 written, or nothing would change; 1 a row would change; 3 a target could not be started
"""

PAGE: Final = REPOSITORY / "docs" / "native.md"

_FRAMEWORKS: Final = {"Flask": "flask-native", "Bottle": "bottle-native", "FastAPI": "fastapi-native"}
"""The columns, each with its target's framework."""

_VERSIONS_OF: Final = (
    "flask",
    "werkzeug",
    "bottle",
    "fastapi",
    "gunicorn",
    "waitress",
    "granian",
    "uvicorn",
    "pillow",
    "numpy",
    "tensorflow",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--check", action="store_true", help="write nothing; say what would change")
    parser.add_argument(
        "--out", type=values.path, default=PAGE, metavar="FILE", help="the page (default: docs/native.md)"
    )


def main(arguments: argparse.Namespace) -> int:
    """Observe, then write or compare."""
    from reports.native_page import changed, versions_line

    text = _page()
    if not arguments.check:
        arguments.out.write_text(text, encoding="utf-8")
        print(f"wrote {arguments.out}")
        return OK
    old = arguments.out.read_text(encoding="utf-8") if arguments.out.exists() else ""
    lines = changed(old, text)
    if not lines:
        print(f"{arguments.out}: nothing would change. {versions_line(text)}")
        return OK
    print("\n".join(lines))
    print(f"{arguments.out}: {len(lines)} lines would change", file=sys.stderr)
    print(f"there:  {versions_line(old)}\nhere:   {versions_line(text)}", file=sys.stderr)
    print("hint: `python3 bench.py natives` writes the page anew; say in the commit what changed it", file=sys.stderr)
    return FINDING


def _page() -> str:
    import tempfile
    from contextlib import suppress
    from importlib.metadata import PackageNotFoundError, version

    from commands.terminal import StandardError
    from conformance.cases import CASES
    from conformance.native_table import DIVERGENCES
    from experiment.built_models import built_models
    from experiment.gating import reference_figures
    from experiment.observing import Observer
    from reports.native_page import page, rows
    from servers.settings import Settings
    from servers.target import grid

    terminal = StandardError()
    by_id = {case.id: case for case in CASES}
    cases = [by_id[name] for one in DIVERGENCES for name in one.cases]
    targets = [one for one in grid() if one.framework in _FRAMEWORKS.values() and one.lacks is None]
    settings = Settings(python=sys.executable, models_dir=built_models(terminal))
    done = 0
    with terminal.bar("Observing") as bar, tempfile.TemporaryDirectory(prefix="titrate-") as logs:

        def told(what: str) -> None:
            nonlocal done
            bar.update(done, len(cases) * len(targets), what)
            done += 1

        observer = Observer(settings=settings, logs=Path(logs), reference=reference_figures())
        seen = observer.observe(targets, cases, told)
    by_framework = {
        name: {one.server: seen[one.id] for one in targets if one.framework == framework}
        for name, framework in _FRAMEWORKS.items()
    }
    versions = {}
    for name in _VERSIONS_OF:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    found = rows(DIVERGENCES, by_id, by_framework)
    return page(found, DIVERGENCES, list(_FRAMEWORKS), list(by_framework["Flask"]), versions)
