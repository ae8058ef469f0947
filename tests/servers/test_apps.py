"""The three adapters over one core: right by the contract, and the same bytes from each."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from wsgi_callers import Answer, call

from experiment.priming import agrees, predicted
from servers.core.middleware import MAX_BODY_BYTES, middleware
from servers.models.payloads import ENCODINGS, PROTOBUF, payloads
from servers.registry import FRAMEWORKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers.core.service import Service

_CONTRACT = [name for name, framework in FRAMEWORKS.items() if framework.contract]
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@pytest.fixture(name="apps")
def _apps(make_service: Callable[[], Service]) -> dict[str, Any]:
    return {
        name: import_module(f"servers.apps.{FRAMEWORKS[name].module}").create_app(make_service()) for name in _CONTRACT
    }


def _everywhere(apps: dict[str, Any], *request: Any, **more: Any) -> Answer:
    answers = {name: call(app, *request, **more) for name, app in apps.items()}
    first = next(iter(answers.values()))
    assert all(answer == first for answer in answers.values()), answers
    return first


def _error(answer: Answer) -> str:
    document = json.loads(answer.body)
    assert sorted(document) == ["code", "error"]
    assert answer.headers["content-type"] == _JSON
    return str(document["code"])


def test_the_contract_has_three_adapters() -> None:
    """Flask, Bottle and no framework at all are compared."""
    assert _CONTRACT == ["bottle", "flask", "wsgi"]


@pytest.mark.parametrize("endpoint", ["predict", "advanced_predict", "classify"])
def test_good_requests_get_the_references_answer(apps: dict[str, Any], endpoint: str) -> None:
    """Every encoding of an endpoint gets the reference's prediction, the same bytes from each adapter."""
    for encoding in ENCODINGS[endpoint]:
        for payload in payloads(endpoint, encoding, 4):
            answer = _everywhere(apps, "POST", f"/{endpoint}", payload.body, payload.content_type)
            assert answer.status == 200
            assert agrees(predicted(payload, answer.body), payload.expected)
            kind = PROTOBUF if encoding == "protobuf" else _JSON
            assert answer.headers == {"content-type": kind, "content-length": str(len(answer.body))}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b'{"feature": NaN}', "malformed_json"),
        (b'{"feature": -Infinity}', "malformed_json"),
        (b'{"feature": 1.0, "feature": 1.0}', "malformed_json"),
        (b'\xef\xbb\xbf{"feature": 1.0}', "malformed_json"),
        (b'{"feature": 1.0, "x": "\\ud800"}', "malformed_json"),
        (b'{"feature": 1.0, "x": "\xed\xa0\x80"}', "malformed_json"),
        (b'{"feature": 1.0, "x": ' + b"[" * 64 + b"]" * 64 + b"}", "malformed_json"),
        ('{"feature": 1.0}'.encode("utf-16"), "malformed_json"),
        (b'{"feature": 1.0} x', "malformed_json"),
        (b'{"feature": true}', "invalid_input"),
        (b'{"feature": "1"}', "invalid_input"),
        (b'{"feature": null}', "invalid_input"),
        (b'{"feature": [1.0]}', "invalid_input"),
        (b'{"feature": 1e999}', "invalid_input"),
        (b'{"feature": 3.5e38}', "invalid_input"),
        (b'{"feature": 1' + b"0" * 5000 + b"}", "invalid_input"),
        (b'{"feature": 3.4e38}', "invalid_input"),
        (b"{}", "invalid_input"),
        (b"[]", "invalid_input"),
        (b"1.0", "invalid_input"),
    ],
)
def test_bad_json_is_refused(apps: dict[str, Any], body: bytes, code: str) -> None:
    """Text that is no strict JSON, and values that are no finite float32, get 400 with their code."""
    answer = _everywhere(apps, "POST", "/predict", body, _JSON)
    assert (answer.status, _error(answer)) == (400, code)


@pytest.mark.parametrize(
    "body",
    [
        b'{"feature": 1.0, "x": ' + b"[" * 63 + b"]" * 63 + b"}",
        b'{"feature": 1.0, "x": "' + b"[" * 100 + b'"}',
        b'{"feature": 1.0, "x": "\\ud83d\\ude00"}',
        b' \t\r\n{"feature":-0}\n',
        b'{"feature": 1, "other": null}',
    ],
)
def test_unusual_but_legal_json_is_answered(apps: dict[str, Any], body: bytes) -> None:
    """Depth 64, brackets in strings, surrogate pairs, white space and unknown members are legal."""
    assert _everywhere(apps, "POST", "/predict", body, _JSON).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/predict/", "//predict", "/predict\xff", "/predict\n", "/Predict", "predict", ""]
)
def test_other_paths_are_not_found(apps: dict[str, Any], path: str) -> None:
    """Paths match exactly: nothing is merged, stripped, redirected or decoded on the side."""
    # A path without a slash breaks PEP 3333 before it reaches the application, yet servers pass it on.
    answer = _everywhere(apps, "POST", path, b"{}", _JSON, validated=path.startswith("/"))
    assert (answer.status, _error(answer)) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "TRACE", "FOO", "post", "HEAD"])
def test_other_methods_are_refused_with_allow(apps: dict[str, Any], method: str) -> None:
    """A known path answers an unlisted method with 405 and the sorted methods that it takes."""
    answer = _everywhere(apps, method, "/predict")
    assert answer.status == 405
    assert answer.headers["allow"] == "OPTIONS, POST"


def test_options_and_head(apps: dict[str, Any]) -> None:
    """OPTIONS answers 204 with Allow and nothing else; HEAD answers GET's headers without its body."""
    assert _everywhere(apps, "OPTIONS", "/readyz") == Answer(
        status=204, headers={"allow": "GET, HEAD, OPTIONS"}, body=b""
    )
    got, head = _everywhere(apps, "GET", "/readyz"), _everywhere(apps, "HEAD", "/readyz")
    assert (head.status, head.headers, head.body) == (got.status, got.headers, b"")


@pytest.mark.parametrize(
    ("content_type", "encoding", "status"),
    [
        ("application/json ;charset=utf-8", "", 200),
        ("Application/JSON; charset=UTF-8;", "identity", 200),
        ("application/json; charset=latin1", "", 415),
        ("application/json", "gzip", 415),
        ("text/json", "", 415),
        ("application/vnd.x+json", "", 415),
        (None, "", 415),
    ],
)
def test_media_types(apps: dict[str, Any], content_type: str | None, encoding: str, status: int) -> None:
    """JSON is application/json in UTF-8, as it is; anything else is 415 with the Accept that would do."""
    more = {"HTTP_CONTENT_ENCODING": encoding} if encoding else {}
    answer = _everywhere(apps, "POST", "/predict", b'{"feature": 1.0}', content_type, environ=more)
    assert answer.status == status
    assert status == 200 or answer.headers["accept"] == f"{_JSON}, {PROTOBUF}"


def test_precedence(apps: dict[str, Any]) -> None:
    """Of several faults the contract's order names one: 404, 405, 413, 415, 400."""
    huge = b"x" * (MAX_BODY_BYTES + 1)
    assert _everywhere(apps, "PUT", "/nope", huge, "text/x").status == 404
    assert _everywhere(apps, "PUT", "/predict", huge, "text/x").status == 405
    assert _everywhere(apps, "POST", "/predict", huge, "text/x").status == 413
    short = {"CONTENT_LENGTH": "9"}
    assert _everywhere(apps, "POST", "/predict", b"{", "text/x", environ=short).status == 415
    answer = _everywhere(apps, "POST", "/predict", b"{", _JSON, environ=short)
    assert (answer.status, _error(answer)) == (400, "incomplete_body")


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"image=AAAA++++BBBB", _FORM, "invalid_input"),
        (b"image=%2D%5F%3D%3D", _FORM, "invalid_input"),
        (b"image=AAA", _FORM, "invalid_input"),
        (b"image=AAAA&image=AAAA", _FORM, "invalid_input"),
        (b"other=AAAA", _FORM, "invalid_input"),
        (b"image=%zz", _FORM, "malformed_form"),
        (b"image=\xff", _FORM, "malformed_form"),
        (b"image=AAAA", _FORM, "invalid_image"),
        (b"--b\r\n", "multipart/form-data; boundary=b", "malformed_form"),
        (b"", "multipart/form-data", "malformed_form"),
        (b"GIF89a", "image/png", "invalid_image"),
        (b"\x89PNG\r\n\x1a\n", "image/png", "invalid_image"),
        (b'{"image": 1.0}', _JSON, "invalid_input"),
        (b'{"image": "\xc3\xa9"}', _JSON, "invalid_input"),
    ],
)
def test_bad_images_are_refused(apps: dict[str, Any], body: bytes, content_type: str, code: str) -> None:
    """Forms, base64 and images are read strictly, each with its own code."""
    answer = _everywhere(apps, "POST", "/classify", body, content_type)
    assert (answer.status, _error(answer)) == (400, code)


@pytest.mark.parametrize(
    ("path", "body", "content_type", "words"),
    [
        ("/classify", b'{"image":"data:image/png;base64,AAAA"}', _JSON, "without the data: prefix"),
        ("/classify", b'{"image":"AAAA\\r\\nAAAA"}', _JSON, "without line breaks"),
        ("/classify", b'{"image":"AA-_"}', _JSON, "not the URL-safe - and _"),
        ("/classify", b'{"image":"AAA"}', _JSON, "padded with ="),
        ("/classify", b'{"image":"\xef\xbb\xbfAAAA"}', _JSON, "starts with a byte order mark"),
        ("/classify", b"image=AA+A", _FORM, "a + is sent as %2B"),
        ("/classify", b"image=", _FORM, "it is empty"),
        ("/classify", b"", "image/jpg", "perhaps image/jpeg is meant"),
        ("/predict", b"{}", "text/json", "perhaps application/json is meant"),
        ("/predict", b"{}", "application/json; charset=utf8", "utf-8, with its hyphen"),
        ("/predict", b'\xef\xbb\xbf{"feature":1}', _JSON, "starts with a byte order mark"),
        ("/predict", '{"feature":1}'.encode("utf-16"), _JSON, "starts with a byte order mark, and is UTF-16"),
        ("/predict", b"\xff", _JSON, "not UTF-8"),
        ("/predict", b"", _JSON, "it is empty"),
        ("/predict", b'{"feature":1,}', _JSON, "no JSON from character 13 on"),
        ("/predict", b'{"feature":1,"feature":1}', _JSON, "a member is repeated"),
        ("/predict", b'{"feature":NaN}', _JSON, "a NaN or an Infinity"),
    ],
)
def test_a_refusal_names_the_slip(apps: dict[str, Any], path: str, body: bytes, content_type: str, words: str) -> None:
    """What is near to right and refused is told what is in the way."""
    answer = _everywhere(apps, "POST", path, body, content_type)
    assert words in json.loads(answer.body)["error"]


def test_frameworks_see_a_path_and_a_method_and_no_header() -> None:
    """Behind the middleware nothing of the client's is left for a framework to act on but a known path and method."""
    seen: list[dict[str, Any]] = []

    def spy(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        start_response("200 OK", [("Content-Type", _JSON)])
        return [b"{}"]

    sent = {
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_HOST": "a<b",
        "SCRIPT_NAME": "/pre",
        "PATH_INFO": "/dict",
        "REQUEST_URI": "/predict?x",
        "QUERY_STRING": "x",
        "REMOTE_USER": "x",
        "wsgi.url_scheme": "https",
    }
    call(middleware(spy), "TRACE", "/predict", environ=sent)
    call(middleware(spy), "GET", "/predict")
    asked, plain = ({key: value for key, value in one.items() if key[0].isupper()} for one in seen)
    assert asked == {**plain, "REQUEST_METHOD": "UNLISTED"}
    assert (asked["SCRIPT_NAME"], asked["PATH_INFO"], asked["QUERY_STRING"]) == ("", "/predict", "")
    assert {one["wsgi.url_scheme"] for one in seen} == {"http"}


def test_a_fault_of_the_core_tells_nothing(apps: dict[str, Any], make_service: Callable[[], Service]) -> None:
    """An exception in a model is a bare 500, and the next request is answered."""
    service = make_service()
    assert service.loaded is not None

    def broken(_batch: Any) -> Any:
        raise RuntimeError("secret")

    good, service.loaded.predictors["linear_regression"] = (
        service.loaded.predictors["linear_regression"],
        broken,
    )
    for name in _CONTRACT:
        app = import_module(f"servers.apps.{FRAMEWORKS[name].module}").create_app(service)
        answer = call(app, "POST", "/predict", b'{"feature": 1.0}', _JSON)
        assert answer.status == 500
        assert answer.body == b'{"code":"internal","error":"Internal server error"}'
        service.loaded.predictors["linear_regression"] = good
        assert call(app, "POST", "/predict", b'{"feature": 1.0}', _JSON).status == 200
        service.loaded.predictors["linear_regression"] = broken


def test_nothing_is_predicted_before_the_models_are_warm(make_service: Callable[[], Service]) -> None:
    """Until loading is over, liveness answers and everything that needs a model is 503 with Retry-After."""
    service = make_service()
    service.loaded = None
    for name in _CONTRACT:
        app = import_module(f"servers.apps.{FRAMEWORKS[name].module}").create_app(service)
        assert call(app, "GET", "/healthz").status == 200
        for answer in (
            call(app, "GET", "/readyz"),
            call(app, "POST", "/predict", b'{"feature": 1.0}', _JSON),
        ):
            assert (answer.status, _error(answer)) == (503, "overloaded")
            assert answer.headers["retry-after"] == "1"
