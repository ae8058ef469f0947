"""Schemathesis on the OpenAPI document: no check fails, and a broken answer fails one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from contract_app import serving

from commands.fuzz import FRAMEWORKS, apps, reference
from conformance.fuzzing.schema import SchemaRun, in_process, over_socket

if TYPE_CHECKING:
    from servers.core.service import Service

SEED = 20_260_102
EXAMPLES = 15
KINDS = 14
"""Checks that Schemathesis made when this was written; fewer would mean that some no longer run."""


class _Served:
    """An adapter as `serving` takes it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self._app(environ, start_response)


def _clean(run: SchemaRun) -> None:
    assert run.errors == ()
    assert run.failures == ()
    assert len(run.checks) >= KINDS
    assert run.cases > 100


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_no_check_fails_in_process(served: Service, framework: str) -> None:
    """Every check of Schemathesis holds on every operation of the framework."""
    print(f"seed {SEED}")
    _clean(in_process(apps(served)[framework], reference, seed=SEED, examples=EXAMPLES))


def test_no_check_fails_over_a_socket(served: Service) -> None:
    """The same over HTTP, where the server adds and removes what it likes."""
    with serving(_Served(apps(served)["flask"])) as base_url:
        _clean(over_socket(base_url, reference, seed=SEED, examples=5))


def test_broken_answers_fail_a_check(served: Service) -> None:
    """An answer that is not what the document says, and a refusal of what it allows, are failures."""
    flask = apps(served)["flask"]

    def broken(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/healthz":
            body = b'{"status":"well"}'
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        if environ["PATH_INFO"] == "/predict":
            environ["CONTENT_TYPE"] = "text/plain"
        return flask(environ, start_response)

    failures = "\n".join(in_process(broken, reference, seed=SEED, examples=5).failures)
    assert "GET /healthz: response_schema_conformance" in failures
    assert "POST /predict: positive_data_acceptance" in failures
