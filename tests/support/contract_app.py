"""A small WSGI app that obeys docs/contract.md, on waitress; `broken_apps` breaks it one fault at a time.

Each method names the heading of that page that it implements.

It is written apart from the project's own servers, so that the suite is tried on something that it was not made with.
Its models are plain: a line, a plane, and a sum of pixels.
"""

# ruff: noqa: D102 - a method's name is the seam that `broken_apps` breaks

from __future__ import annotations

import binascii
import contextlib
import io
import json
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qs, unquote_to_bytes

import numpy as np
from google.protobuf.message import DecodeError
from multipart import MultipartError, MultipartParser, parse_options_header
from PIL import Image, PngImagePlugin
from waitress.server import create_server

from conformance.case import Figure, Reference
from conformance.recipes import DrawnPicture, build
from conformance.tensor_messages import TensorProto, floats, tensor

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

LIMIT: Final = 8 * 1024 * 1024
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
PROTOBUF: Final = "application/x-protobuf"
RAW: Final = ("image/jpeg", "image/png")
GETS: Final = ("/healthz", "/metadata", "/openapi.json", "/readyz")
POSTS: Final = {
    "/advanced_predict": (JSON, PROTOBUF),
    "/classify": (JSON, FORM, *RAW, MULTIPART),
    "/predict": (JSON, PROTOBUF),
}
STATUSES: Final = {
    "malformed_json": 400,
    "malformed_form": 400,
    "malformed_protobuf": 400,
    "incomplete_body": 400,
    "invalid_image": 400,
    "invalid_input": 400,
    "not_found": 404,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "internal": 500,
}
PngImagePlugin.MAX_TEXT_CHUNK = 64 * 1024 * 1024  # contract.md#pictures: what stands beside the pixels has no limit
_ESCAPED: Final = re.compile(rb"(?:[!-$&-~ ]|%[0-9A-Fa-f]{2})*")
_PARAMETER: Final = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')
_PICTURES: Final = tuple(build(DrawnPicture(format="PNG", width_px=side, height_px=side + 1)) for side in (9, 14, 21))


def pixel_class(image: bytes) -> int:
    """The class that the app gives a PNG or JPEG."""
    with Image.open(io.BytesIO(image), formats=("JPEG", "PNG")) as opened:
        width, height = opened.size
        if max(width, height) > 8192 or width * height > 20_000_000:
            raise ValueError("too large")
        pixels = opened.convert("RGB")
        if opened.mode.startswith("I"):
            pixels = opened.convert("I").point(lambda level: level / 257).convert("RGB")
        elif opened.mode == "CMYK" and "adobe" not in opened.info:
            pixels = opened.point(lambda ink: 255 - ink).convert("RGB")
    if image.startswith(b"\x89PNG"):
        check_chunks(image)
    # Losses of a JPEG are no other class: a dozen levels a step.
    return sum(pixels.resize((8, 8)).tobytes()) // 3000 % 10


def check_chunks(image: bytes) -> None:
    """Raises ValueError where a PNG has no end, a wrong checksum, or a critical chunk that nobody knows."""
    at, kind = 8, b""
    while kind != b"IEND":
        kind, (length,) = image[at + 4 : at + 8], struct.unpack(">I", image[at : at + 4])
        content = image[at + 4 : at + 8 + length]
        if image[at + 8 + length : at + 12 + length] != struct.pack(">I", zlib.crc32(content)):
            raise ValueError("checksum")
        if kind[:1].isupper() and kind not in (b"IHDR", b"PLTE", b"IDAT", b"IEND"):
            raise ValueError("critical")
        at += length + 12


REFERENCE: Final[Reference] = {
    "predict": [
        Figure(
            content_type=JSON,
            body=b'{"feature":%d.5}' % x,
            expected=1.7 * (x + 0.5) + 1,
            key="prediction",
            tolerance=1e-3,
        )
        for x in (3, 24, 90)
    ]
    + [
        Figure(
            content_type=JSON,
            body=b'{"instances":[3.5,24.5,90.5]}',
            expected=[1.7 * x + 1 for x in (3.5, 24.5, 90.5)],
            key="predictions",
            tolerance=1e-3,
        ),
        Figure(
            content_type=PROTOBUF,
            body=tensor(shape=(2, 1), content=floats(3.5, 24.5)),
            expected=[[1.7 * x + 1] for x in (3.5, 24.5)],
            key="tensor_content",
            tolerance=1e-3,
        ),
    ],
    "advanced_predict": [
        Figure(
            content_type=JSON,
            body=b'{"feature1":2.5,"feature2":%d}' % x,
            expected=[[1.7 * 2.5 - 0.3 * x]],
            key="prediction",
            tolerance=1e-3,
        )
        for x in (1, 80)
    ]
    + [
        Figure(
            content_type=JSON,
            body=b'{"instances":[[2.5,1],[2.5,80]]}',
            expected=[[1.7 * 2.5 - 0.3 * x] for x in (1, 80)],
            key="predictions",
            tolerance=1e-3,
        ),
        Figure(
            content_type=PROTOBUF,
            body=tensor(shape=(2, 2), content=floats(2.5, 1, 2.5, 80)),
            expected=[[1.7 * 2.5 - 0.3 * x] for x in (1, 80)],
            key="tensor_content",
            tolerance=1e-3,
        ),
    ],
    "classify": [
        Figure(content_type="image/png", body=image, expected=pixel_class(image), key="predicted_class")
        for image in _PICTURES
    ],
}


class RefusedError(Exception):
    """A request that the contract refuses."""

    def __init__(self, code: str, text: str = "refused", headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.headers = headers


class ContractApp:
    """The contract. Each method is one thing that a subclass can break."""

    content_type: ClassVar[str] = JSON
    most_rows: ClassVar[int] = 1024
    most_parts: ClassVar[int] = 64
    first_part: ClassVar[bool] = False

    def __init__(self) -> None:
        self.kill: Callable[[], None] = lambda: None
        """Ends the server; `serving` sets it."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:  # contract.md#answers
        headers: list[tuple[str, str]] = []
        try:
            status, value = 200, self.answer(environ)
        except RefusedError as error:
            status, value = self.refusal(error)
            headers += error.headers
        if value is None:
            start_response("204 No Content", [("Allow", self.allow(self.path(environ)))])
            return []
        kind, body = (PROTOBUF, value) if isinstance(value, bytes) else self.rendered(status, value)
        headers += [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(f"{status} Said", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else self.sent(body)

    def rendered(self, _status: int, value: Any) -> tuple[str, bytes]:
        return self.content_type, self.dumps(value)

    def sent(self, body: bytes) -> Any:
        return [body]

    def refusal(self, error: RefusedError) -> tuple[int, Any]:  # contract.md#errors
        return STATUSES[error.code], {"error": error.text, "code": error.code}

    def dumps(self, value: Any) -> bytes:  # contract.md#answers
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    def path(self, environ: WSGIEnvironment) -> str:  # contract.md#paths
        # waitress merges slashes in PATH_INFO; the request line is as it came.
        sent = re.sub(r"\Ahttp://[^/]*", "", environ["REQUEST_URI"].partition("?")[0])
        return unquote_to_bytes(sent).decode("latin-1")

    def allow(self, path: str) -> str:  # contract.md#methods
        return "GET, HEAD, OPTIONS" if path in GETS else "OPTIONS, POST"

    def not_allowed(self, path: str) -> RefusedError:
        return RefusedError("method_not_allowed", headers=(("Allow", self.allow(path)),))

    def answer(self, environ: WSGIEnvironment) -> Any:  # contract.md#precedence
        path, method = self.path(environ), environ["REQUEST_METHOD"]
        if path not in GETS and path not in POSTS:
            raise RefusedError("not_found")
        if method == "OPTIONS":
            return None
        if path in GETS:
            if method not in ("GET", "HEAD"):
                raise self.not_allowed(path)
            return self.service(path)
        if method != "POST":
            raise self.not_allowed(path)
        body = self.read(environ)
        header = re.sub(r"(;\s*boundary=[^;]*);\s*boundary=[^;]*", r"\1", environ.get("CONTENT_TYPE", ""))
        kind, options = parse_options_header(header)
        parameters = _PARAMETER.findall(header)[1:]
        charset = options.get("charset", "utf-8").lower() == "utf-8" or kind != JSON
        charset = charset and all("=" in part or not part.strip() for part in parameters)
        # A value that is no quoted string ends at its first space.
        charset = charset and not any(re.search(r'=[^"\s]\S*\s+\S', part) for part in parameters)
        if kind not in POSTS[path] or not charset or environ.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
            raise RefusedError("unsupported_media_type", headers=(("Accept", ", ".join(sorted(POSTS[path]))),))
        if path == "/classify":
            return {"predicted_class": self.classify(self.image(body, kind, options))}
        return self.regressed(path, kind, body)

    def regressed(self, path: str, kind: str, body: bytes) -> Any:  # contract.md#post-predict
        names = ("feature",) if path == "/predict" else ("feature1", "feature2")
        if kind == PROTOBUF:
            return self.tensor(self.predictions(self.tensor_rows(body, len(names)), "", body))
        document = self.loads(body)
        if not isinstance(document, dict):
            raise self.invalid("", body)
        if "instances" in document:
            rows = self.instances(document, names, body)
            figures = [self.figure(each) for each in self.predictions(rows, "/instances/%d", body)]
            return {"predictions": figures if path == "/predict" else [[figure] for figure in figures]}
        prediction = self.predict([self.number(document, name, body) for name in names])
        if not np.isfinite(prediction):
            raise self.invalid("", body)
        return {"prediction": self.figure(prediction) if path == "/predict" else [[self.figure(prediction)]]}

    def read(self, environ: WSGIEnvironment) -> bytes:  # contract.md#limits
        body: bytes = environ["wsgi.input"].read(LIMIT + 1)
        if len(body) > LIMIT:
            raise RefusedError("body_too_large")
        return body

    def service(self, path: str) -> Any:  # contract.md#service-routes
        if path == "/metadata":
            return {"target": "test", "versions": {}, "models": {}, "device": None, "threads": {}}
        if path == "/openapi.json":
            operation = {"responses": {status: {"description": "x"} for status in ("200", "400", "413", "415")}}
            gets = {each: {"get": {"responses": {"200": self.told(each)}}} for each in GETS}
            return {"openapi": "3.1.0", "paths": gets | {each: {"post": operation} for each in POSTS}}
        return {"status": "alive" if path == "/healthz" else "ready"}

    def told(self, path: str) -> Any:  # contract.md#service-routes
        schema: dict[str, Any] = {"type": "object"}
        if path in ("/healthz", "/readyz"):
            status = {"status": {"const": self.service(path)["status"]}}
            schema |= {"properties": status, "required": ["status"], "additionalProperties": False}
        return {"description": "x", "content": {"application/json": {"schema": schema}}}

    def invalid(self, pointer: str, _body: bytes) -> RefusedError:  # contract.md#input-errors
        return RefusedError("invalid_input", f"Input validation error: {pointer}: breaks the rule")

    def loads(self, body: bytes) -> Any:  # contract.md#json-in
        depth = deepest = 0
        for bracket in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', body):
            depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(bracket, 0)
            deepest = max(deepest, depth)
        if deepest > 64:
            raise RefusedError("malformed_json")
        try:
            value = json.loads(
                body.decode(),
                parse_int=float,
                parse_constant=self.constant,
                object_pairs_hook=self.members,
            )
            json.dumps(value, ensure_ascii=False).encode()
        except ValueError:
            raise RefusedError("malformed_json") from None
        return value

    def constant(self, name: str) -> float:
        raise ValueError(name)

    def members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("repeated member")
        return dict(pairs)

    def number(self, document: dict[str, Any], name: str, body: bytes) -> float:  # contract.md#numbers-in
        value = document.get(name)
        if type(value) is not float or not abs(value) < 3.4028235677973366e38:
            raise self.invalid(f"/{name}", body)
        return value

    def instances(
        self, document: dict[str, Any], names: tuple[str, ...], body: bytes
    ) -> list[list[float]]:  # contract.md#batches
        listed = document["instances"]
        if not isinstance(listed, list) or not 1 <= len(listed) <= self.most_rows or set(names) & set(document):
            raise self.invalid("/instances", body)
        rows = []
        for at, instance in enumerate(listed):
            if len(names) == 1:
                rows.append([self.number({f"instances/{at}": instance}, f"instances/{at}", body)])
                continue
            if not isinstance(instance, list) or len(instance) != len(names):
                raise self.invalid(f"/instances/{at}", body)
            places = {f"instances/{at}/{place}": value for place, value in enumerate(instance)}
            rows.append([self.number(places, place, body) for place in places])
        return rows

    def tensor_rows(self, body: bytes, width: int) -> list[list[float]]:  # contract.md#tensors
        try:
            sent = TensorProto.FromString(body)
        except DecodeError:
            raise RefusedError("malformed_protobuf") from None
        if sent.dtype not in (1, 2):
            raise self.invalid("/dtype", body)
        sizes = [dim.size for dim in sent.tensor_shape.dim]
        if sent.tensor_shape.unknown_rank or sizes[1:] != [width] or not 1 <= sizes[0] <= self.most_rows:
            raise self.invalid("/tensor_shape", body)
        count = sizes[0] * width
        name, kind = ("float_val", "f") if sent.dtype == 1 else ("double_val", "d")
        listed = list(getattr(sent, name))
        if sent.tensor_content:
            content = self.content(sent.tensor_content, count * (4 if kind == "f" else 8))
            if content is None or listed:
                raise self.invalid("/tensor_content", body)
            values = self.finite([*struct.unpack(f"<{count}{kind}", content)], "/tensor_content", body)
        elif not 1 <= len(listed) <= count:
            raise self.invalid(f"/{name}", body)
        else:
            values = self.repeated(self.finite(listed, f"/{name}/%d", body), count, name)
        return [values[start : start + width] for start in range(0, count, width)]

    def content(self, content: bytes, length: int) -> bytes | None:
        return content if len(content) == length else None

    def finite(self, values: list[float], pointer: str, body: bytes) -> list[float]:
        for at, value in enumerate(values):
            if not abs(value) < 3.4028235677973366e38:
                raise self.invalid(pointer % at if "%" in pointer else pointer, body)
        return values

    def repeated(self, values: list[float], count: int, _name: str) -> list[float]:  # contract.md#tensors
        return values + values[-1:] * (count - len(values))

    def predictions(self, rows: list[list[float]], pointer: str, body: bytes) -> list[np.float32]:
        # contract.md#number-format
        found = [self.predict(row) for row in rows]
        for at, prediction in enumerate(found):
            if not np.isfinite(prediction):
                raise self.invalid(pointer % at if pointer else "", body)
        return found

    def tensor(self, predictions: list[np.float32]) -> Any:  # contract.md#tensors
        content = struct.pack(f"<{len(predictions)}f", *predictions)
        return tensor(shape=(len(predictions), 1), content=content)

    def predict(self, row: list[float]) -> np.float32:
        with np.errstate(over="ignore"):
            return np.float32(1.7 * row[0] + 1 if len(row) == 1 else 1.7 * row[0] - 0.3 * row[1])

    def figure(self, prediction: np.float32) -> float:  # contract.md#number-format
        return float(str(prediction))

    def image(self, body: bytes, kind: str, options: dict[str, str]) -> bytes:  # contract.md#post-classify
        if kind in RAW:
            return body
        if kind == JSON:
            document = self.loads(body)
            if not isinstance(document, dict):
                raise self.invalid("", body)
            values = [document.get("image")]
        elif kind == FORM:
            if _ESCAPED.fullmatch(body) is None or body.count(b"&") >= self.most_parts:
                raise RefusedError("malformed_form")
            values = list(parse_qs(body.decode("latin-1"), keep_blank_values=True).get("image", []))
        else:
            parts = self.parts(body, options.get("boundary", ""))
            if len(parts) == 1 and (content := self.file(parts[0])) is not None:
                return content
            values = [part.raw.decode("latin-1") for part in parts]
        if self.first_part:
            values = values[:1]
        if len(values) != 1 or not isinstance(values[0], str):
            raise self.invalid("/image", body)
        try:
            return self.unwrapped(values[0])
        except (binascii.Error, ValueError):
            raise self.invalid("/image", body) from None

    def parts(self, body: bytes, boundary: str) -> list[Any]:  # contract.md#multipart-forms
        try:
            limits = {"charset": "latin-1", "header_limit": len(body), "headersize_limit": len(body)}
            everything = list(MultipartParser(io.BytesIO(body), boundary, **limits))
        except (MultipartError, ValueError):
            raise RefusedError("malformed_form") from None
        if not 1 <= len(boundary) <= 70 or len(everything) > self.most_parts:
            raise RefusedError("malformed_form")
        return [part for part in everything if part.name == "image"]

    def file(self, part: Any) -> bytes | None:  # contract.md#multipart-forms
        headers = {name.lower(): value for name, value in part.headerlist}
        coding = headers.get("content-transfer-encoding", "binary").strip().lower()
        if coding == "base64":
            return binascii.a2b_base64(part.raw.replace(b"\r\n", b""), strict_mode=True)
        if coding not in ("7bit", "8bit", "binary"):
            raise RefusedError("malformed_form")
        named = "filename" in parse_options_header(headers["content-disposition"])[1] or part.filename is not None
        typed = not headers.get("content-type", "text/plain").lower().startswith("text/")
        starred = "filename*" in headers["content-disposition"]
        magic = part.raw.startswith((b"\xff\xd8\xff", b"\x89PNG"))
        return bytes(part.raw) if named or typed or starred or magic else None

    def unwrapped(self, text: str) -> bytes:  # contract.md#base64
        return binascii.a2b_base64(text.encode(), strict_mode=True)

    def classify(self, image: bytes) -> int:  # contract.md#pictures
        try:
            return pixel_class(image)
        except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError):
            raise RefusedError("invalid_image") from None


@contextmanager
def serving(app: ContractApp) -> Iterator[str]:
    """The base URL of waitress with `app` on a thread of this process, on a free port of the loopback interface."""
    channels: dict[int, Any] = {}
    server = create_server(app, host="127.0.0.1", port=0, threads=2, map=channels, clear_untrusted_proxy_headers=True)

    def end() -> None:
        for dispatcher in list(channels.values()):
            dispatcher.close()

    app.kill = lambda: server.trigger.pull_trigger(end)
    thread = threading.Thread(target=server.run, name="waitress", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        # A server that is ending already has closed its trigger; that it does end is asked below.
        with contextlib.suppress(OSError):
            app.kill()
        thread.join(10)
        server.task_dispatcher.shutdown()
        if thread.is_alive():
            raise RuntimeError("waitress did not end")
