"""A stand-in for TensorFlow Serving and for Triton, which are not to be had here: one model, x / 2 + 2, in their bytes.

TensorFlow Serving's are those of its sources (model_servers/http_rest_api_handler.cc, util/json_tensor.cc): RapidJSON's
indented text with arrays on one line, errors as `{ "error": "..." }`; Triton's are one line of JSON in the order of
its fields.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

SERVING: Final = "/v1/models/half:predict"
INFERENCE: Final = "/v2/models/half/infer"


@contextmanager
def stand_in(*, added: float = 2.0) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Its base URL, and what it was asked: paths and bodies. Its model adds `added`."""
    asked: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests look at `asked`."""

        def do_POST(self) -> None:
            """One request of either protocol."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, body))
            answer = {SERVING: _serving, INFERENCE: _inference}.get(self.path, _unknown)
            status, text = answer(body, added)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    # A small answer that waits for the acknowledgement of its head takes 40 ms.
    Handler.disable_nagle_algorithm = True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def _serving(body: bytes, added: float) -> tuple[int, bytes]:
    try:
        document = json.loads(body)
    except ValueError:
        return 400, _error("JSON Parse error: Invalid value. at offset: 0")
    name = document.get("signature_name", "serving_default")
    if name != "serving_default":
        return 400, _error(f'Serving signature name: "{name}" not found in signature def')
    key, said = ("instances", "predictions") if "instances" in document else ("inputs", "outputs")
    value = document[key]
    value = value["x"] if isinstance(value, dict) else [row["x"] if isinstance(row, dict) else row for row in value]
    rows = ", ".join(f"[{float(row[0]) / 2 + added!r}]" for row in value)
    return 200, f'{{\n    "{said}": [{rows}\n    ]\n}}'.encode()


def _inference(body: bytes, added: float) -> tuple[int, bytes]:
    (tensor,) = json.loads(body)["inputs"]
    if (tensor["name"], tensor["datatype"]) != ("x", "FP32"):
        return 400, b'{"error":"unexpected inference input"}'
    data = ",".join(repr(float(each) / 2 + added) for each in tensor["data"])
    shape = ",".join(map(str, tensor["shape"]))
    output = f'{{"name":"y","datatype":"FP32","shape":[{shape}],"data":[{data}]}}'
    return 200, f'{{"model_name":"half","model_version":"1","outputs":[{output}]}}'.encode()


def _unknown(_body: bytes, _added: float) -> tuple[int, bytes]:
    return 404, _error("Servable not found for request: Latest(other)")


def _error(text: str) -> bytes:
    escaped = text.replace('"', '\\"')
    return f'{{ "error": "{escaped}" }}'.encode()
