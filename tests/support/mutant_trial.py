"""One mutant tried: the core with its fault, under each adapter and server, until a case is red."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from wsgi_callers import SERVERS

from conformance.case import Case, Expectation
from conformance.cases import CASES
from conformance.expect import PREDICT, get, post, refused
from conformance.finding import CaseVerdict
from conformance.session import Session
from conformance.wsgi_connection import WsgiConnection, expressible
from servers.server_decisions import HIDDEN

if TYPE_CHECKING:
    from mutants import Mutant

MEMORY: dict[str, list[list[float]]] = {}
"""Predictions of the reference models, told to every trial by the one without a fault: they take most of its time."""

_TIMEOUT_S: Final = 3.0
_LONG: Final = 1_000_000


def _impaired(name: str, proves: str, case: Any, expects: Expectation) -> Case:
    return Case(
        id=name, proves=proves, clause="docs/contract.md#answers", endpoint="predict", request=case, expects=expects
    )


_RETRY: Final = (("Retry-After", "1"),)
_BUSY: Final = Expectation(status=503, code="overloaded", headers=_RETRY)

LOADING: Final = (
    _impaired("loading-predict", "A prediction before the models are warm is 503.", PREDICT, _BUSY),
    _impaired("loading-readyz", "The readiness before the models are warm is 503.", get("/readyz"), _BUSY),
    _impaired(
        "loading-healthz",
        "The process lives before the models are warm.",
        get("/healthz"),
        Expectation(status=200, body=b'{"status":"alive"}'),
    ),
)
BROKEN: Final = (
    _impaired(
        "broken-model",
        "A fault of a model is a bare 500.",
        PREDICT,
        Expectation(status=500, code="internal", body=b'{"code":"internal","error":"Internal server error"}'),
    ),
    _impaired(
        "broken-elsewhere",
        "A fault of a model leaves refusals alone.",
        post("/predict", b"{"),
        refused("malformed_json"),
    ),
)


LATE: Final = (
    _impaired(
        "late-model",
        "A request that waited too long is 504.",
        PREDICT,
        Expectation(status=504, code="deadline_exceeded"),
    ),
)
OUTSIDE: Final = (
    _impaired(
        "outside-get",
        "A fault outside the core is a bare 500.",
        get("/healthz"),
        Expectation(status=500, code="internal", body=b'{"code":"internal","error":"Internal server error"}'),
    ),
    _impaired(
        "outside-head", "A fault outside the core is 500 to HEAD.", get("/healthz", "HEAD"), Expectation(status=500)
    ),
)


class _Planted(MetaPathFinder, Loader):
    """Imports one module from a mutant's text."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = mutant.file.removesuffix(".py").replace("/", ".")
        self._mutant = mutant

    def find_spec(self, fullname: str, _path: Any, _target: Any = None) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname == self._name else None

    def create_module(self, _spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.source, self._mutant.file, "exec"), module.__dict__)  # noqa: S102 - what it is for


def red_case(mutant: Mutant | None, first: Sequence[str]) -> str | None:
    """The first case that is wrong, those in `first` asked first; None where none is. Raises what the import raises."""
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(1000)
    if mutant is not None:
        sys.meta_path.insert(0, _Planted(mutant))
    from reference_service import reference_service  # noqa: PLC0415 - it imports the core, with the mutant in it

    from experiment.gating import reference_figures  # noqa: PLC0415

    figures = reference_figures()
    ordered = _ordered(first)
    red = _red_in_process(mutant, figures, reference_service, ordered)
    if red is not None:
        return red
    with SERVERS["gunicorn"](_raising()) as base_url:
        red = _red(Session(base_url=base_url, target="mutant", timeout_s=_TIMEOUT_S), OUTSIDE)
    if red is not None:
        return red
    for number, (framework, server) in enumerate(_arrangements(mutant)):
        if number:
            # Bodies of megabytes are the same bytes behind every server: once is enough.
            ordered = [case for case in ordered if not _size(case)]
        create_app = import_module(f"servers.apps.{framework}_app").create_app
        for service, cases in ((reference_service(MEMORY), ordered), *_impaired_services(reference_service)):
            with SERVERS[server](create_app(service)) as base_url:
                session = Session(
                    base_url=base_url,
                    target="mutant",
                    reference=figures,
                    timeout_s=_TIMEOUT_S,
                    hidden=HIDDEN.get(server),
                )
                red = _red(session, cases)
            if red is not None:
                return red
    return None


def _red_in_process(mutant: Mutant | None, figures: Any, make: Any, cases: Sequence[Case]) -> str | None:
    """The same without a server, which is quicker, and shows what a server would mend: a body after HEAD, say."""
    for framework in dict.fromkeys(framework for framework, _ in _arrangements(mutant)):
        app = import_module(f"servers.apps.{framework}_app").create_app(make(MEMORY))
        session = Session(base_url="", target="mutant", reference=figures, connect=partial(WsgiConnection, app))
        for case in filter(expressible, cases):
            # What becomes of a connection is nothing that can be told without one.
            if session.run(case).verdict is not CaseVerdict.RIGHT:
                return case.id
    return None


def _red(session: Session, cases: Sequence[Case]) -> str | None:
    """The first of `cases` that is wrong, whatever its level."""
    for case in cases:
        finding = session.run(case)
        if finding.breaks_a_must or finding.verdict in (CaseVerdict.WRONG, CaseVerdict.HARNESS_FAULT):
            return case.id
    return None


def _raising() -> Any:
    """An application behind the middleware that fails where the core does not see it."""
    from servers.core.middleware import middleware  # noqa: PLC0415 - with the mutant in it

    def app(_environ: Any, _start_response: Any) -> Any:
        raise RuntimeError("planted")

    return middleware(app)


def _impaired_services(make: Any) -> Iterator[tuple[Any, tuple[Case, ...]]]:
    loading = make()
    loading.loaded = None
    yield loading, LOADING
    broken = make()

    def fails(_batch: Any) -> Any:
        raise RuntimeError("planted")

    broken.loaded.predictors["linear_regression"] = fails
    yield broken, BROKEN
    late = make()

    def expires(_batch: Any) -> Any:
        from servers.core.reply import deadline_exceeded  # noqa: PLC0415 - with the mutant in it

        raise deadline_exceeded()

    late.loaded.predictors["linear_regression"] = expires
    yield late, LATE


def _ordered(first: Sequence[str]) -> list[Case]:
    """All cases: those in `first`, then short ones, then those of megabytes."""
    rank = {name: at for at, name in enumerate(first)}
    return sorted(CASES, key=lambda case: (rank.get(case.id, len(rank)), _size(case)))


def _size(case: Case) -> int:
    sent = [request for request in (case.request, *case.before) if request is not None]
    return sum(len(request.wire("h")) for request in sent) // _LONG


def _arrangements(mutant: Mutant | None) -> list[tuple[str, str]]:
    """Framework and server: an adapter's own; for the middleware, at the server, both; for the core, any one."""
    if mutant is None:
        return [
            ("wsgi", "gunicorn"),
            ("wsgi", "waitress"),
            ("wsgi", "pieces"),
            ("bottle", "gunicorn"),
            ("flask", "gunicorn"),
        ]
    if mutant.file.startswith("servers/apps/"):
        return [(mutant.file.removeprefix("servers/apps/").removesuffix("_app.py"), "gunicorn")]
    if mutant.file.endswith("middleware.py"):
        return [("wsgi", "gunicorn"), ("wsgi", "waitress"), ("wsgi", "pieces"), ("bottle", "gunicorn")]
    return [("wsgi", "gunicorn")]
