"""TensorFlow Serving's REST API over a user's model: https://www.tensorflow.org/tfx/serving/api_rest.

Its clients are pointed here without a change. What they send is parsed by the codec of `POST /NAME`, whatever its
Content-Type says, since `curl -d` says that JSON is a form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from servers.core import examples
from servers.core.middleware import MAX_BODY_BYTES
from servers.core.reply import JSON, Reply, json_reply, told
from servers.core.service import Endpoint, Service
from servers.core.user_model_codec import UserModelCodec
from servers.core.user_model_endpoint import operation

if TYPE_CHECKING:
    from servers.core.request import Request
    from servers.models.user_model import UserModel

CLAUSE: Final = "tensorflow-servings-rest-api"

_ASKED: Final = {"required": True, "content": {JSON: {"schema": {"type": "object", "required": ["examples"]}}}}
_RESULTS: Final = told("A result for each example", properties={"results": {"type": "array"}}, required=["results"])


def endpoints(name: str, model: UserModel) -> tuple[Endpoint, ...]:
    """Every route of the API for `model`, once without its version and once with it."""
    return tuple(
        endpoint
        for place in (f"v1/models/{name}", f"v1/models/{name}/versions/{model.version}")
        for endpoint in _endpoints(place, name, model)
    )


def _endpoints(place: str, name: str, model: UserModel) -> Iterator[Endpoint]:
    codec = UserModelCodec(signature=model.signature, beside=model.beside)

    def predict(service: Service, request: Request) -> Reply:
        chosen, inputs, form = codec.question_in_json(request.opened(MAX_BODY_BYTES))
        return chosen.reply(service.run(codec.run_name(name, chosen), inputs), form)

    def by_examples(method: str) -> Callable[[Service, Request], Reply]:
        def handle(service: Service, request: Request) -> Reply:
            document = examples.document_of(request.opened(MAX_BODY_BYTES))
            chosen = codec.chosen(document)
            inputs = examples.inputs(document, chosen.signature, model.method(chosen.signature.name), method)
            outputs = service.run(codec.run_name(name, chosen), inputs)
            return examples.reply(outputs, chosen.signature, method)

        return handle

    def status(service: Service, _request: Request) -> Reply:
        state = "LOADING" if service.loaded is None else "AVAILABLE"
        error = {"error_code": "OK", "error_message": ""}
        return json_reply({"model_version_status": [{"version": model.version, "state": state, "status": error}]})

    def metadata(_service: Service, _request: Request) -> Reply:
        spec = {"name": name, "signature_name": "", "version": model.version}
        return json_reply({"model_spec": spec, "metadata": {"signature_def": {"signature_def": model.signature_defs}}})

    yield _endpoint(f"{place}:predict", "POST", predict, operation(name, codec))
    for method in examples.METHODS:
        told_of = {"summary": f"{method.capitalize()} examples by the model {name}", "requestBody": _ASKED}
        yield _endpoint(f"{place}:{method}", "POST", by_examples(method), {**told_of, "responses": {"200": _RESULTS}})
    yield _endpoint(place, "GET", status, _told(f"The state of the model {name}", "model_version_status"))
    yield _endpoint(
        f"{place}/metadata", "GET", metadata, _told(f"The signatures of the model {name}", "metadata", "model_spec")
    )


def _endpoint(
    path: str, method: str, handle: Callable[[Service, Request], Reply], operation: dict[str, Any]
) -> Endpoint:
    return Endpoint(name=path, method=method, handle=handle, operation=operation, clause=CLAUSE, coded=False)


def _told(summary: str, *members: str) -> dict[str, Any]:
    answer = told(
        summary, properties={name: {} for name in members}, required=list(members), additionalProperties=False
    )
    return {"summary": summary, "responses": {"200": answer}}
