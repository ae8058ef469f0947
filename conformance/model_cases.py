"""The contract of one more endpoint, for a user's own model: cases made from one good request and its inputs.

Cases of our own endpoints are written down; these follow from what the model takes, as its owner's signature says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance.case import Case, Expectation, Figure
from conformance.contract import BODY_LIMIT_BYTES, POST_ALLOW
from conformance.expect import get, invalid, post, refused
from conformance.http_request import HttpRequest
from conformance.recipes import Repeat

_CONTRACT: Final = "docs/contract.md#post-name"
_POINTER: Final = "docs/contract.md#input-errors"
_MARKER: Final = "zq7marker"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEndpoint:
    """What the cases are made from.

    `figures` are good requests with their answers, the first of them in the shape that `shape` names. `sample` holds
    one good value for every input by its name, nested as JSON nests it; `textual` are those inputs whose elements are
    strings. `accept` is the route's Accept.

    `signature` is what the model's own is called, `version` the model's, `rows` says whether it answers row by row.
    `inputs` and `outputs` have by name the datatypes of the Open Inference Protocol, and are empty for a model of types
    that the protocol does not have.
    """

    name: str
    shape: str
    figures: Sequence[Figure]
    sample: Mapping[str, Any]
    textual: frozenset[str]
    accept: str
    signature: str
    version: str
    rows: bool
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]


def model_cases(model: ModelEndpoint) -> tuple[Case, ...]:
    """The cases of the endpoint."""
    path = f"/{model.name}"
    good = post(path, model.figures[0].body, model.figures[0].content_type)
    answered = Expectation(status=200, shape=model.shape)
    first, value = next(iter(model.sample.items()))
    missing = {name: each for name, each in model.sample.items() if name != first}
    columns = post(path, _inputs(model.sample))

    def case(
        name: str, proves: str, request: HttpRequest | None, expects: Expectation, clause: str = _CONTRACT, **more: Any
    ) -> Case:
        return Case(
            id=f"model-{name}",
            proves=proves,
            clause=clause,
            endpoint=model.name,
            request=request,
            expects=expects,
            **more,
        )

    def wrong(name: str, proves: str, body: bytes, pointer: str | None = None) -> Case:
        # A name with a colon could not be told from the end of the pointer in the error's text.
        told = pointer is not None and ":" not in pointer
        expects = invalid(str(pointer)) if told else refused("invalid_input")
        return case(name, proves, post(path, body), replace(expects, marker=_MARKER.encode()), _POINTER)

    return (
        case("figures", "Every payload is answered as the model's own signature answers it.", None, answered),
        case(
            "columns",
            "The inputs by their names are answered with the outputs.",
            columns,
            Expectation(status=200, shape="outputs"),
        ),
        case(
            "unknown-member",
            "A member that the format does not name is ignored.",
            post(path, _inputs(model.sample, no_such_member="serving_default")),
            Expectation(status=200, shape="outputs", same_as=columns),
        ),
        case(
            "signature",
            "The name of the signature that is served asks for what is asked without it.",
            post(path, _inputs(model.sample, signature_name=model.signature)),
            Expectation(status=200, shape="outputs", same_as=columns),
        ),
        wrong(
            "signature-unknown",
            "A signature that the model does not have is an error at its name.",
            _inputs(model.sample, signature_name=_MARKER),
            "/signature_name",
        ),
        case(
            "form",
            "A body in JSON that says of itself to be a form, as curl does, is answered as JSON.",
            post(path, _inputs(model.sample), "application/x-www-form-urlencoded"),
            Expectation(status=200, shape="outputs", same_as=columns),
        ),
        case(
            "method",
            "A GET of the model is 405 with what is allowed.",
            get(path),
            Expectation(status=405, code="method_not_allowed", headers=(("Allow", POST_ALLOW),)),
        ),
        case(
            "media-type",
            "A body of another type is 415 with the types that are accepted.",
            post(path, b"{}", "text/plain"),
            Expectation(status=415, code="unsupported_media_type", headers=(("Accept", model.accept),)),
        ),
        case(
            "too-large",
            "A body over the limit is refused before it is parsed.",
            post(path, Repeat(unit=b" ", times=BODY_LIMIT_BYTES + 1)),
            refused("body_too_large"),
            server_may_refuse=True,
        ),
        case("malformed", "A text cut short is no JSON.", post(path, b'{"inputs":'), refused("malformed_json")),
        case("nan", "A NaN is no JSON number.", post(path, b'{"inputs":NaN}'), refused("malformed_json")),
        wrong("root-array", "An array is no object, and the error points at the root.", b"[1]", ""),
        wrong("neither", "An object with neither instances nor inputs is an error at the root.", b"{}", ""),
        wrong(
            "both",
            "An object with both instances and inputs is refused: no one can say which is meant.",
            _inputs(model.sample, instances=[1]),
            "",
        ),
        wrong(
            "missing-input",
            "A missing input is an error at its member.",
            _inputs(missing),
            f"/inputs/{first.replace('~', '~0').replace('/', '~1')}",
        ),
        wrong("null", "A null is no value of an input.", _inputs({**model.sample, first: None})),
        wrong(
            "shape", "A value one array deeper is an error.", _inputs({**model.sample, first: [model.sample[first]]})
        ),
        wrong(
            "type",
            "An element of another type is an error, and is not repeated.",
            _inputs({**model.sample, first: _replaced(value, 1 if first in model.textual else _MARKER)}),
        ),
        wrong("instances-object", "An object is no list of instances.", b'{"instances":{}}', "/instances"),
        wrong("instances-empty", "An empty list of instances is an error.", b'{"instances":[]}', "/instances"),
        case(
            "recovery",
            "The next good request after bad ones is answered on the same connection.",
            good,
            replace(answered, same_as=good),
            before=(post(path, b"{"), post(path, _inputs({**model.sample, first: [[[None]]]})), post(path, b"{}")),
        ),
    )


def _inputs(values: Mapping[str, Any], **members: Any) -> bytes:
    return json.dumps({"inputs": dict(values), **members}, separators=(",", ":")).encode()


def _replaced(value: Any, element: Any) -> Any:
    """The value with its first element in the place of which `element` stands."""
    if isinstance(value, list):
        return [_replaced(value[0], element), *value[1:]]
    return element
