"""The outermost WSGI layer, the same for every framework.

It decides what no router may be left to decide alone: which bytes are a path, where a body ends and how long it may
be. Frameworks differ there (dropped bytes, merged slashes, bodies de-chunked twice, parsers with limits of their own);
behind the middleware they see a clean request whose body is whole and in memory.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote
from uuid import uuid4

from servers.core.reply import ApiError, Reply, internal, not_found
from servers.core.request import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REQUEST_KEY: Final = "titrate.request"
"""Where the middleware leaves the core's Request in the WSGI environment."""

MAX_BODY_BYTES: Final = 8 * 1024 * 1024

_DRAIN_BYTES: Final = 2 * MAX_BODY_BYTES
_CHUNK_BYTES: Final = 64 * 1024
_PATH: Final = re.compile(r"/(?:[!-.0-~]+(?:/[!-.0-~]+)*/?)?\Z")
_DIGITS: Final = re.compile(r"[0-9]+\Z")
_COUNTABLE_DIGITS: Final = 18
_REASONS: Final = {404: "404 Not Found", 500: "500 Internal Server Error"}
# Case matters in a method (RFC 9110 section 9.1), yet both routers fold it: "post" would be routed as POST.
_METHOD: Final = re.compile(r"[A-Z]+\Z")
_UNLISTED_METHOD: Final = "UNLISTED"

_log: Final = logging.getLogger("titrate.middleware")


def middleware(app: WSGIApplication) -> WSGIApplication:
    """`app` behind the middleware."""

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            if _PATH.match(_path(environ)) is None:
                return _send(not_found().reply(), environ, start_response)
            _admit(environ)
            return app(environ, start_response)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a bare 500 and the log the traceback
            request_id = uuid4().hex
            _log.exception("request %s failed outside the core", request_id)
            return _send(internal().reply(), environ, start_response)

    return guarded


def _path(environ: WSGIEnvironment) -> str:
    """The path as the client sent it, decoded once: Waitress merges leading slashes in PATH_INFO."""
    path: str = environ.get("PATH_INFO", "")
    target: str = environ.get("REQUEST_URI") or environ.get("RAW_URI") or path
    if target == path or not target.startswith("/"):
        return path
    sent = target.partition("?")[0]
    if "#" in sent:
        # A fragment is no part of a request-target (RFC 9112 section 3.2), yet servers cut it off and go on.
        return ""
    return unquote(sent, "latin-1") if "%" in sent else sent


def _admit(environ: WSGIEnvironment) -> None:
    try:
        body, fault = _read_body(environ)
    except Exception:  # noqa: BLE001 - each server has its own errors for a body that the client broke off
        body, fault = b"", _incomplete("The body ended before its framing said so")
    method = environ["REQUEST_METHOD"]
    if _METHOD.match(method) is None:
        method = environ["REQUEST_METHOD"] = _UNLISTED_METHOD
    # The server has taken the chunks apart already (PEP 3333 leaves that to it); a framework that tries again fails.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    environ[REQUEST_KEY] = Request(
        method=method,
        content_type=environ.get("CONTENT_TYPE", ""),
        content_encoding=environ.get("HTTP_CONTENT_ENCODING", ""),
        body=body,
        fault=fault,
        inference_header_length=environ.get("HTTP_INFERENCE_HEADER_CONTENT_LENGTH", ""),
    )


def _read_body(environ: WSGIEnvironment) -> tuple[bytes, ApiError | None]:
    stream = environ["wsgi.input"]
    declared = environ.get("CONTENT_LENGTH") or ""
    if not declared:
        chunked = environ.get("HTTP_TRANSFER_ENCODING") or environ.get("wsgi.input_terminated")
        if not chunked:
            return b"", None
        body = _read(stream, MAX_BODY_BYTES + 1)
        if len(body) <= MAX_BODY_BYTES:
            return body, None
        _drain(stream, _DRAIN_BYTES)
        return b"", _too_large()
    if _DIGITS.match(declared) is None:
        return b"", _incomplete("Content-Length is not a number of bytes")
    # `int` refuses more than 4300 digits, and what nobody can send need not be told apart.
    length = int(declared) if len(declared) <= _COUNTABLE_DIGITS else 10**_COUNTABLE_DIGITS
    if length > MAX_BODY_BYTES:
        # A client that is cut off while it sends may never read the answer, so a moderate excess is read and dropped.
        if length <= _DRAIN_BYTES:
            _drain(stream, length)
        return b"", _too_large()
    body = _read(stream, length)
    if len(body) < length:
        return b"", _incomplete("The body is shorter than Content-Length says")
    return body, None


def _read(stream: Any, size: int) -> bytes:
    """Up to `size` bytes; a short read is the end only when it is empty."""
    body: bytes = stream.read(size)
    if len(body) == size or not body:
        return body
    parts = [body]
    missing = size - len(body)
    while missing and (part := stream.read(min(missing, _CHUNK_BYTES))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _drain(stream: Any, size: int) -> None:
    while size > 0 and (part := stream.read(min(size, _CHUNK_BYTES))):
        size -= len(part)


def _too_large() -> ApiError:
    return ApiError(status=413, code="body_too_large", text=f"The body is over {MAX_BODY_BYTES} bytes")


def _incomplete(why: str) -> ApiError:
    return ApiError(status=400, code="incomplete_body", text=why)


def _send(reply: Reply, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    length = ("Content-Length", str(len(reply.body)))
    start_response(_REASONS[reply.status], [*reply.headers, length])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]
