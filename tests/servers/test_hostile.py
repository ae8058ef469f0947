"""After each hostile request, of eight at a time on eight threads, the next good request is answered, and rightly.

And a server that has answered twenty thousand requests, good and hostile, is as large as after two thousand.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hostile_clients import CLIENTS, Siege
from hostile_requests import Attack, attacks, goods
from mode_builds import saved_models

from servers import settings
from servers.launch import Server, launch, start
from servers.registry import MODES
from servers.settings import Settings
from servers.target import Target

_START_S: Final = 180.0
_PATIENCE_S: Final = 20.0
"""For the short form, which shares its machine with other tests: a hang is told from an answer, and no more."""

_LIMIT_S: Final = 1.0
_FEW: Final = 60
_MANY: Final = 1000
_BATCH: Final = 4


def _settings(*, batch: int = 0) -> Settings:
    return Settings(
        models_dir=saved_models(), threads=CLIENTS, batch=batch, queue=2 * batch, deadline_ms=5000 if batch else 0
    )


def _besieged(server: Server, *, hostile: int, patience_s: float) -> Siege:
    server.wait_ready(_START_S)
    siege = Siege(base_url=server.base_url, hostile=hostile, patience_s=patience_s)
    siege.run(server.name)
    return siege


def _assert_held(siege: Siege, server: Server) -> None:
    """Every good request was answered, and the server is as it was: nothing traced, no executor dead."""
    assert not siege.failures, "\n".join(siege.failures)
    assert siege.done == siege.hostile
    metadata = server.metadata()
    assert metadata is not None
    assert metadata["retraces"] == 0
    for figures in metadata["batching"].values():
        assert figures["executor_deaths"] == figures["failed_batches"] == 0
        assert figures["queue_ms"]["count"] > 0


@pytest.mark.parametrize(
    ("mode", "batch"), [("function", 0), ("lite", 0), ("function", _BATCH), ("lite", _BATCH)], ids=str
)
def test_good_requests_are_answered_between_hostile_ones(mode: str, batch: int, tmp_path: Path) -> None:
    """Short form: broken bodies, wrong tensors, picture bombs and cut connections leave nobody waiting."""
    target = Target.parse(f"bottle+granian+{mode}")
    with launch(target, _settings(batch=batch), tmp_path / "log") as server:
        _assert_held(_besieged(server, hostile=_FEW, patience_s=_PATIENCE_S), server)


def test_naive_code_answers_nobody_after_a_hostile_request(tmp_path: Path) -> None:
    """The same siege of code that calls a polymorphic function ends with good requests that wait in vain."""

    def command(settings: Settings) -> list[str]:
        return [
            *(settings.python, "-m", "granian", "--interface", "wsgi", "--no-ws", "--log-level", "warning"),
            *("--host", settings.host, "--port", str(settings.port), "--blocking-threads", str(settings.threads)),
            "tests.support.naive_app:app",
        ]

    with start("naive", command, _settings(), tmp_path / "log", contract=False) as server:
        server.wait_ready(_START_S)
        siege = Siege(
            base_url=server.base_url,
            hostile=_MANY,
            patience_s=2.0,
            good=[(endpoint, payload) for endpoint, payload in goods() if payload.name.startswith("predict-0")],
        )
        siege.run(server.name)
    assert any("connection timed out" in failure for failure in siege.failures)


def test_the_same_seed_sends_the_same_requests() -> None:
    """A failure is repeated by its seed; another seed sends others."""

    def sent(seed: int) -> list[Attack]:
        return [attack for attack, _ in zip(attacks(seed), range(_FEW), strict=False)]

    assert sent(1) == sent(1)
    assert sent(1) != sent(2)


@pytest.mark.stress
@pytest.mark.parametrize(
    ("target", "batch"),
    [
        *(pytest.param(f"bottle+granian+{mode}", 0, id=f"bottle+granian+{mode}") for mode in MODES),
        *((f"bottle+granian+{mode}", _BATCH) for mode in ("function", "lite")),
        ("flask+granian+function", 0),
        ("flask+gunicorn+function", 0),
        ("bottle+gunicorn+lite", 0),
        ("bottle+waitress+function", 0),
    ],
)
def test_every_mode_withstands_a_thousand_hostile_requests(
    target: str, batch: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After each of 1000 hostile requests the next good one is answered within a second."""
    with launch(Target.parse(target), _settings(batch=batch), tmp_path / "log") as server:
        siege = _besieged(server, hostile=_MANY, patience_s=_LIMIT_S)
        record_property("slowest_good_answer_s", round(siege.slowest_s, 4))
        _assert_held(siege, server)


_FIRST: Final = 2_000
_LAST: Final = 20_000
_MOST_GROWTH: Final = 0.02
_REST_S: Final = 3.0
"""Long enough for every thread to have let go of its last request, and for jemalloc to have given its memory back."""


def _sent(server: Server, requests: int, seed: int) -> None:
    """Half of them hostile, and a good one after each: every endpoint in every encoding, batches among them."""
    siege = Siege(base_url=server.base_url, hostile=requests // 2, patience_s=_PATIENCE_S, seed=seed)
    siege.run(server.name)
    assert not siege.failures, "\n".join(siege.failures)


def _resident_mib(server: Server) -> float:
    """Resident memory of all its processes."""
    time.sleep(_REST_S)
    return server.rss_mib()


def _growth(target: str, log: Path) -> float:
    """How much larger the server is after the last request than after the first two thousand; 0.01 is one per cent."""
    with launch(Target.parse(target), Settings(models_dir=saved_models(), threads=CLIENTS), log) as server:
        server.wait_ready(180)
        ready_mib = _resident_mib(server)
        _sent(server, _FIRST, seed=1)
        first_mib = _resident_mib(server)
        _sent(server, _LAST - _FIRST, seed=2)
        last_mib = _resident_mib(server)
    print(f"resident MiB: {ready_mib:.0f} ready, {first_mib:.0f} after {_FIRST}, {last_mib:.0f} after {_LAST}")
    return last_mib / first_mib - 1


@pytest.mark.stress
@pytest.mark.parametrize("mode", ["function", "lite"])
@pytest.mark.parametrize("wsgi_server", ["granian", "gunicorn"])
def test_memory_stays_where_it_was(
    wsgi_server: str, mode: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Resident memory after 20 000 requests is within two per cent of that after 2000."""
    growth = _growth(f"bottle+{wsgi_server}+{mode}", tmp_path / "log")
    record_property("rss_growth", round(growth, 4))
    assert growth <= _MOST_GROWTH


@pytest.mark.stress
def test_memory_grows_under_the_allocators_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to themselves, the allocators keep what hostile pictures and bodies took, thread by thread."""
    monkeypatch.setattr(settings, "MEMORY", {})
    assert _growth("bottle+granian+function", tmp_path / "log") > _MOST_GROWTH
