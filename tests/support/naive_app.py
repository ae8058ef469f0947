"""`/predict` as many write it: whatever the client sent goes to a `tf.function`, and what that raises becomes a 400.

Served by a real server in the tests of hostile requests. A bad call leaves the function's lock held by its thread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import tensorflow as tf

from servers.models.definitions import load

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_model = tf.function(load("linear_regression").forward, input_signature=[tf.TensorSpec((None, 1), tf.float32)])
_model(tf.constant([[30.0]]))


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """One WSGI application, one endpoint."""
    try:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = _model(tf.constant([[json.loads(body)["feature"]]]))
        status, text = "200 OK", b'{"prediction":%r}' % float(answer.numpy()[0, 0])
    except Exception as error:  # noqa: BLE001 - the naive way: the client is to blame
        status, text = "400 Bad Request", json.dumps({"error": type(error).__name__}).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]
