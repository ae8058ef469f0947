"""The conformance cases without a server: each adapter over the served models, under the validator of PEP 3333."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from commands.fuzz import apps
from conformance.case import Case, Expectation
from conformance.cases import CASES
from conformance.expect import PREDICT, get
from conformance.finding import CaseVerdict
from conformance.http_request import Framing, HttpRequest
from conformance.parity import differences
from conformance.session import Session
from conformance.wsgi_connection import WsgiConnection, environment, expressible
from experiment.gating import reference_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.core.service import Service

EXPRESSIBLE = [case for case in CASES if expressible(case)]


def _repeat(case_id: str) -> list[str]:
    return ["python", "-m", "pytest", f"tests/conformance/test_wsgi_connection.py::test_case[{case_id}]"]


def _session(name: str, app: Any) -> Session:
    return Session(
        base_url="", target=name, reference=reference_figures(), connect=partial(WsgiConnection, app), repeat=_repeat
    )


@pytest.fixture(name="sessions", scope="module")
def _sessions(served: Service) -> list[Session]:
    return [_session(name, app) for name, app in apps(served).items()]


@pytest.mark.parametrize("case", EXPRESSIBLE, ids=lambda case: case.id)
def test_case(sessions: list[Session], case: Case) -> None:
    """Each framework is right in the case, the three are alike, and none breaks PEP 3333."""
    findings = [session.run(case) for session in sessions]
    wrong = [finding for finding in findings if finding.verdict is not CaseVerdict.RIGHT]
    assert not wrong
    answers = {session.target: {case.id: session.answers[case.id]} for session in sessions if case.parity}
    assert not answers or differences(answers) == []


def test_nearly_every_case_is_expressible() -> None:
    """Only what is about bytes on a wire is left to the sockets."""
    assert len(EXPRESSIBLE) >= 0.9 * len(CASES)
    with pytest.raises(ValueError, match="no WSGI environment"):
        environment(HttpRequest(raw=b"GET / HTTP/1.1\r\n\r\n"))


def _broken(fault: str) -> Any:
    good = b'{"status":"alive"}'

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if fault == "raises":
            raise RuntimeError("no answer")
        length = str(len(good) + 1) if fault == "length" else str(len(good))
        kind: Any = ["application/json"] if fault == "header" else "application/json"
        write = start_response("200 OK", [("Content-Type", kind), ("Content-Length", length)])
        if fault == "writes":
            write(good)
            return []
        return [good] if environ["REQUEST_METHOD"] == "GET" or fault == "head" else []

    return app


@pytest.mark.parametrize(
    ("fault", "method", "said"),
    [
        ("raises", "GET", "no answer"),
        ("length", "GET", "Content-Length 19 before a body of 18 bytes"),
        ("header", "GET", "AssertionError"),
        ("writes", "GET", "never write"),
        ("head", "HEAD", "nothing after the answer"),
    ],
)
def test_broken_callable_is_wrong(fault: str, method: str, said: str) -> None:
    """What no server would show as it is - an exception, a breach of PEP 3333, a lying length - is wrong here."""
    case = Case(
        id="service-alive",
        proves="A GET is answered.",
        clause="PEP 3333",
        endpoint="service",
        request=get("/healthz", method),
        expects=Expectation(status=200),
    )
    assert _session("right", _broken("nothing")).run(case).verdict is CaseVerdict.RIGHT
    finding = _session("broken", _broken(fault)).run(case)
    assert finding.verdict is CaseVerdict.WRONG
    assert said in finding.expected + finding.actual
    assert finding.repeat.endswith("::test_case[service-alive]'")


def test_short_and_chunked_bodies_reach_the_callable() -> None:
    """A body that ends early and one in chunks look as PEP 3333 has them."""
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        seen.append(environ | {"body": environ["wsgi.input"].read()})
        start_response("204 No Content", [])
        return []

    asked = WsgiConnection(app, validated=False)
    asked.ask(replace(PREDICT, declared_length=99), replace(PREDICT, framing=Framing.CHUNKED, target="/%2Fx?a=%20"))
    short, chunked = seen
    assert (short["CONTENT_LENGTH"], short["body"]) == ("99", PREDICT.body)
    assert "CONTENT_LENGTH" not in chunked
    assert (chunked["HTTP_TRANSFER_ENCODING"], chunked["body"]) == ("chunked", PREDICT.body)
    assert (chunked["PATH_INFO"], chunked["QUERY_STRING"]) == ("//x", "a=%20")
