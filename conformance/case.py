"""The nouns of the suite: a case, what it expects, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, TypeAlias

from conformance.fate import Fate
from conformance.http_request import HttpRequest
from conformance.recipes import Recipe, part_from_json, part_to_json


class Level(StrEnum):
    """How binding a case is, in the words of RFC 2119. Only a broken MUST fails the gate."""

    MUST = "must"
    SHOULD = "should"
    MAY = "may"


class CaseVerdict(StrEnum):
    """What became of one case on one target."""

    RIGHT = "right"
    WRONG = "wrong"
    DIVERGES = "diverges"
    """It answers otherwise than the target it is held against, on the same server."""
    SERVERS_OWN = "servers_own"
    """The WSGI server refused the request before the application saw it, as the case lets it."""
    OBSERVED = "observed"
    """The target is not judged; expected and actual say what it does."""
    SKIPPED = "skipped"
    SETUP_FAULT = "setup_fault"
    """Nothing listened at the base URL: no case was tried."""
    HARNESS_FAULT = "harness_fault"
    """The suite itself failed, or ran out of time; nothing is said of the target."""


class Severity(IntEnum):
    """How bad a wrong answer is; the larger the worse, and worst of all is the one that looks right."""

    BYTES_ONLY = 1
    WRONG_4XX = 2
    SERVER_ERROR = 3
    """A 5xx for a client's error or for a good request, or no answer at all."""
    WRONG_2XX = 4
    SILENT_WRONG_ANSWER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A reference answer: `body`, posted to its endpoint, answers `expected` under `key`.

    `key` is the member of the answer's JSON, or of its TensorProto, that holds the prediction.

    `tolerance` is absolute, in the unit of the answer; matrices are compared element by element.
    """

    content_type: str
    body: bytes
    expected: Any
    key: str
    tolerance: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal figure."""
        return {
            "content_type": self.content_type,
            "body": part_to_json(self.body),
            "expected": self.expected,
            "key": self.key,
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Figure:
        """The inverse of `to_json`."""
        body = part_from_json(document["body"])
        if not isinstance(body, bytes):
            raise TypeError("a figure's body is bytes, never a recipe")
        return cls(
            content_type=document["content_type"],
            body=body,
            expected=document["expected"],
            key=document["key"],
            tolerance=document["tolerance"],
        )


Reference: TypeAlias = Mapping[str, Sequence[Figure]]
"""The figures of each endpoint, by the endpoint's name; they come from whoever knows the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the contract answers. Every answer is also held to the rules that all share (see `checks`).

    `shape` names a rule in `shapes.SHAPES`, `rows` is how many predictions a batch holds; `pointer` is the JSON
    Pointer in the text of an `invalid_input`; `headers` are exact, `absent` are header names; `marker` must not
    come back anywhere; `same_as` is a request whose answer this one equals, headers and body; `or_else` is another
    lawful answer.
    """

    status: int
    shape: str | None = None
    rows: int | None = None
    code: str | None = None
    pointer: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    absent: tuple[str, ...] = ()
    body: bytes | None = None
    marker: bytes | None = None
    same_as: HttpRequest | None = None
    or_else: Expectation | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal expectation."""
        return {
            "status": self.status,
            "shape": self.shape,
            "rows": self.rows,
            "code": self.code,
            "pointer": self.pointer,
            "headers": [list(pair) for pair in self.headers],
            "absent": list(self.absent),
            "body": None if self.body is None else part_to_json(self.body),
            "marker": None if self.marker is None else part_to_json(self.marker),
            "same_as": None if self.same_as is None else self.same_as.to_json(),
            "or_else": None if self.or_else is None else self.or_else.to_json(),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Expectation:
        """The inverse of `to_json`."""
        same_as, or_else = document["same_as"], document["or_else"]
        return cls(
            status=document["status"],
            shape=document["shape"],
            rows=document["rows"],
            code=document["code"],
            pointer=document["pointer"],
            headers=tuple((name, value) for name, value in document["headers"]),
            absent=tuple(document["absent"]),
            body=_bytes_or_none(document["body"]),
            marker=_bytes_or_none(document["marker"]),
            same_as=None if same_as is None else HttpRequest.from_json(same_as),
            or_else=None if or_else is None else Expectation.from_json(or_else),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One claim of the contract.

    `proves` is the claim in one sentence, `clause` where it stands. `request` None stands for every reference
    figure of the endpoint that is answered in the expected shape. `before` is sent first on the same connection,
    unjudged; `reconnect` then opens a new one, `pipelined` sends it in one go with the request. `beside` are sent at
    the same time on connections of their own, and each must be answered as it is alone. `connection` is what must
    become of the connection, None where only what is announced must come true. `server_may_refuse` allows a WSGI
    server to turn the request down itself. `parity` False keeps answers that differ by nature out of parity.
    """

    id: str
    proves: str
    clause: str
    endpoint: str
    request: HttpRequest | None
    expects: Expectation
    level: Level = Level.MUST
    before: tuple[HttpRequest, ...] = ()
    reconnect: bool = False
    pipelined: bool = False
    beside: tuple[HttpRequest, ...] = ()
    connection: Fate | None = None
    server_may_refuse: bool = False
    parity: bool = True

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal case."""
        return {
            "id": self.id,
            "proves": self.proves,
            "clause": self.clause,
            "endpoint": self.endpoint,
            "request": None if self.request is None else self.request.to_json(),
            "expects": self.expects.to_json(),
            "level": self.level.value,
            "before": [request.to_json() for request in self.before],
            "reconnect": self.reconnect,
            "pipelined": self.pipelined,
            "beside": [request.to_json() for request in self.beside],
            "connection": None if self.connection is None else self.connection.value,
            "server_may_refuse": self.server_may_refuse,
            "parity": self.parity,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Case:
        """The inverse of `to_json`."""
        request = document["request"]
        return cls(
            id=document["id"],
            proves=document["proves"],
            clause=document["clause"],
            endpoint=document["endpoint"],
            request=None if request is None else HttpRequest.from_json(request),
            expects=Expectation.from_json(document["expects"]),
            level=Level(document["level"]),
            before=tuple(HttpRequest.from_json(each) for each in document["before"]),
            reconnect=document["reconnect"],
            pipelined=document["pipelined"],
            beside=tuple(HttpRequest.from_json(each) for each in document["beside"]),
            connection=None if document["connection"] is None else Fate(document["connection"]),
            server_may_refuse=document["server_may_refuse"],
            parity=document["parity"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one case found on one target. `repeat` is the command line that shows it again.

    The connection's fate is judged by itself: `connection` is right or wrong, or observed, with `fate` in words; None
    where there was no exchange to judge.
    """

    case_id: str
    target: str
    verdict: CaseVerdict
    level: Level
    severity: Severity | None
    proves: str
    clause: str
    expected: str
    actual: str
    repeat: str
    connection: CaseVerdict | None = None
    fate: str = ""

    @property
    def breaks_a_must(self) -> bool:
        """Whether this finding alone keeps the target from passing."""
        wrong = self.verdict in (CaseVerdict.WRONG, CaseVerdict.DIVERGES) or self.connection is CaseVerdict.WRONG
        return wrong and self.level is Level.MUST

    @property
    def is_quiet(self) -> bool:
        """Whether there is nothing to tell: all is right."""
        return self.verdict is CaseVerdict.RIGHT and self.connection is not CaseVerdict.WRONG

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back to an equal finding."""
        return {
            "case": self.case_id,
            "target": self.target,
            "verdict": self.verdict.value,
            "level": self.level.value,
            "severity": None if self.severity is None else self.severity.name.lower(),
            "proves": self.proves,
            "clause": self.clause,
            "expected": self.expected,
            "actual": self.actual,
            "repeat": self.repeat,
            "connection": None if self.connection is None else self.connection.value,
            "fate": self.fate,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Finding:
        """The inverse of `to_json`."""
        severity = document["severity"]
        return cls(
            case_id=document["case"],
            target=document["target"],
            verdict=CaseVerdict(document["verdict"]),
            level=Level(document["level"]),
            severity=None if severity is None else Severity[severity.upper()],
            proves=document["proves"],
            clause=document["clause"],
            expected=document["expected"],
            actual=document["actual"],
            repeat=document["repeat"],
            connection=None if document["connection"] is None else CaseVerdict(document["connection"]),
            fate=document["fate"],
        )


def _bytes_or_none(document: dict[str, Any] | None) -> bytes | None:
    part: Recipe | None = None if document is None else part_from_json(document)
    if part is not None and not isinstance(part, bytes):
        raise TypeError("an expected body is bytes, never a recipe")
    return part
