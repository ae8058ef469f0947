"""A server that has answered twenty thousand requests, good and hostile, is as large as after two thousand."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hostile_clients import CLIENTS, Siege
from mode_builds import saved_models

from servers import settings
from servers.launch import Server, launch
from servers.settings import Settings
from servers.target import Target

pytestmark = pytest.mark.stress

_FIRST: Final = 2_000
_LAST: Final = 20_000
_LIMIT: Final = 0.02
_PATIENCE_S: Final = 20.0
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


@pytest.mark.parametrize("mode", ["function", "lite"])
@pytest.mark.parametrize("wsgi_server", ["granian", "gunicorn"])
def test_memory_stays_where_it_was(
    wsgi_server: str, mode: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Resident memory after 20 000 requests is within two per cent of that after 2000."""
    growth = _growth(f"bottle+{wsgi_server}+{mode}", tmp_path / "log")
    record_property("rss_growth", round(growth, 4))
    assert growth <= _LIMIT


def test_memory_grows_under_the_allocators_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left to themselves, the allocators keep what hostile pictures and bodies took, thread by thread."""
    monkeypatch.setattr(settings, "MEMORY", {})
    assert _growth("bottle+granian+function", tmp_path / "log") > _LIMIT
