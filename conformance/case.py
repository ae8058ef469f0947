"""The nouns of the suite: a reference figure, what a case expects, and a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from conformance.fate import Fate
from conformance.finding import Level
from conformance.http_request import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A reference answer: `body`, posted to its endpoint, answers `expected` under `key`.

    `key` is the member of the answer's JSON, or of its TensorProto, that holds the prediction.

    `tolerance` is absolute, in the unit of the answer; matrices are compared element by element. `spread` is by how
    much the model's own answers to one question differ from call to call, 0 where they are the same bytes.
    """

    content_type: str
    body: bytes
    expected: Any
    key: str
    tolerance: float = 0.0
    spread: float = 0.0


Reference: TypeAlias = Mapping[str, Sequence[Figure]]
"""The figures of each endpoint, by the endpoint's name; they come from whoever knows the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the contract answers. Every answer is also held to the rules that all share (see `checks`).

    `shape` names a rule in `shapes.SHAPES`, `rows` is how many predictions a batch holds; `pointer` is the JSON
    Pointer in the text of an `invalid_input`; `headers` are exact, `absent` are header names; `marker` must not
    come back anywhere; `same_as` is a request whose answer this one equals, headers and body; `or_else` is another
    lawful answer. `coded` is False where an error has its text alone, as in other protocols; `figure` is what a request
    that is written out is answered with.
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
    coded: bool = True
    figure: Figure | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The head of every id, the endpoint, and what holds where a case does not say otherwise.

    `clause` is where most claims of the topic stand, `server_may_refuse` whether a WSGI server may turn its requests
    down by itself.
    """

    prefix: str
    endpoint: str
    clause: str = ""
    server_may_refuse: bool = False

    def case(
        self,
        name: str,
        proves: str,
        request: HttpRequest | None,
        expects: Expectation,
        clause: str = "",
        *,
        level: Level = Level.MUST,
        server_may_refuse: bool | None = None,
        parity: bool = True,
        before: tuple[HttpRequest, ...] = (),
    ) -> Case:
        """One case of the topic; `name` follows the prefix in its id."""
        return Case(
            id=f"{self.prefix}-{name}",
            proves=proves,
            clause=clause or self.clause,
            endpoint=self.endpoint,
            request=request,
            expects=expects,
            level=level,
            server_may_refuse=self.server_may_refuse if server_may_refuse is None else server_may_refuse,
            parity=parity,
            before=before,
        )
