"""Which tests are the core's: those that need neither the load generator nor what draws.

Every file of tests is named in `CORE_TESTS` or `HARNESS_TESTS`, or in `ELSEWHERE`, by itself or by its folder, with the
reason; tests/matrix/test_core_tests.py names one that is in none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

CORE_TESTS: Final = (
    "tests/conformance/test_wsgi_connection.py",
    *(
        f"tests/servers/test_{name}.py"
        for name in (
            "apps",
            "batching",
            "bicubic",
            "encodings",
            "form_fields",
            "hazards",
            "images",
            "launch",
            "lite",
            "modes",
            "payloads",
            "quality",
            "saved_models",
            "server_decisions",
            "user_model_endpoint",
        )
    ),
)

HARNESS_TESTS: Final = (
    *(
        f"tests/loadtests/test_{name}.py"
        for name in ("arrival", "connection", "loop", "generator", "search", "trial", "resources", "ladder_suite")
    ),
    *(f"tests/reports/test_{name}.py" for name in ("page", "statistics")),
)
"""Tests of the load generator and the report: what they are built on needs lower bounds too."""

ELSEWHERE: Final = {
    **{
        f"tests/{folder}/": reason
        for folder, reason in {
            "architecture": "reads the source, which is the same under every version",
            "commands": "the command line is the harness's own, which runs under the locked versions",
            "deploy": "what it holds to schemas is text; the image has the locked versions",
            "docs": "reads documents",
            "experiment": "what a run is, which the harness does under the locked versions",
            "loadtests": "the load generator: what of it leans on a library's version is in HARNESS_TESTS",
            "matrix": "the matrix's own",
            "reports": "what is drawn: what of it leans on a library's version is in HARNESS_TESTS",
        }.items()
    },
    "tests/conformance/": "holds the suite to account; the suite itself is a part of every examination",
    "tests/servers/test_devices.py": "refusals at the start, which no version of a framework decides",
    "tests/servers/test_hostile.py": "sieges a server for minutes; `stress` does it for longer, and weighs it",
    "tests/servers/test_overload.py": "for a machine that does nothing else",
    "tests/servers/test_model_kinds.py": "models of every kind in every mode, which TensorFlow alone decides",
    "tests/servers/test_model_reading.py": "how a model's file is read, which no version of a framework decides",
    "tests/servers/test_public_models.py": "fetches packages; what it serves, TensorFlow alone decides",
    "tests/servers/test_protocols.py": "clients and stand-ins of the locked versions",
    "tests/servers/test_user_model.py": "a model's signature and its file, which no version of a framework decides",
}
"""Files, and folders with a slash at their end, whose tests no environment of the matrix runs, and why."""


def unplaced(files: Iterable[str], elsewhere: Collection[str] = tuple(ELSEWHERE)) -> list[str]:
    """The files of tests that are named nowhere here."""
    named = {*CORE_TESTS, *HARNESS_TESTS, *elsewhere}
    return sorted(name for name in files if not {name, name[: name.rindex("/") + 1]} & named)
