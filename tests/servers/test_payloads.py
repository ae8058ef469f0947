"""The requests and the answers expected of them."""

from __future__ import annotations

import base64
import io
import json
from urllib.parse import parse_qs

import multipart
import numpy as np
import pytest
from PIL import Image

from conformance.tensor_messages import TensorProto
from servers.core.images import decode_image
from servers.models import payloads as module
from servers.models.datasets import dataset
from servers.models.payloads import ENCODINGS, Payload, payloads
from servers.models.reference import reference

EVERY = [(endpoint, encoding) for endpoint, encodings in ENCODINGS.items() for encoding in encodings]


def _picture(payload: Payload, encoding: str) -> bytes:
    """The picture file in a body, taken out by other code than that which put it in."""
    if encoding == "raw":
        return payload.body
    if encoding == "json":
        return base64.b64decode(json.loads(payload.body)["image"], validate=True)
    if encoding == "form":
        (text,) = parse_qs(payload.body.decode("ascii"), strict_parsing=True)["image"]
        return base64.b64decode(text, validate=True)
    kind, options = multipart.parse_options_header(payload.content_type)
    assert kind == "multipart/form-data"
    (part,) = multipart.MultipartParser(io.BytesIO(payload.body), options["boundary"])
    assert part.name == "image"
    assert part.content_type in ("image/jpeg", "image/png")
    return bytes(part.raw)


@pytest.mark.parametrize(("endpoint", "encoding"), EVERY)
def test_payloads_are_distinct_and_the_same_each_time(endpoint: str, encoding: str) -> None:
    """32 payloads have 32 bodies and names, and drawing them again gives the same bytes."""
    first = payloads(endpoint, encoding)
    assert len({payload.body for payload in first}) == len({payload.name for payload in first}) == 32
    module._pictures.cache_clear()
    module._chosen_pictures.cache_clear()
    assert payloads(endpoint, encoding) == first
    assert payloads(endpoint, encoding, count=5) == first[:5]


@pytest.mark.parametrize("endpoint", ["predict", "advanced_predict"])
def test_regression_bodies_say_what_their_answers_are_of(endpoint: str) -> None:
    """The reference, asked again with the numbers in the body, gives the expected answer in the answer's nesting."""
    keys = {"predict": ["feature"], "advanced_predict": ["feature1", "feature2"]}[endpoint]
    name = {"predict": "linear_regression", "advanced_predict": "advanced_regression"}[endpoint]
    for payload in payloads(endpoint, "json"):
        sent = json.loads(payload.body)
        assert list(sent) == keys
        assert tuple(sent.values()) == payload.features
        answer = reference(name, [list(sent.values())])
        assert payload.expected == (answer[0, 0] if endpoint == "predict" else answer.tolist())
        assert payload.expected_key == "prediction"
        assert json.loads(json.dumps(payload.expected)) == payload.expected


@pytest.mark.parametrize("encoding", ["instances", "protobuf"])
@pytest.mark.parametrize("endpoint", ["predict", "advanced_predict"])
def test_batches_say_what_their_answers_are_of(endpoint: str, encoding: str) -> None:
    """A batch, read by other code than wrote it, holds 16 rows and expects the reference's answer to each."""
    single = endpoint == "predict"
    name = "linear_regression" if single else "advanced_regression"
    for payload in payloads(endpoint, encoding):
        if encoding == "protobuf":
            sent = TensorProto.FromString(payload.body)
            sizes = [dim.size for dim in sent.tensor_shape.dim]
            rows = np.frombuffer(sent.tensor_content, "<f4").reshape(sizes)
            assert (sent.dtype, sizes) == (1, [module.BATCH_ROWS, 1 if single else 2])
        else:
            rows = np.array(json.loads(payload.body)["instances"])
            assert rows.shape == ((module.BATCH_ROWS,) if single else (module.BATCH_ROWS, 2))
            rows = rows.reshape(module.BATCH_ROWS, -1)
        np.testing.assert_allclose(rows.ravel(), payload.features, rtol=1e-7)
        answer = reference(name, np.reshape(payload.features, rows.shape))
        listed = single and encoding == "instances"
        assert payload.expected == (answer[:, 0] if listed else answer).tolist()


@pytest.mark.parametrize("endpoint", ["predict", "advanced_predict"])
def test_regression_numbers_are_always_written_as_floats(endpoint: str) -> None:
    """Also a round one: the article's float64 signature has no place for a JSON integer."""
    bodies = [json.loads(payload.body) for payload in payloads(endpoint, "json", 60)]
    numbers = [number for body in bodies for number in body.values()]
    assert {type(number) for number in numbers} == {float}
    assert any(number.is_integer() for number in numbers)


def test_regression_payloads_were_never_trained_on() -> None:
    """Every body mass index and blood pressure sent is a held-out patient's."""
    inputs, _ = dataset("diabetes").part(held_out=True)
    patients = {tuple(row) for row in inputs.tolist()}
    assert {payload.features for payload in payloads("advanced_predict", "json")} <= patients


@pytest.mark.parametrize("encoding", ENCODINGS["classify"])
def test_each_encoding_carries_the_picture_that_the_answer_is_of(encoding: str) -> None:
    """What a server takes out of the body is a whole picture as described, of the expected class by the margin."""
    for payload in payloads("classify", encoding, 12):
        data = _picture(payload, encoding)
        facts = payload.image
        assert facts is not None
        with Image.open(io.BytesIO(data)) as image:
            assert (image.get_format_mimetype(), image.size) == (facts.content_type, (facts.side, facts.side))
        assert len(data) == facts.size_bytes
        logits = np.sort(reference("digits_cnn", decode_image(data)[None] / 255.0)[0])
        assert logits[-1] - logits[-2] == pytest.approx(facts.margin)
        assert facts.margin >= module.MARGIN
        unsorted = reference("digits_cnn", decode_image(data)[None] / 255.0)[0]
        assert int(unsorted.argmax()) == payload.expected
        assert payload.expected_key == "predicted_class"


def test_the_same_pictures_go_in_every_encoding() -> None:
    """A comparison of encodings compares nothing else."""
    carried = [
        [_picture(payload, encoding) for payload in payloads("classify", encoding)]
        for encoding in ENCODINGS["classify"]
    ]
    assert carried == [carried[0]] * len(carried)


def test_pictures_cover_digits_sizes_and_formats() -> None:
    """The default set holds every digit, five sizes from 28 to 320, each as JPEG and as PNG."""
    facts = [payload.image for payload in payloads("classify", "form")]
    assert {fact.digit for fact in facts if fact} == set(range(10))
    assert {(fact.side, fact.content_type) for fact in facts if fact} == {
        (side, kind) for side in (28, 64, 160, 224, 320) for kind in ("image/jpeg", "image/png")
    }


@pytest.mark.parametrize(("endpoint", "encoding"), [("predict", "form"), ("classify", "gif"), ("healthz", "json")])
def test_unknown_kind_of_payload_is_refused(endpoint: str, encoding: str) -> None:
    """An encoding that an endpoint has not is an error that names both."""
    with pytest.raises(ValueError, match=f"no payloads for {endpoint} as {encoding}"):
        payloads(endpoint, encoding)


@pytest.mark.parametrize("endpoint", list(ENCODINGS))
def test_more_payloads_than_there_are_is_refused(endpoint: str) -> None:
    """No payload is sent twice to make up a number."""
    with pytest.raises(ValueError, match=r"distinct payloads, not 1000"):
        payloads(endpoint, ENCODINGS[endpoint][0], 1000)
