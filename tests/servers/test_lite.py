"""Interpreters of mode `lite`: made before the first request, one for each call under way, and never while serving."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from mode_builds import saved_models

from servers.core.mode import Built
from servers.core.modes import lite
from servers.core.source import Source, build
from servers.models.catalog import MODELS
from servers.models.datasets import probes
from servers.models.reference import ATOL, RTOL, reference
from servers.repository import REPOSITORY
from servers.settings import Settings

pytest.importorskip("ai_edge_litert")

_CALLERS = 8
_NAME = "linear_regression"


class _Watched:
    """The real interpreter, counted; with a barrier, no run ends before so many are under way."""

    made = 0
    together: threading.Barrier | None = None
    kind: Any

    def __init__(self, **options: Any) -> None:
        type(self).made += 1
        self._real = type(self).kind(**options)

    def invoke(self) -> None:
        if self.together is not None:
            self.together.wait(30)
        self._real.invoke()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture(name="watched")
def _watched(monkeypatch: pytest.MonkeyPatch) -> type[_Watched]:
    kind = type("Watched", (_Watched,), {"kind": lite._interpreter_type()})
    monkeypatch.setattr(lite, "_interpreter_type", lambda: kind)
    return kind


def _called_at_once(built: Built, watched: type[_Watched]) -> None:
    watched.together = threading.Barrier(_CALLERS)
    rows = probes(_NAME, _CALLERS)
    with ThreadPoolExecutor(_CALLERS) as pool:
        answers = list(pool.map(lambda at: built.predict(rows[at : at + 1]), range(_CALLERS)))
    np.testing.assert_allclose(np.concatenate(answers), reference(_NAME, rows), rtol=RTOL, atol=ATOL)
    watched.together = None


def test_no_call_waits_for_an_interpreter_to_be_made(watched: type[_Watched]) -> None:
    """What was reserved serves as many calls at once, from threads that never called before, and later ones."""
    built = build("lite", Source(model=MODELS[_NAME], folder=saved_models()))
    built.reserve(_CALLERS)
    assert watched.made == _CALLERS
    for _ in range(3):
        _called_at_once(built, watched)
    assert watched.made == _CALLERS


def test_without_a_reserve_the_first_calls_pay(watched: type[_Watched]) -> None:
    """More calls at once than interpreters are answered all the same: each makes what is missing, and it is kept."""
    built = build("lite", Source(model=MODELS[_NAME], folder=saved_models()))
    assert watched.made == 0
    for _ in range(2):
        _called_at_once(built, watched)
        assert watched.made == _CALLERS


def test_a_call_that_fails_gives_its_interpreter_back(watched: type[_Watched]) -> None:
    """A run that raises leaves no interpreter behind, and the next call is answered."""
    built = build("lite", Source(model=MODELS[_NAME], folder=saved_models()))
    built.reserve(1)
    watched.together = threading.Barrier(1)
    watched.together.abort()
    with pytest.raises(threading.BrokenBarrierError):
        built.predict(probes(_NAME, 1))
    watched.together = None
    row = probes(_NAME, 1)
    np.testing.assert_allclose(built.predict(row), reference(_NAME, row), rtol=RTOL, atol=ATOL)
    assert watched.made == 1


_LOADING = """
import json, sys
from pathlib import Path
from servers.core.loading import load
from servers.core.modes import lite

made = []
real = lite._interpreter_type()
def counted(**options):
    made.append(len(options["model_content"]))
    return real(**options)
lite._interpreter_type = lambda: counted
sizes = tuple(json.loads(sys.argv[2]))
load(mode="lite", device="cpu", folder=Path(sys.argv[1]), intra=1, inter=1, batch_sizes=sizes, callers=8)
print(json.dumps({str(size): made.count(size) for size in sorted(set(made))}))
"""


@pytest.mark.parametrize(("batch_sizes", "of_the_largest"), [([1], 8), ([1, 2, 4], 1)])
def test_loading_reserves_for_every_thread(batch_sizes: list[int], of_the_largest: int) -> None:
    """Each model gets an interpreter a request thread; one that is batched is called by the executor alone."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADING, str(saved_models()), json.dumps(batch_sizes)],
        env={**os.environ, **Settings(models_dir=saved_models()).environment("test"), "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    # By size of the flatbuffer: the classifier's is the largest.
    *regressions, classifier = json.loads(done.stdout.splitlines()[-1]).values()
    assert set(regressions) <= {8, 16}
    assert sum(regressions) == 16
    assert classifier == of_the_largest
