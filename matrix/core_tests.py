"""Which tests are the core's: those that need neither the load generator nor what draws.

Every file is named here or in `ELSEWHERE`, so that a new one is not left out of the matrix by oversight;
tests/matrix/test_matrix.py says so where one is in neither.
"""

from __future__ import annotations

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
            "hidden",
            "jpeg_draft",
            "launch",
            "lite",
            "modes",
            "payloads",
            "quality",
            "saved_models",
            "user_model_endpoint",
        )
    ),
)

HARNESS_TESTS: Final = (
    *(
        f"tests/loadtests/test_{name}.py"
        for name in ("arrival", "connection", "loop", "generator", "search", "trial", "resources", "ladder_suite")
    ),
    *(f"tests/reports/test_{name}.py" for name in ("page", "statistics", "export")),
)
"""Tests of the load generator and the report: what they are built on needs lower bounds too."""
