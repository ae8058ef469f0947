"""Apps that break the contract in one way each, with the exact cases that must go red.

`red` is stated as a rule over the cases: what the fault touches and nothing else, so that a case that cries wolf is
found as surely as one that sleeps.
"""

# ruff: noqa: D101, D102 - a class's name is its fault, and its methods are the seams of ContractApp

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from contract_app import GETS, LIMIT, PROTOBUF, ContractApp, RefusedError

from conformance.case import Case
from conformance.cases import CASES
from conformance.contract import CODES
from conformance.finding import Severity
from conformance.shapes import FLOAT32_SHAPES
from conformance.tensor_messages import tensor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_FILES_OF_CLIENTS: Final = {
    case.id for case in CASES if case.id.startswith("client-") and case.expects.same_as is not None
} - {"client-dotnet-string"}
"""Each is compared with the same picture in base64; the one that is left out is in base64 itself."""

SERVERS_OWN: Final = frozenset(
    {
        "body-endless",
        "body-cut",
        "body-cut-chunks",
        "connection-after-options",
        "form-cut",
        "head-gzip-coding",
        "length-astronomic",
        "length-chunk-cut",
        "length-chunk-size-letters",
        "length-letters",
        "length-list",
        "length-negative",
        "length-other-coding",
        "length-repeated",
        "length-signed",
        "length-underscore",
        "routing-capitalized-method",
        "routing-lower-case-method",
    }
)
"""What waitress decides by itself, so that no app can be wrong in it."""


class UnsortedKeys(ContractApp):
    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()


class TrailingNewline(ContractApp):
    def dumps(self, value: Any) -> bytes:
        return super().dumps(value) + b"\n"


class SpacedJson(ContractApp):
    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, sort_keys=True).encode()


class NanAccepted(ContractApp):
    def constant(self, name: str) -> float:
        return float(name)


class NanAnswered(ContractApp):
    """The article's own fault: an overflow becomes a number that JSON does not have."""

    def figure(self, prediction: np.float32) -> float:
        return float("nan") if prediction == 1 else super().figure(prediction)

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class DuplicatesAccepted(ContractApp):
    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return dict(pairs)


class ByteOrderMarkAccepted(ContractApp):
    def loads(self, body: bytes) -> Any:
        return super().loads(body.removeprefix(b"\xef\xbb\xbf"))


class OffByOne(ContractApp):
    def predict(self, row: list[float]) -> np.float32:
        return super().predict(row) + np.float32(1)

    def classify(self, image: bytes) -> int:
        return super().classify(image) + 1


class SwappedFeatures(ContractApp):
    def predict(self, row: list[float]) -> np.float32:
        return super().predict(row[::-1])


class LongFloats(ContractApp):
    def figure(self, prediction: np.float32) -> float:
        return float(prediction)


class WrappingIgnored(ContractApp):
    """A picture in a form is decoded as if it were another."""

    def unwrapped(self, text: str) -> bytes:
        self._tilt = True
        return super().unwrapped(text)

    def classify(self, image: bytes) -> int:
        tilted, self._tilt = getattr(self, "_tilt", False), False
        return super().classify(image) + tilted


class ServerErrors(ContractApp):
    def refusal(self, error: RefusedError) -> tuple[int, Any]:
        if error.code == "invalid_input":
            return 500, {"code": "internal", "error": "Internal server error"}
        return super().refusal(error)


class Unprocessable(ContractApp):
    def refusal(self, error: RefusedError) -> tuple[int, Any]:
        status, body = super().refusal(error)
        return (422 if error.code == "invalid_input" else status), body


class WrongPointer(ContractApp):
    def invalid(self, _pointer: str, body: bytes) -> RefusedError:
        return super().invalid("/elsewhere", body)


class Echo(ContractApp):
    def invalid(self, pointer: str, body: bytes) -> RefusedError:
        error = super().invalid(pointer, body)
        error.text += f" in {body[:100]!r}"
        return error


class FirstFieldTaken(ContractApp):
    first_part = True


class PartsUnbounded(ContractApp):
    most_parts = 1_000_000


class GateSkipped(ContractApp):
    """No look at what a path is made of, where a body ends or what it may be: the router and the parser decide."""

    def path(self, environ: WSGIEnvironment) -> str:
        return re.sub("/+", "/", super().path(environ)).partition("#")[0].strip("\n \0")

    def read(self, environ: WSGIEnvironment) -> bytes:
        body: bytes = environ["wsgi.input"].read()
        return body


class AnswersSwapped(ContractApp):
    """Under load, who comes second gets the answer of who came first: state that is shared between threads."""

    def __init__(self) -> None:
        super().__init__()
        self._row: list[float] = []
        self._busy = 0

    def predict(self, row: list[float]) -> np.float32:
        self._busy += 1
        self._row = row
        # As long as a model takes; a request that comes meanwhile leaves its own row behind.
        time.sleep(0.002)
        self._busy -= 1
        return super().predict(self._row if len(self._row) == len(row) else row)


class LenientBase64(ContractApp):
    def unwrapped(self, text: str) -> bytes:
        return base64.b64decode(text)


class RowsReversed(ContractApp):
    def predictions(self, rows: list[list[float]], pointer: str, body: bytes) -> list[np.float32]:
        return super().predictions(rows, pointer, body)[::-1]


class FirstRowOnly(ContractApp):
    """A batch is taken for a single row, as an index of `[0]` does."""

    def predictions(self, rows: list[list[float]], pointer: str, body: bytes) -> list[np.float32]:
        return super().predictions(rows[:1], pointer, body)


class Unbounded(ContractApp):
    most_rows = 1_000_000


class TensorsInJson(ContractApp):
    """The answer to a tensor is in JSON, whatever came in."""

    def tensor(self, predictions: list[np.float32]) -> Any:
        return {"predictions": [self.figure(each) for each in predictions]}


class TensorsOfDoubles(ContractApp):
    def tensor(self, predictions: list[np.float32]) -> Any:
        content = np.array(predictions, dtype="<f8").tobytes()
        return tensor(dtype=2, shape=(len(predictions), 1), content=content)


class ContentFitted(ContractApp):
    """A content of another length than the shape's is cut, or filled up with zeros."""

    def content(self, content: bytes, length: int) -> bytes | None:
        return content[:length].ljust(length, b"\0")


class TensorsUnchecked(ContractApp):
    """What float32 cannot hold goes through to the model; a prediction that is no number is then refused as such."""

    def finite(self, values: list[float], _pointer: str, _body: bytes) -> list[float]:
        return values


class ValuesNotRepeated(ContractApp):
    def repeated(self, values: list[float], count: int, name: str) -> list[float]:
        if len(values) != count:
            raise self.invalid(f"/{name}", b"")
        return values


class NoAllow(ContractApp):
    def not_allowed(self, _path: str) -> RefusedError:
        return RefusedError("method_not_allowed")


class UnsortedAllow(ContractApp):
    def allow(self, path: str) -> str:
        return "OPTIONS, HEAD, GET" if path in GETS else "POST, OPTIONS"


class HtmlErrors(ContractApp):
    def rendered(self, status: int, value: Any) -> tuple[str, bytes]:
        if status >= 400:
            return "text/html", b"<!doctype html><title>Refused</title>"
        return super().rendered(status, value)


class CharsetInContentType(ContractApp):
    content_type = "application/json; charset=utf-8"


class BodyInPieces(ContractApp):
    """Says no length, so that the server falls back to chunks."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        def without_length(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
            return start_response(status, [pair for pair in headers if pair[0] != "Content-Length"])

        return super().__call__(environ, without_length)

    def sent(self, body: bytes) -> Iterator[bytes]:
        yield body[:1]
        yield body[1:]


class SlashesMerged(ContractApp):
    def path(self, environ: WSGIEnvironment) -> str:
        return "/" + super().path(environ).lstrip("/")


class BytesDropped(ContractApp):
    def path(self, environ: WSGIEnvironment) -> str:
        return super().path(environ).encode("latin-1").decode("utf-8", "ignore").rstrip("\n")


class CutToLimit(ContractApp):
    def read(self, environ: WSGIEnvironment) -> bytes:
        body: bytes = environ["wsgi.input"].read(LIMIT)
        return body


class MediaTypeIgnored(ContractApp):
    def answer(self, environ: WSGIEnvironment) -> Any:
        tensor = environ.get("CONTENT_TYPE", "").lower().startswith(PROTOBUF)
        if self.path(environ) in ("/predict", "/advanced_predict") and not tensor:
            environ["CONTENT_TYPE"] = "application/json"
        return super().answer(environ)


class Hangs(ContractApp):
    """Waits in one request until the test is over, as a thread does behind a lock that was never released."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def loads(self, body: bytes) -> Any:
        if body == b"[24.5]":
            self.over.wait(10)
        return super().loads(body)


class Poisoned(ContractApp):
    """After one bad input the next request fails."""

    _poisoned = False

    def invalid(self, pointer: str, body: bytes) -> RefusedError:
        self._poisoned = b"[[1],[2,3]]" in body
        return super().invalid(pointer, body)

    def predict(self, row: list[float]) -> np.float32:
        if self._poisoned:
            self._poisoned = False
            raise RefusedError("internal", "Internal server error")
        return super().predict(row)


class Dies(ContractApp):
    """Takes the whole server down with one request."""

    def loads(self, body: bytes) -> Any:
        if body == b'{"feature":NaN}':
            self.kill()
        return super().loads(body)


Rule = Callable[[Case], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A broken app, the cases that it gets wrong, and the worst of its severities."""

    app: type[ContractApp]
    red: Rule
    severity: Severity


def _ids(*names: str) -> Rule:
    return lambda case: case.id in names


def _method(case: Case) -> str:
    return "POST" if case.request is None else case.request.method


def _is_error(case: Case) -> bool:
    return case.expects.status >= 400


def _has_body(case: Case) -> bool:
    return case.expects.status != 204 and _method(case) != "HEAD"


def _tensor(case: Case) -> bool:
    return case.expects.shape == "tensor"


def _json(case: Case) -> bool:
    return _has_body(case) and not _tensor(case)


def _invalid_input(case: Case) -> bool:
    return case.expects.code == "invalid_input"


def _classified(case: Case) -> bool:
    return case.endpoint == "classify" and case.expects.status == 200


FAULTS: Final = (
    Fault(
        app=UnsortedKeys,
        red=lambda case: (_is_error(case) and _has_body(case)) or case.id in ("service-metadata", "service-openapi"),
        severity=Severity.BYTES_ONLY,
    ),
    Fault(app=TrailingNewline, red=_json, severity=Severity.BYTES_ONLY),
    Fault(
        app=SpacedJson,
        red=_json,
        severity=Severity.BYTES_ONLY,
    ),
    Fault(
        app=NanAccepted,
        red=_ids(
            "json-nan",
            "json-infinity",
            "json-minus-infinity",
            "json-nan-elsewhere",
            "classify-json-malformed",
            "batch-nan",
        ),
        severity=Severity.WRONG_2XX,
    ),
    Fault(app=NanAnswered, red=_ids("predict-zero"), severity=Severity.SILENT_WRONG_ANSWER),
    Fault(
        app=DuplicatesAccepted,
        red=_ids("json-duplicate", "json-duplicate-escaped", "json-duplicate-inside"),
        severity=Severity.WRONG_2XX,
    ),
    Fault(app=ByteOrderMarkAccepted, red=_ids("json-byte-order-mark"), severity=Severity.WRONG_2XX),
    Fault(
        app=OffByOne,
        red=lambda case: case.request is None,
        severity=Severity.SILENT_WRONG_ANSWER,
    ),
    Fault(
        app=SwappedFeatures,
        red=lambda case: case.request is None and case.endpoint == "advanced_predict",
        severity=Severity.SILENT_WRONG_ANSWER,
    ),
    Fault(
        app=LongFloats,
        # The line answers zero with 1.0, which is as short in float64.
        red=lambda case: case.expects.shape in FLOAT32_SHAPES and case.id != "predict-zero",
        severity=Severity.BYTES_ONLY,
    ),
    Fault(
        app=WrappingIgnored,
        red=_ids(
            "classify-form",
            "classify-form-other-field",
            "classify-json",
            "classify-json-jpeg",
            "classify-multipart-text",
            "classify-multipart-upper-case",
            "classify-multipart-quoted-boundary",
            # These are compared with a picture in another wrapping.
            "form-long-picture",
            "form-multipart-long-text",
            "form-multipart-empty-filename",
            *_FILES_OF_CLIENTS,
        ),
        severity=Severity.SILENT_WRONG_ANSWER,
    ),
    Fault(
        app=FirstFieldTaken,
        red=_ids(
            "classify-form-repeated",
            "classify-multipart-repeated",
            "form-repeated-unlike",
            "form-multipart-repeated-unlike",
        ),
        severity=Severity.WRONG_2XX,
    ),
    Fault(
        app=PartsUnbounded,
        red=_ids("form-too-many-fields", "form-multipart-too-many-parts"),
        severity=Severity.WRONG_2XX,
    ),
    Fault(
        app=AnswersSwapped,
        red=_ids("concurrency-predict", "concurrency-advanced-predict"),
        severity=Severity.SILENT_WRONG_ANSWER,
    ),
    Fault(
        app=GateSkipped,
        red=_ids(
            "routing-encoded-slash",
            "routing-double-slash",
            "routing-line-feed",
            "routing-nul",
            "routing-space",
            "routing-precedence-413-before-415",
            "head-fragment",
            "length-far-over-limit",
            "body-over-limit",
            "body-chunked-over-limit",
        ),
        severity=Severity.WRONG_2XX,
    ),
    Fault(app=ServerErrors, red=_invalid_input, severity=Severity.SERVER_ERROR),
    Fault(app=Unprocessable, red=_invalid_input, severity=Severity.WRONG_4XX),
    Fault(app=WrongPointer, red=lambda case: case.expects.pointer is not None, severity=Severity.WRONG_4XX),
    Fault(
        app=Echo,
        red=lambda case: _invalid_input(case) and case.expects.marker is not None,
        severity=Severity.WRONG_4XX,
    ),
    Fault(
        app=LenientBase64,
        red=_ids(
            "classify-base64-junk",
            "classify-base64-line-break",
            "classify-base64-url-safe",
            "classify-base64-over-padded",
            "classify-base64-after-padding",
            "classify-base64-raw-plus",
            "classify-base64-multipart",
            "client-columns",
        ),
        severity=Severity.WRONG_2XX,
    ),
    Fault(
        app=RowsReversed,
        red=_ids("batch-figures", "batch-advanced-figures", "protobuf-figures", "protobuf-advanced-figures"),
        severity=Severity.SILENT_WRONG_ANSWER,
    ),
    Fault(
        app=FirstRowOnly,
        red=lambda case: (
            (case.expects.shape in ("numbers", "rows", "tensor") and case.expects.rows != 1)
            or case.id == "batch-largest-float32"
        ),
        severity=Severity.SILENT_WRONG_ANSWER,
    ),
    Fault(
        app=Unbounded,
        red=_ids("batch-over-full", "batch-advanced-over-full", "protobuf-over-full"),
        severity=Severity.WRONG_2XX,
    ),
    Fault(app=TensorsInJson, red=_tensor, severity=Severity.SILENT_WRONG_ANSWER),
    Fault(app=TensorsOfDoubles, red=_tensor, severity=Severity.SILENT_WRONG_ANSWER),
    Fault(
        app=ContentFitted,
        red=_ids(
            "protobuf-short-content", "protobuf-long-content", "protobuf-ragged-content", "protobuf-double-content"
        ),
        severity=Severity.WRONG_2XX,
    ),
    Fault(
        app=TensorsUnchecked,
        red=_ids(
            "protobuf-nan-content",
            "protobuf-infinite-content",
            "protobuf-nan-value",
            "protobuf-infinite-value",
            "protobuf-over-float32",
        ),
        severity=Severity.WRONG_2XX,
    ),
    Fault(app=ValuesNotRepeated, red=_ids("protobuf-repeated-value"), severity=Severity.WRONG_4XX),
    Fault(app=NoAllow, red=lambda case: case.expects.status == 405, severity=Severity.BYTES_ONLY),
    Fault(
        app=UnsortedAllow,
        red=lambda case: case.expects.status in (204, 405),
        severity=Severity.BYTES_ONLY,
    ),
    Fault(
        app=HtmlErrors,
        # Where the case leaves a refusal to the server, a page that is not the contract's is taken for the server's.
        red=lambda case: _is_error(case) and (not case.server_may_refuse or case.expects.status == 415),
        severity=Severity.WRONG_4XX,
    ),
    Fault(
        app=CharsetInContentType,
        red=lambda case: case.expects.status != 204 and not _tensor(case),
        severity=Severity.BYTES_ONLY,
    ),
    # waitress ends even the answer to a HEAD with a last chunk, where no body may be (RFC 9112 section 6.3).
    Fault(app=BodyInPieces, red=lambda case: case.expects.status != 204, severity=Severity.SILENT_WRONG_ANSWER),
    Fault(
        app=SlashesMerged,
        red=_ids("routing-double-slash", "routing-encoded-slash", "head-no-slash"),
        severity=Severity.WRONG_2XX,
    ),
    Fault(
        app=BytesDropped,
        red=_ids("routing-invalid-utf-8", "routing-overlong-utf-8", "routing-line-feed"),
        severity=Severity.WRONG_2XX,
    ),
    Fault(
        app=MediaTypeIgnored,
        red=lambda case: (
            case.expects.status == CODES["unsupported_media_type"]
            and case.endpoint != "classify"
            and case.id not in ("media-gzip", "protobuf-media-gzip")
        ),
        severity=Severity.WRONG_2XX,
    ),
    Fault(
        app=Poisoned,
        red=_ids("recovery-invalid-input-same", "recovery-invalid-input-fresh"),
        severity=Severity.SERVER_ERROR,
    ),
    Fault(
        app=CutToLimit,
        red=_ids(
            "body-over-limit", "body-chunked-over-limit", "length-far-over-limit", "routing-precedence-413-before-415"
        ),
        severity=Severity.WRONG_2XX,
    ),
)
"""Faults that leave the server able to answer the other cases; `Hangs` and `Dies` do not."""
