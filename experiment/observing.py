"""What the article's code does with every case, each hostile one followed by a look at whether it still answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conformance.case import Case, Reference
from conformance.crowd import is_stuck
from conformance.http_request import HttpRequest
from conformance.observation import Behaviour, Observation
from conformance.session import Session
from experiment.errors import ExpectedError
from loadtests.endpoints import ENDPOINTS, PREDICT
from servers.fleet import START_TIMEOUT_S
from servers.launch import LaunchError, launch
from servers.models.payloads import payloads
from servers.settings import Settings
from servers.target import Target

_TIMEOUT_S: Final = 2.0
_PATIENCE_S: Final = 4.0
"""How long good requests may take, a thousand times what they do."""

_SUSPECT: Final = (Behaviour.SERVER_ERROR, Behaviour.DROPPED, Behaviour.HANGS)
"""What a request that has left a lock held, or a thread waiting, looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Observes native targets, two at a time, in processes of their own."""

    settings: Settings
    logs: Path
    reference: Reference

    def observe(
        self, targets: Sequence[Target], cases: Sequence[Case], told: Callable[[str], None]
    ) -> Mapping[str, Mapping[str, Observation]]:
        """Observations by target and case id; `told` hears of every case. Raises ExpectedError."""
        try:
            with ThreadPoolExecutor(2) as pool:
                found = pool.map(lambda target: dict(self._observed(target, cases, told)), targets)
                return {target.id: seen for target, seen in zip(targets, found, strict=True)}
        except LaunchError as error:
            raise ExpectedError(str(error), hint=f"its whole output is under {self.logs}") from error

    def _observed(
        self, target: Target, cases: Sequence[Case], told: Callable[[str], None]
    ) -> Iterator[tuple[str, Observation]]:
        waiting = list(cases)
        while waiting:
            # A process that a case has left unfit to answer would colour every case after it.
            with ExitStack() as stack:
                server = stack.enter_context(launch(target, replace(self.settings, port=0), self._log(target)))
                server.wait_ready(START_TIMEOUT_S)
                session = self._session(target, server.base_url)
                fit = True
                while waiting and fit:
                    case = waiting.pop(0)
                    told(f"{case.id} on {target.id}")
                    observation = self._one(session, case)
                    if observation is not None and observation.behaviour in _SUSPECT:
                        if is_stuck(server.base_url, _good_request(case), timeout_s=_PATIENCE_S):
                            fit = False
                            observation = _stuck(observation)
                        fit = fit and observation.behaviour is not Behaviour.HANGS
                    if observation is not None:
                        yield case.id, observation

    def _session(self, target: Target, base_url: str) -> Session:
        return Session(
            base_url=base_url, target=target.id, reference=self.reference, timeout_s=_TIMEOUT_S, judged=False
        )

    def _one(self, session: Session, case: Case) -> Observation | None:
        seen = session.observe(case)
        # What hangs once may have been slow; what hangs twice hangs.
        return session.observe(case) if seen is not None and seen.behaviour is Behaviour.HANGS else seen

    def _log(self, target: Target) -> Path:
        return self.logs / f"{target.id}.log"


def _good_request(case: Case) -> HttpRequest:
    """A request in the article's own encoding to the endpoint that the case is about."""
    endpoint = case.endpoint if case.endpoint in ENDPOINTS else PREDICT
    (good,) = payloads(endpoint, ENDPOINTS[endpoint].encodings[0], 1)
    return HttpRequest(target=f"/{endpoint}", content_type=good.content_type, body=good.body)


def _stuck(observation: Observation) -> Observation:
    text = (
        observation.text if observation.behaviour is Behaviour.HANGS else f"{observation.text}, then good requests hang"
    )
    return replace(observation, behaviour=Behaviour.STUCK, text=text)
