"""What a user's model is held to over TensorFlow Serving's REST API: https://www.tensorflow.org/tfx/serving/api_rest.

The cases follow from what the model takes, as those of its own route do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.case import Case, Expectation, Topic
from conformance.contract import BODY_LIMIT_BYTES, GET_ALLOW, POST_ALLOW
from conformance.expect import MARKER, get, json_text, not_allowed_in_text, packed, post, refused_in_text
from conformance.http_request import Framing
from conformance.model_cases import ModelEndpoint
from conformance.recipes import Repeat

_SERVING: Final = "docs/contract.md#tensorflow-servings-rest-api"
_EXAMPLES: Final = "docs/contract.md#classify-and-regress"
_FORM: Final = "application/x-www-form-urlencoded"


def serving_cases(model: ModelEndpoint) -> Iterator[Case]:
    """The cases of every route that TensorFlow Serving documents."""
    case = Topic(prefix="tfs", endpoint=model.name, clause=_SERVING).case
    place = f"/v1/models/{model.name}"
    predict = f"{place}:predict"
    versioned = f"{place}/versions/{model.version}"
    body = json_text({"inputs": model.sample})
    plain = post(predict, body)
    alike = Expectation(status=200, shape="outputs", same_as=plain)
    first = next(iter(model.sample))
    pointer = f"/inputs/{first.replace('~', '~0').replace('/', '~1')}"

    yield case(
        "columns",
        "A request in columns is answered with the bytes that the model's own route answers it with.",
        plain,
        replace(alike, same_as=post(f"/{model.name}", body)),
    )
    if model.rows:
        rows = json_text({"instances": _rows(model.sample)})
        yield case(
            "rows",
            "A request in rows is answered with the bytes that the model's own route answers it with.",
            post(predict, rows),
            Expectation(status=200, shape="predictions", same_as=post(f"/{model.name}", rows)),
        )
    for name, proves, request in (
        ("version", "The version may stand in the path.", post(f"{versioned}:predict", body)),
        ("form", "The documented call of curl, which names a form, is answered as JSON.", post(predict, body, _FORM)),
        ("no-type", "A request without a Content-Type is answered as JSON.", post(predict, body, None)),
        ("text", "A request that says to be plain text is answered as JSON.", post(predict, body, "text/plain")),
        ("chunked", "A request in chunks is answered as in one piece.", post(predict, body, framing=Framing.CHUNKED)),
        ("query", "A query behind the path is ignored.", post(f"{predict}?timeout=1", body)),
        ("percent", "A colon that is percent-encoded is the same colon.", post(f"{place}%3Apredict", body)),
        (
            "gzip",
            "A body that is packed with gzip is unpacked.",
            packed(predict, body),
        ),
        (
            "signature",
            "The signature that is served may be named.",
            post(predict, json_text({"signature_name": model.signature, "inputs": model.sample})),
        ),
        (
            "unknown-member",
            "A member that the format does not name is ignored.",
            post(predict, json_text({"no_such_member": 1, "inputs": model.sample})),
        ),
    ):
        # Every claim is one that opens with its noun.
        yield case(name, proves, request, alike)

    wrong: tuple[tuple[str, str, bytes, str | None, str], ...] = (
        ("signature-unknown", "A signature that there is not is an error at its name.",
         json_text({"signature_name": MARKER, "inputs": {}}), "/signature_name", "invalid_input"),
        ("signature-number", "A number is no name of a signature.",
         b'{"signature_name":1,"inputs":{}}', "/signature_name", "invalid_input"),
        ("neither", "An object with neither rows nor columns is an error at the root.", b"{}", "", "invalid_input"),
        ("both", "An object with both rows and columns is an error at the root.",
         b'{"inputs":[],"instances":[]}', "", "invalid_input"),
        ("root-array", "An array is no request.", b"[1]", "", "invalid_input"),
        ("root-text", "A text is no request.", b'"inputs"', "", "invalid_input"),
        ("empty", "An empty body is no JSON.", b"", None, "malformed_json"),
        ("malformed", "A text cut short is no JSON.", b'{"inputs":', None, "malformed_json"),
        ("nan", "A NaN is refused here, although TensorFlow Serving takes it.", b'{"inputs":NaN}', None,
         "malformed_json"),
        ("repeated", "A member that is there twice is no JSON that two parsers read alike.",
         b'{"inputs":[1],"inputs":[2]}', None, "malformed_json"),
        ("instances-empty", "An empty list of rows is an error.", b'{"instances":[]}', "/instances", "invalid_input"),
        ("instances-object", "An object is no list of rows.", b'{"instances":{}}', "/instances", "invalid_input"),
        ("instances-number", "A number is no list of rows.", b'{"instances":1}', "/instances", "invalid_input"),
        ("missing-input", "A missing input is an error at its member.", b'{"inputs":{}}', pointer, "invalid_input"),
        ("null", "A null is no value of an input.", json_text({"inputs": {first: None}}), pointer, "invalid_input"),
        ("element", "An element of no type that a tensor has is an error, and is not repeated.",
         json_text({"inputs": {**model.sample, first: _replaced(model.sample[first], {MARKER: 1})}}), None,
         "invalid_input"),
        ("deeper", "A value one array deeper is an error.",
         json_text({"inputs": {**model.sample, first: [model.sample[first]]}}), None, "invalid_input"),
    )  # fmt: skip
    for name, proves, sent, where, code in wrong:
        yield case(name, proves, post(predict, sent), refused_in_text(code, where))
    yield case(
        "too-large",
        "A body over the limit is refused before it is parsed.",
        post(predict, Repeat(unit=b" ", times=BODY_LIMIT_BYTES + 1)),
        refused_in_text("body_too_large"),
        server_may_refuse=True,
    )
    yield case(
        "bomb",
        "A packed body is unpacked to the limit, and no further.",
        packed(predict, bytes(BODY_LIMIT_BYTES + 1)),
        refused_in_text("body_too_large"),
    )
    yield case(
        "coding",
        "A content coding that nobody announced is refused.",
        packed(predict, body, "br"),
        refused_in_text("unsupported_media_type"),
        "RFC 9110 section 15.5.16",
    )
    yield from _serving_routes(model)
    yield case(
        "recovery",
        "The next good request after bad ones is answered on the same connection.",
        plain,
        alike,
        before=(post(predict, b"{"), post(predict, b"{}"), post(f"{place}:regress", b"[]")),
    )


def _serving_routes(model: ModelEndpoint) -> Iterator[Case]:
    case = Topic(prefix="tfs", endpoint=model.name, clause=_SERVING).case
    place = f"/v1/models/{model.name}"
    versioned = f"{place}/versions/{model.version}"
    for name, proves, target in (
        ("no-model", "A model that is not served is not found.", f"/v1/models/{model.name}x:predict"),
        ("no-version", "A version that is not served is not found.", f"{place}/versions/{model.version}9:predict"),
        ("no-method", "A method that the API does not have is not found.", f"{place}:explain"),
        ("slash", "A path with a slash behind it is another path.", f"{place}:predict/"),
    ):
        yield case(name, proves, post(target, b"{}"), refused_in_text("not_found"))
    for method in ("GET", "PUT", "DELETE"):
        yield case(
            f"predict-{method.lower()}",
            f"A {method} of the prediction is 405 with what is allowed.",
            get(f"{place}:predict", method),
            not_allowed_in_text(POST_ALLOW),
        )
    yield case(
        "options",
        "OPTIONS of the prediction names its methods.",
        get(f"{place}:predict", "OPTIONS"),
        Expectation(status=204, headers=(("Allow", POST_ALLOW),)),
    )
    for name, path, shape in (("state", "", "serving_state"), ("metadata", "/metadata", "serving_metadata")):
        there = Expectation(status=200, shape=shape)
        yield case(name, f"The {name} of a model has the documented members.", get(place + path), there)
        yield case(
            f"{name}-version",
            f"The {name} of the version that is served is that of the model.",
            get(versioned + path),
            replace(there, same_as=get(place + path)),
        )
        yield case(
            f"{name}-head",
            f"HEAD of the {name} is answered with the headers of the GET.",
            get(place + path, "HEAD"),
            Expectation(status=200, same_as=get(place + path)),
        )
        yield case(
            f"{name}-post",
            f"A POST of the {name} is 405 with what is allowed.",
            post(place + path, b"{}"),
            not_allowed_in_text(GET_ALLOW),
        )
    for method in ("classify", "regress"):
        target = f"{place}:{method}"
        unknown = post(target, json_text({"signature_name": MARKER, "examples": [{}]}))
        expects = refused_in_text("invalid_input", "/signature_name")
        proves = f"A signature that there is not can {method} nothing."
        yield case(f"{method}-unknown", proves, unknown, expects, _EXAMPLES)
        yield case(
            f"{method}-nothing",
            f"A request to {method} nothing is an error.",
            post(f"{versioned}:{method}", b'{"examples":[]}', _FORM),
            refused_in_text("invalid_input"),
            _EXAMPLES,
        )
        proves = f"A text cut short is nothing to {method}."
        yield case(f"{method}-malformed", proves, post(target, b"{"), refused_in_text("malformed_json"), _EXAMPLES)
        proves = f"A GET of what can {method} is 405 with what is allowed."
        yield case(f"{method}-get", proves, get(target), not_allowed_in_text(POST_ALLOW), _EXAMPLES)


def _rows(sample: Mapping[str, Any]) -> list[Any]:
    return [dict(zip(sample, row, strict=True)) for row in zip(*sample.values(), strict=True)]


def _replaced(value: Any, element: Any) -> Any:
    """The value with its first element in the place of which `element` stands."""
    return [_replaced(value[0], element), *value[1:]] if isinstance(value, list) else element
