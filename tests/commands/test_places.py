"""The main job where users have it: machines and surroundings that are set up otherwise than a developer's.

Each place is made for one command and goes with it: a namespace of the network or of mounts, a core, variables, a path.
There `check` and `run` end well, or with one line that is true.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from processes import copied

pytestmark = pytest.mark.places

_NO_IPV6 = 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up && exec "$@"'
_IPV6_FIRST = 'printf "::1 localhost\\n127.0.0.1 localhost\\n" > hosts && mount --bind hosts /etc/hosts && exec "$@"'
_SEALED = 'mount --bind "$SEALED" "$SEALED" && mount -o remount,bind,ro "$SEALED" && exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command is run: in the shell line `inside` (which ends by running it), or behind the words `before`.

    `folder` is the clone's, `sealed` what cannot be written there: the home, or the clone.
    """

    inside: str | None = None
    network: bool = False
    before: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    folder: str = "titrate"
    sealed: str | None = None

    def words(self) -> list[str]:
        """What is typed before the command."""
        if self.inside is None:
            return list(self.before)
        return ["unshare", "-n" if self.network else "-m", "sh", "-c", self.inside, "sh"]


_DEAD_PROXY = "http://127.0.0.1:9"
PLACES = {
    "no IPv6": Place(inside=_NO_IPV6, network=True),
    "::1 first": Place(inside=_IPV6_FIRST),
    "one core": Place(before=("taskset", "-c", "0")),
    "a proxy": Place(variables={f"{name}_PROXY": _DEAD_PROXY for name in ("HTTP", "HTTPS", "ALL")}),
    "a proxy, in small letters": Place(variables={f"{name}_proxy": _DEAD_PROXY for name in ("http", "https", "all")}),
    "no locale": Place(variables={"LANG": "C", "LC_ALL": "C"}),
    "ASCII alone": Place(variables={"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    "a path in other letters": Place(folder="Über uns/Maß & Ziel (2)"),
    "a read-only home": Place(inside=_SEALED, sealed="home"),
    "a read-only clone": Place(inside=_SEALED, sealed="clone"),
}


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def is_one_true_line(self, words: str) -> bool:
        """Whether it ended as what cannot go on ends, with a line that says so."""
        said, hint = ["", "", *self.err.splitlines()][-2:]
        return self.code == 3 and said.startswith("bench.py: ") and words in said and hint.startswith("hint: ")


class Settled:
    """A clone in a place."""

    def __init__(self, place: Place, below: Path) -> None:
        self.place = place
        self.clone = copied(below / place.folder)
        self.home = below / "home"
        self.home.mkdir()
        self.out = below / "run"

    def bench(self, *words: str) -> Done:
        """`bench.py` there, from a pipe, with no variable that leads it elsewhere."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TITRATE_", "XDG_", "LC_", "PYTHON")) and not name.lower().endswith("_proxy")
        }
        sealed = {"home": str(self.home), "clone": str(self.clone)}.get(self.place.sealed or "", "")
        surroundings = {**kept, "HOME": str(self.home), "LANG": "C.UTF-8", "TITRATE_NO_SETUP": "1", "SEALED": sealed}
        done = subprocess.run(
            [*self.place.words(), sys.executable, "bench.py", *words],
            cwd=self.clone,
            env={**surroundings, **self.place.variables},
            capture_output=True,
            check=False,
            timeout=900,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


@pytest.fixture(name="settled", params=PLACES)
def a_clone_in_a_place(request: pytest.FixtureRequest, tmp_path: Path) -> Settled:
    """A clone in each of the places, as far as this machine can make it."""
    place = PLACES[request.param]
    if place.inside and os.geteuid():
        pytest.skip("namespaces need root")
    return Settled(place, tmp_path)


def test_checks_and_measures(settled: Settled) -> None:
    """Ends with answers alike and a report; where nothing can be written, one line names the folder."""
    checked = settled.bench("check", "--targets", "bottle+granian,flask+gunicorn")
    ran = settled.bench("run", "--plan", "smoke", "--out", str(settled.out))
    for done in (checked, ran):
        assert "Traceback" not in done.out + done.err, done.err
        assert "Exception" not in done.out + done.err, done.err
    print(f"\n{checked.code} {checked.out.splitlines()[-1:]}\n{ran.code} {ran.out.splitlines()[:2]}")
    if settled.place.sealed == "clone":
        assert checked.is_one_true_line(str(settled.clone)), checked.err
        assert ran.is_one_true_line(str(settled.clone)), ran.err
        return
    assert checked.code == 0, checked.err
    # 3 is an answer too: plan smoke has two blocks, which may decide nothing.
    assert ran.code in (0, 3), ran.err
    summary = json.loads((settled.out / "summary.json").read_text(encoding="utf-8"))
    assert summary["complete"], ran.err
    measured = [row for row in summary["results"] if row["requests"]]
    assert measured
    assert not any(row["errors"] for row in measured)
