"""The generator beside wrk and Locust's own user, on this machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from servers.repository import REPOSITORY


@pytest.mark.noisy
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed (Debian's package of this name)")
def test_the_generator_is_as_fast_as_wrk() -> None:
    """In one run, in turns, on the same server with a core each, every bar holds."""
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "bench.py"), "calibrate", "--against", "wrk", "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr
    found = json.loads(done.stdout)
    assert not [bar for bar in found["bars"] if not bar["holds"]], found
