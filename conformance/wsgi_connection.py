"""The same cases without a socket: a WSGI callable, asked as a server would ask it.

The standard library's validator stands between the two, so that a callable which breaks PEP 3333 is told even where
every server forgives it. What only bytes on a wire can say (malformed framing, a request line that no parser takes)
has no WSGI environment, and such cases are left to the sockets.
"""

from __future__ import annotations

import io
import traceback
import warnings
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.http_request import Framing
from conformance.recipes import build

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from conformance.case import Case
    from conformance.http_request import HttpRequest

_OWN_VARIABLES: Final = frozenset({"content-type", "content-length"})


def expressible(case: Case) -> bool:
    """Whether every request of a case has a WSGI environment: none is bytes as they are, or repeats a header."""
    requests = (*case.before, *case.beside, *([case.request] if case.request else []))
    return not any(request.raw is not None or _repeats(request) for request in requests)


def environment(request: HttpRequest) -> WSGIEnvironment:
    """What a server makes of a request (PEP 3333, RFC 3875 section 4.1), the body in memory.

    A body that is shorter than its declared length ends early, as it does when a client hangs up. Raises ValueError on
    a request that is given as bytes.
    """
    if request.raw is not None:
        raise ValueError("bytes as they are have no WSGI environment")
    body = build(request.body)
    path, _, query = request.target.partition("?")
    variables: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": request.target,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
    }
    if request.content_type is not None:
        variables["CONTENT_TYPE"] = request.content_type
    if request.framing is Framing.CHUNKED:
        # A server takes the chunks apart and says so; the header stays.
        variables |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    elif request.framing is Framing.LENGTH:
        length = len(body) if request.declared_length is None else request.declared_length
        variables["CONTENT_LENGTH"] = str(length)
        body = body[:length]
    else:
        body = b""
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        variables[key if name.lower() in _OWN_VARIABLES else f"HTTP_{key}"] = value
    variables["wsgi.input"] = io.BytesIO(body)
    setup_testing_defaults(variables)
    return variables


def call(app: WSGIApplication, environ: WSGIEnvironment, *, validated: bool = True) -> HttpAnswer:
    """What a callable answers; raises whatever it raises, and AssertionError where it breaks PEP 3333."""
    seen: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _info: Any = None) -> Any:
        seen[:] = [(status, headers)]
        return _no_write

    if validated:
        with warnings.catch_warnings():
            # The validator warns of methods that it does not know; unknown methods are what some cases send.
            warnings.simplefilter("ignore")
            body = _whole(validator(app)(environ, start_response))
    else:
        body = _whole(app(environ, start_response))
    ((status, headers),) = seen
    return HttpAnswer(status=int(status[:3]), headers=tuple(headers), body=body, keep_alive=True)


class WsgiConnection:
    """A WSGI callable behind the face of `Wire`, so that whoever asks a server can ask it.

    Not for several threads. An exception of the callable, a breach of PEP 3333 and a Content-Length that is not the
    body's are problems of the exchange; body bytes where HTTP has none (RFC 9110 sections 9.3.2 and 15.3.5) are its
    surplus.
    """

    def __init__(self, app: WSGIApplication, *, validated: bool = True) -> None:
        self._app = app
        self._validated = validated

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is open."""

    def connects(self) -> bool:
        """A callable is always there."""
        return True

    def ask(self, *requests: HttpRequest) -> HttpExchange:
        """An answer to each request, one after the other. Raises ValueError on bytes as they are."""
        answers: list[HttpAnswer] = []
        surplus = b""
        for request in requests:
            environ = environment(request)
            try:
                answer = call(self._app, environ, validated=self._validated)
            except Exception:  # noqa: BLE001 - a server would answer for it; here it is what the callable did
                return HttpExchange(answers=tuple(answers), fate=Fate.RESET, problem=traceback.format_exc())
            if problem := _length_fault(request.method, answer):
                return HttpExchange(answers=(*answers, answer), fate=Fate.KEPT, problem=problem)
            if _bodiless(request.method, answer):
                surplus += answer.body
            answers.append(answer)
        return HttpExchange(answers=tuple(answers), fate=Fate.KEPT, surplus=surplus)


def _whole(result: Any) -> bytes:
    try:
        return b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()


def _no_write(_data: bytes) -> None:
    raise AssertionError("the contract's apps return their body and never write it")


def _bodiless(method: str, answer: HttpAnswer) -> bool:
    return method == "HEAD" or answer.status in (204, 304)


def _length_fault(method: str, answer: HttpAnswer) -> str | None:
    declared = answer.values("content-length")
    if _bodiless(method, answer) or declared in ((), (str(len(answer.body)),)):
        return None
    return f"Content-Length {', '.join(declared)} before a body of {len(answer.body)} bytes"


def _repeats(request: HttpRequest) -> bool:
    names = [name.lower().replace("-", "_") for name, _ in request.headers]
    return len(set(names)) < len(names) or (request.content_type is not None and "content_type" in names)
