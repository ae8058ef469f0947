"""What the core answers: a status, headers and bytes; and the one error body of the contract."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

JSON: Final = "application/json"

_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One answer. `headers` lacks Content-Length, which the adapter's framework or the caller derives from the body."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", JSON),)


class ApiError(Exception):
    """A request that the contract refuses. `text` never repeats what the client sent."""

    def __init__(self, *, status: int, code: str, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.headers = headers

    def reply(self, *, coded: bool = True) -> Reply:
        """This error as the answer on the wire; without its code where another protocol has only the text."""
        code = {"code": self.code} if coded else {}
        body = encode({**code, "error": self.text})
        return Reply(status=self.status, body=body, headers=(("Content-Type", JSON), *self.headers))


def encode(value: Any) -> bytes:
    """JSON as the contract writes it: UTF-8, keys sorted, compact, no newline; raises ValueError on NaN or Infinity."""
    return _ENCODER.encode(value).encode()


def json_reply(value: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status=status, body=encode(value))


def told(description: str, **schema: Any) -> dict[str, Any]:
    """A JSON answer as OpenAPI tells it: an object of this schema."""
    return {"description": description, "content": {JSON: {"schema": {"type": "object", **schema}}}}


def told_status(description: str, status: str) -> dict[str, Any]:
    """`told` of the one answer `{"status": status}`."""
    return told(description, properties={"status": {"const": status}}, required=["status"], additionalProperties=False)


def not_found() -> ApiError:
    """404: no such path."""
    return ApiError(status=404, code="not_found", text="No such path")


def method_not_allowed(allow: str) -> ApiError:
    """405 with the `Allow` that RFC 9110 section 15.5.6 demands."""
    return ApiError(
        status=405, code="method_not_allowed", text=f"Allowed methods: {allow}", headers=(("Allow", allow),)
    )


def unsupported_media_type(accept: str) -> ApiError:
    """415 with an `Accept` that names what would do (RFC 9110 section 15.5.16)."""
    return ApiError(
        status=415,
        code="unsupported_media_type",
        text=f"Supported media types: {accept}",
        headers=(("Accept", accept),),
    )


def invalid_input(pointer: str, rule: str) -> ApiError:
    """400 for input that parses but is not acceptable. `pointer` is a JSON Pointer (RFC 6901), "" for the whole."""
    return ApiError(status=400, code="invalid_input", text=f"Input validation error: {pointer}: {rule}")


def internal() -> ApiError:
    """500, and no more than that: the traceback belongs in the log."""
    return ApiError(status=500, code="internal", text="Internal server error")


def overloaded(retry_after_s: int) -> ApiError:
    """503 with the `Retry-After` after which another try makes sense."""
    return ApiError(
        status=503,
        code="overloaded",
        text="Not ready for requests now",
        headers=(("Retry-After", str(retry_after_s)),),
    )


def deadline_exceeded() -> ApiError:
    """504: the request waited longer than it may, and was dropped before anything was computed for it."""
    return ApiError(status=504, code="deadline_exceeded", text="The request waited too long")
