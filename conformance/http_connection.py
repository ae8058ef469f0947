"""Requests that were sent, all that came back, and whoever can send them: a socket, or a callable in this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from conformance.fate import Fate
from conformance.http_answer import HttpAnswer
from conformance.http_request import HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpExchange:
    """Requests sent in one go, and all that came back.

    `answers` are the final answers, in order; `problem` says what was wrong with the bytes, `surplus` are
    those after the last answer. `sent_all` is False where the server answered or left before it had the
    whole request.
    """

    answers: tuple[HttpAnswer, ...]
    fate: Fate
    problem: str | None = None
    surplus: bytes = b""
    sent_all: bool = True

    @property
    def answer(self) -> HttpAnswer | None:
        """The last answer, if there is one."""
        return self.answers[-1] if self.answers else None

    @property
    def reusable(self) -> bool:
        """Whether the same connection may carry another request."""
        kept = self.fate is Fate.KEPT and self.sent_all and not self.surplus and self.problem is None
        return kept and self.answer is not None and self.answer.keep_alive

    def describe(self) -> str:
        """One printable line."""
        seen = "no answer" if self.answer is None else self.answer.describe()
        parts = [seen, f"connection {self.fate}" if self.answer is None else "", self.problem or ""]
        if self.surplus:
            parts.append(f"{len(self.surplus)} bytes after the answer: {ascii(self.surplus[:60])[1:]}")
        return "; ".join(part for part in parts if part)


class HttpConnection(Protocol):
    """Whoever takes requests and says what became of them: a socket, or a callable in this process."""

    def __enter__(self) -> Self:
        """Itself."""
        ...

    def __exit__(self, *_exception: object) -> None:
        """Ends the connection."""
        ...

    def close(self) -> None:
        """Ends the connection; the next `ask` opens another."""
        ...

    def connects(self) -> bool:
        """Whether somebody is there."""
        ...

    def ask(self, *requests: HttpRequest) -> HttpExchange:
        """Sends requests in one go and reads an answer to each."""
        ...
