"""Which tests are the core's: those that need neither the load generator nor what draws.

Every file is named here or in `ELSEWHERE`, so that a new one is not left out of the matrix by oversight;
tests/test_matrix.py says so where one is in neither.
"""

from __future__ import annotations

from typing import Final

CORE_TESTS: Final = tuple(
    f"tests/test_{name}.py"
    for name in (
        "adapters",
        "batching",
        "bicubic",
        "conformance_in_process",
        "encodings",
        "forms",
        "given_endpoint",
        "hazards",
        "hidden",
        "jpeg_draft",
        "launch",
        "lite_calls",
        "models_payloads",
        "models_quality",
        "models_saved",
        "modes",
    )
)

HARNESS_TESTS: Final = tuple(
    f"tests/test_{name}.py"
    for name in (
        "loadtests_arrival",
        "loadtests_connection",
        "loadtests_loop",
        "loadtests_process",
        "loadtests_search",
        "loadtests_trials",
        "ladder_suite",
        "reports_page",
        "reports_statistics",
        "export",
    )
)
"""Tests of the load generator and the report: what they are built on needs lower bounds too."""
