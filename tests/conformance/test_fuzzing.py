"""Generated requests: the drawing repeats, the judge finds planted faults, and the three adapters have none."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from case_style import faults
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from commands.fuzz import apps, picture_decoders
from conformance.contract import BODY_LIMIT_BYTES
from conformance.documents import case_of
from conformance.expect import JSON, PREDICT, get, post
from conformance.fate import Fate
from conformance.finding import CaseVerdict
from conformance.fuzzing import draw, jpeg_coding, whole_pictures
from conformance.fuzzing.differential import Differential, repeat_command, run
from conformance.fuzzing.faults import FoundFault, as_case, smallest, write_cases
from conformance.fuzzing.judge import judged
from conformance.fuzzing.oracle import GOOD, lawful
from conformance.http_answer import HttpAnswer
from conformance.http_connection import HttpExchange
from conformance.recipes import Repeat
from conformance.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.http_request import HttpRequest
    from servers.core.service import Service

SEED = 20_260_101
ERROR = b'{"code":"%s","error":"no"}'


@pytest.fixture(name="differential", scope="module")
def _differential(served: Service) -> Differential:
    return Differential(apps(served), validated=True)


def test_adapters_are_alike_and_lawful_on_drawn_requests(differential: Differential) -> None:
    """Two thousand requests of a fixed seed find no 5xx, no difference, nothing unlawful and no breach of PEP 3333."""
    print(f"seed {SEED}")
    tally = run(differential, seed=SEED, first=0, requests=2000)
    assert {signature: found.fault.detail for signature, found in tally.found.items()} == {}
    assert tally.requests == 2000
    # A generator that only got refused would prove little.
    assert {"200", "204", "400", "404", "405", "415"} <= set(tally.statuses)
    assert tally.statuses["200"] > 400


@seed(SEED)
@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_adapters_are_alike_under_hypothesis(differential: Differential, random: Random) -> None:
    """The same generator behind Hypothesis, which shrinks whatever it finds, finds nothing."""
    request = draw.drawn(random)
    fault = differential.fault(request)
    assert fault is None, (fault, request)


def test_a_number_of_a_seed_is_one_request() -> None:
    """The same seed and number give the same request, and others another."""
    assert draw.at(3, 41) == draw.at(3, 41)
    drawn = [draw.at(seed, number) for seed in (1, 2) for number in range(50)]
    assert len({request.wire("h") for request in drawn}) > 90


def test_drawn_requests_go_onto_the_wire() -> None:
    """Every request has a request line and headers that stay lines."""
    for number in range(500):
        request = draw.at(SEED, number)
        head = request.wire("h").partition(b"\r\n\r\n")[0]
        assert len(head.split(b"\r\n")) == len(head.splitlines())
        assert head.split(b"\r\n")[0].count(b" ") == 2


@pytest.mark.parametrize(
    ("request_", "codes"),
    [
        (PREDICT, {GOOD}),
        (get("/nope"), {"not_found"}),
        (get("/healthz", "HEAD"), {GOOD}),
        (get("/predict"), {"method_not_allowed"}),
        (replace(PREDICT, target="/pr%65dict?a=b"), {GOOD}),
        (replace(PREDICT, target="/predict%FF"), {"not_found"}),
        (post("/predict", Repeat(unit=b" ", times=BODY_LIMIT_BYTES + 1), "text/plain"), {"body_too_large"}),
        (post("/predict", b"{", "text/plain"), {"unsupported_media_type"}),
        (post("/predict", b"{", None), {"unsupported_media_type"}),
        (post("/predict", b"{", f"{JSON} ; x=y"), {"unsupported_media_type", "malformed_json"}),
        (replace(PREDICT, headers=(("Content-Encoding", "gzip"),)), {"unsupported_media_type"}),
        (replace(PREDICT, declared_length=99), {"incomplete_body"}),
        (post("/predict", b'{"feature":NaN}'), {"malformed_json"}),
        (post("/predict", b'{"feature":1,"feature":1}'), {"malformed_json"}),
        (post("/predict", b'{"feature":1,"x":"\\ud800"}'), {"malformed_json"}),
        (post("/predict", b'{"feature":1,"x":' + b"[" * 64 + b"]" * 64 + b"}"), {"malformed_json"}),
        (post("/predict", b'{"feature":1,"x":' + b"[" * 63 + b"]" * 63 + b"}"), {GOOD}),
        (post("/predict", b'{"feature":true}'), {"invalid_input"}),
        (post("/predict", b'{"feature":1,"instances":[1]}'), {"invalid_input"}),
        (post("/predict", b'{"feature":3.4e38}'), {GOOD, "invalid_input"}),
        (post("/advanced_predict", b'{"instances":[[1,2],[3,4]]}'), {GOOD}),
        (post("/advanced_predict", b'{"instances":[[1,2],[3]]}'), {"invalid_input"}),
        (post("/classify", b'{"image":1}'), {"invalid_input"}),
        (post("/classify", b"GIF89a", "image/png"), {GOOD, "invalid_image"}),
    ],
)
def test_lawful_answers(request_: HttpRequest, codes: set[str]) -> None:
    """The second reading of the contract names the code, or each where it cannot tell."""
    assert lawful(request_) == codes


def _answer(status: int, body: bytes, kind: str = JSON) -> HttpExchange:
    headers = (("Content-Type", kind), ("Content-Length", str(len(body))))
    return HttpExchange(
        answers=(HttpAnswer(status=status, headers=headers, body=body, keep_alive=True),), fate=Fate.KEPT
    )


GOOD_ANSWER = _answer(200, b'{"prediction":1.0}')


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        (GOOD_ANSWER, _answer(200, b'{"prediction":1.5}'), "differs"),
        (GOOD_ANSWER, _answer(200, b'{"prediction":1.0}', "text/html"), "differs"),
        (GOOD_ANSWER, _answer(500, ERROR % b"internal"), "5xx"),
        (GOOD_ANSWER, HttpExchange(answers=(), fate=Fate.TIMED_OUT), "hang"),
        (GOOD_ANSWER, HttpExchange(answers=(), fate=Fate.RESET, problem="x"), "no answer"),
        (_answer(400, ERROR % b"invalid_input"), _answer(400, ERROR % b"invalid_input"), "unlawful"),
        (_answer(200, b'{"prediction": 1.0}'), _answer(200, b'{"prediction": 1.0}'), "form"),
        (_answer(200, b'{"prediction":NaN}'), _answer(200, b'{"prediction":NaN}'), "form"),
    ],
)
def test_judge_finds_each_kind_of_fault(one: HttpExchange, other: HttpExchange, kind: str) -> None:
    """A difference, a 5xx, a hang, silence, an unlawful code and an answer out of form are told apart."""
    assert judged(PREDICT, {"a": GOOD_ANSWER, "b": GOOD_ANSWER}) is None
    fault = judged(PREDICT, {"a": one, "b": other})
    assert fault is not None
    assert fault.signature.startswith(f"{kind} POST /predict application/json")


def test_only_metadata_of_two_processes_may_differ() -> None:
    """Over sockets `/metadata` tells of different processes; its status, and every other answer, is still compared."""
    seen = {"a": _answer(200, b'{"pid":1}'), "b": _answer(200, b'{"pid":12}')}
    alike = {name: _answer(200, b'{"status":"alive"}') for name in seen}
    assert judged(get("/healthz"), alike, server=True) is None
    assert judged(get("/metadat%61?x"), seen, server=True) is None
    for request, server in ((get("/metadata"), False), (get("/healthz"), True)):
        fault = judged(request, seen, server=server)
        assert fault is not None
        assert fault.signature.startswith("differs")
    assert judged(get("/metadata"), seen | {"b": _answer(404, ERROR % b"not_found")}, server=True) is not None


def test_a_planted_divergence_is_found_shrunk_and_kept(served: Service, tmp_path: Path) -> None:
    """A framework that merges slashes is found; what is kept is a small case, and red on that framework."""
    planted = Differential(apps(served))
    right = planted._asked["bottle"]

    def lenient(environ: dict[str, Any], start_response: Any) -> Any:
        return right._app(
            environ | {"PATH_INFO": environ["PATH_INFO"].replace("//", "/"), "REQUEST_URI": ""}, start_response
        )

    planted._asked["bottle"] = type(right)(lenient, validated=False)
    tally = run(planted, seed=SEED, first=1300, requests=700)
    found = [each for signature, each in tally.found.items() if signature.startswith("differs")]
    assert found
    assert all("wsgi-bottle" in each.fault.signature for each in found)
    shrunk = [planted.shrunk(each) for each in found]
    for before, after in zip(found, shrunk, strict=True):
        assert after.fault.signature == before.fault.signature
        assert len(after.request.wire("h")) <= len(before.request.wire("h"))
    cases = [case_of(json.loads(line)) for line in write_cases(shrunk, tmp_path).read_text().splitlines()]
    assert faults(cases) == []
    for framework, wanted in (("wsgi", {CaseVerdict.RIGHT}), ("bottle", {CaseVerdict.WRONG})):
        session = Session(
            base_url="", target=framework, connect=lambda name=framework: planted._asked[name], repeat=_no
        )
        assert {session.run(case).verdict for case in cases} == wanted


def _no(_case_id: str) -> list[str]:
    return []


def test_shrinking_keeps_the_fault_and_drops_the_rest() -> None:
    """What does not matter goes: headers, query, chunks, and all of the body but what the fault needs."""
    big = replace(
        PREDICT, target="/predict?a=b", headers=(("X-A", "1"), ("Accept", "x")), body=b"a" * 300 + b"!" + b"b" * 300
    )
    small = smallest(big, lambda request: b"!" in request.body)
    assert (small.target, small.headers, small.body) == ("/predict", (), b"!")


def test_cases_say_where_they_come_from() -> None:
    """A written case is data that reads as one text with the others, and its command names seed and number."""
    request = post("/predict", b'{"feature":NaN}')
    fault = judged(request, {"a": GOOD_ANSWER, "b": GOOD_ANSWER})
    assert fault is not None
    found = FoundFault(fault=fault, request=request, seed=7, index=9, repeat=repeat_command(7, 9))
    case = as_case(found)
    assert faults([case]) == []
    assert (case.expects.status, case.expects.code) == (400, "malformed_json")
    assert found.repeat == "python3 bench.py fuzz repeat 7 9"


def test_whole_pictures_are_decoded_as_tensorflow_does() -> None:
    """Drawn pictures of a fixed seed, every kind among them, come out within a level or are refused by their name."""
    ours, theirs = picture_decoders()
    tally = whole_pictures.run(ours, theirs, seed=SEED, numbers=range(150))
    assert tally.faults == []
    assert tally.alike.total() > 120
    kinds = " ".join(whole_pictures.at(SEED, number).kind for number in range(150))
    for word in ("interlaced", "16 bits", "tRNS", "iCCP", "acTL", "arithmetic", "progressive True", "CMYK", "Adobe 2"):
        assert word in kinds


@pytest.mark.parametrize(
    ("mine", "other", "words"),
    [
        (np.full((2, 2, 3), 9, np.uint8), np.full((2, 2, 3), 7, np.uint8), "2 levels apart"),
        (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 1, 3), np.uint8), "of the shape"),
        ("a JPEG of 12 bits", np.zeros((2, 2, 3), np.uint8), "it can be decoded"),
        ("a damaged JPEG", "no such precision", "called damaged"),
        (np.zeros((2, 2, 3), np.uint8), "no such precision", "the other refuses it"),
    ],
)
def test_the_judge_of_decoders_finds_each_fault(mine: Any, other: Any, words: str) -> None:
    """Levels too far apart, another shape, a refusal on one side, and a wrong name are each told."""
    picture = whole_pictures.at(1, 1)
    tally = whole_pictures.PictureTally()
    assert words in str(whole_pictures.judged(picture, lambda *_: mine, lambda *_: other, tally))
    assert whole_pictures.judged(picture, lambda *_: other, lambda *_: other, tally) is None


def test_both_codes_of_a_jpeg_hold_one_picture() -> None:
    """The same blocks in Huffman and in arithmetic coding are decoded alike, and into more than one level."""
    ours, _ = picture_decoders()
    decoded = []
    for arithmetic in (False, True):
        data = jpeg_coding.coded(
            Random(3),  # noqa: S311 - test data, to be drawn again
            (29, 17),
            jpeg_coding.JpegCoding(factors=((2, 2), (1, 1), (1, 1)), arithmetic=arithmetic, restart=1, joined=True),
        )
        levels = ours(data, 29, 17)
        assert not isinstance(levels, str)
        decoded.append(levels)
    np.testing.assert_array_equal(*decoded)
    assert len(np.unique(decoded[0])) > 100
