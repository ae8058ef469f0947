"""The first start: nothing is there but Python, and one command brings the rest or says in one line why it cannot.

`bare` tests work in roots that debootstrap makes, as root, and need a network; the others go as far as a Python without
packages goes (`-S`: no site-packages).
"""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from processes import copied

from commands import fetching, setting_up
from servers.repository import REPOSITORY

BARE = (sys.executable, "-S")
ROOTS = {
    "bookworm": ("bookworm", "python3,python3-pip,git,ca-certificates"),
    "trixie": ("trixie", "python3,python3-pip,git,ca-certificates"),
    "without-pip": ("bookworm", "python3,python3-venv,git,ca-certificates"),
}
HERE = "/srv/titrate"


@pytest.fixture(name="clone", scope="module")
def a_clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows, as they are now, and no environment."""
    return copied(tmp_path_factory.mktemp("first") / "titrate")


def started(
    clone: Path, *words: str, python: tuple[str, ...] = BARE, **variables: str
) -> subprocess.CompletedProcess[str]:
    """`bench.py` of the clone, in a Python that has no packages."""
    environment = {name: value for name, value in os.environ.items() if name != setting_up.FORBID_VARIABLE}
    return subprocess.run(
        [*python, "bench.py", *words],
        cwd=clone,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("file", [setting_up.__file__, fetching.__file__, str(REPOSITORY / "bench.py")])
def test_it_parses_on_an_old_python(file: str) -> None:
    """What runs before there is an environment is Python 3.7, so that an older one than ours is told so in a line."""
    ast.parse(Path(file).read_text(encoding="utf-8"), feature_version=(3, 7))


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("compare", "--help")])
def test_help_needs_no_package(clone: Path, words: tuple[str, ...]) -> None:
    """`--help` is answered at once, by a Python that has nothing: nobody fetches 860 MB to read it."""
    done = started(clone, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: bench.py")


def test_a_wrong_command_line_fetches_nothing(clone: Path) -> None:
    """What cannot be is refused before anything is fetched."""
    done = started(clone, "run", "--scenario", "predict@16")
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["bench.py: unknown option '--scenario'", "hint: did you mean --scenarios?"]
    assert not (clone / ".cache").exists()


@pytest.mark.parametrize("words", [("--no-setup", "list", "plans"), ("list", "plans", "--no-setup"), ("list", "plans")])
def test_it_can_be_forbidden(clone: Path, words: tuple[str, ...]) -> None:
    """An option, wherever it stands, and a variable forbid it; then one line says which package is missing."""
    said = {} if "--no-setup" in words else {setting_up.FORBID_VARIABLE: "1"}
    done = started(clone, *words, **said)
    assert done.returncode == 3
    assert "has no package 'msgspec'" in done.stderr.splitlines()[0]
    assert len(done.stderr.splitlines()) == 2
    assert not (clone / ".cache").exists()


def test_an_error_of_ours_stays_an_error() -> None:
    """A module of this repository that is missing is a bug, and raised."""
    with pytest.raises(ModuleNotFoundError):
        setting_up.lacking(ModuleNotFoundError(name="experiment.cheese"))


@pytest.mark.parametrize(
    ("uv_says", "comes_to"),
    [
        ("error: Failed to fetch: `https://index/x`\n  Caused by: dns error", "the package index cannot be reached"),
        ("error: failed to write to file: No space left on device (os error 28)", "the disk is full"),
        ("error: No interpreter found for Python >=3.11,<3.14 in search path", "uv found no Python 3.11 to 3.13"),
        ("a line\nerror: something of its own\n", "uv: error: something of its own; all that it said is in"),
        (
            "error: Failed to fetch\n  Caused by: 403 Forbidden",
            "uv: error: Failed to fetch (Caused by: 403 Forbidden);",
        ),
    ],
)
def test_what_stops_it_is_one_line(clone: Path, tmp_path: Path, uv_says: str, comes_to: str) -> None:
    """Whatever uv has to say, its user reads one line under the two of the announcement, and the next call goes on."""
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo uv 9.0.0 && exit\ncat >&2 <<"X"\n{uv_says}\nX\nexit 2\n')
    uv.chmod(0o755)
    done = started(clone, "list", PATH=f"{tmp_path}:{os.environ['PATH']}")
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (3, "")
    assert lines[0].startswith("bench.py: first start: fetching the packages of uv.lock, about ")
    assert lines[0].endswith(f"into {clone / '.venv'}")
    assert comes_to in lines[-1]
    assert lines[-1].endswith("(the next call goes on from here)")
    assert lines[2:-1] == [line for line in uv_says.splitlines()[:-1] if "error" not in uv_says.splitlines()[0]]
    assert (clone / ".cache" / "setup" / "state").read_text().startswith("begun")


def test_it_can_be_interrupted(clone: Path, tmp_path: Path) -> None:
    """Ctrl-C and SIGTERM end uv too, and say in one line that the next call goes on."""
    uv = tmp_path / "uv"
    uv.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo uv 9.0.0 && exit\necho $$ > {tmp_path}/pid\nexec sleep 60\n'
    )
    uv.chmod(0o755)
    for stop in (signal.SIGINT, signal.SIGTERM):
        (tmp_path / "pid").unlink(missing_ok=True)
        path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", setting_up.FORBID_VARIABLE: ""}
        with subprocess.Popen(
            [*BARE, "bench.py", "list"], cwd=clone, env=path, stderr=subprocess.PIPE, text=True
        ) as process:
            while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
                time.sleep(0.02)
            process.send_signal(stop)
            _, said = process.communicate(timeout=20)
        assert process.returncode == 130
        assert said.splitlines()[2:] == ["bench.py: interrupted; the next call goes on from here"]
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)


def test_the_size_is_that_of_the_lock_file() -> None:
    """What is announced is within a tenth of what uv fetches for this Python: wheels of the default groups."""
    lock = tomllib.loads((REPOSITORY / "uv.lock").read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "uv", "export", "--frozen", "--no-hashes", "--no-annotate", "--no-header", "-q"]
    exported = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    wanted = [Requirement(line) for line in exported.splitlines() if line]
    chosen = {
        (canonicalize_name(one.name), str(one.specifier)[2:])
        for one in wanted
        if not one.marker or one.marker.evaluate()
    }
    rank = {tag: at for at, tag in enumerate(sys_tags())}
    total = 0
    for package in lock["package"]:
        if (package["name"], package.get("version")) in chosen:
            fits = [
                (min(rank[tag] for tag in tags), wheel["size"])
                for wheel in package["wheels"]
                if (tags := parse_wheel_filename(wheel["url"].rpartition("/")[2])[3] & rank.keys())
            ]
            total += min(fits)[1]
    assert total / 1e6 == pytest.approx(fetching.DOWNLOAD_MB, rel=0.1)


def test_a_python_with_the_packages_is_left_alone() -> None:
    """In an environment of anybody's that has all of them, `bench.py` runs there; a server needs those of its group."""
    assert not setting_up._lacks(["run"])
    assert not setting_up._lacks(["test"])
    assert {"tensorflow", "flask", "pytest-benchmark"} <= setting_up._needed(["run"])
    assert "locust" not in setting_up._needed(["serve"])
    assert "tox" in setting_up._needed(["test"])


class Root:
    """A bare Debian with a clone in it; what is mounted there goes with the process that asked for it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        shutil.rmtree(path / HERE[1:], ignore_errors=True)
        copied(path / HERE[1:])
        # How this machine comes by packages: names, certificates, an index of its own.
        for name in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"):
            if Path(name).exists():
                shutil.copyfile(name, path / name[1:])

    def run(
        self, shell: str, *, cache: Path | None = None, offline: bool = False, timeout_s: float = 1800
    ) -> subprocess.CompletedProcess[str]:
        """A shell's line in the clone, from a pipe."""
        mounts = [f"mount --bind /{name} {self.path}/{name}" for name in ("proc", "sys", "dev")]
        if cache:
            kept = self.path / "root/.cache/uv"
            kept.mkdir(parents=True, exist_ok=True)
            mounts.append(f"mount --bind {cache} {kept}")
        inside = f"cd {HERE} && {shell}"
        command = ["unshare", "-m", *(["-n"] if offline else []), "sh", "-c"]
        script = " && ".join([*mounts, f'exec chroot {self.path} sh -c "$0"'])
        return subprocess.run(
            [*command, script, inside],
            env=_surroundings(),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )


def _surroundings() -> Mapping[str, str]:
    """As after a login, with what leads pip and uv to their index."""
    led = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "UV_", "SSL_")) or name.lower().endswith("_proxy")
    }
    return {**led, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


@pytest.fixture(name="roots", scope="session")
def made_roots() -> Path:
    """Where the roots are: kept from call to call, since one takes minutes."""
    if os.geteuid() or not shutil.which("debootstrap"):
        pytest.skip("needs root, and debootstrap")
    return Path(os.environ["BARE_ROOTS"])


@pytest.fixture(name="root", params=ROOTS)
def a_root(roots: Path, request: pytest.FixtureRequest) -> Iterator[Root]:
    """A bare Debian."""
    suite, packages = ROOTS[request.param]
    path = roots / request.param
    if not (path / "usr/bin/git").exists():
        shutil.rmtree(path, ignore_errors=True)
        roots.mkdir(parents=True, exist_ok=True)
        subprocess.run(["debootstrap", "--variant=minbase", f"--include={packages}", suite, str(path)], check=True)
    root = Root(path)
    yield root
    shutil.rmtree(path / HERE[1:])


@pytest.fixture(name="cache", scope="session")
def uv_cache() -> Path:
    """The cache of uv on this machine, so that not every root fetches 860 MB."""
    return Path(
        subprocess.run(
            [sys.executable, "-m", "uv", "cache", "dir"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )


@pytest.mark.bare
def test_a_bare_debian_measures_and_tests(root: Root, cache: Path) -> None:
    """The README's two commands, with a short plan and one environment, end well; the second start says nothing."""
    began = time.monotonic()
    first = root.run("./bench.py list plans", cache=cache)
    print(f"{root.path.name}: environment after {time.monotonic() - began:.0f} s\n{first.stderr}")
    assert first.returncode == 0, first.stderr
    assert "ready after" in first.stderr
    assert root.run("python3 bench.py list plans", cache=cache).stderr == ""
    began = time.monotonic()
    measured = root.run("python3 bench.py --plan smoke", cache=cache)
    print(f"{root.path.name}: smoke after {time.monotonic() - began:.0f} s\n{measured.stdout}")
    # 3 is an answer too: plan smoke has two blocks, which may decide nothing.
    assert measured.returncode in (0, 3), measured.stderr
    assert "report: " in measured.stdout
    tested = root.run("python3 bench.py test -e imports", cache=cache)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.bare
@pytest.mark.parametrize("root", ["bookworm"], indirect=True)
def test_what_goes_wrong_is_a_line_and_the_next_call_goes_on(root: Root, cache: Path) -> None:
    """Without a network, on a full disk and when killed there is one line, and the call after it has an environment."""
    offline = root.run("python3 bench.py list plans", offline=True)
    assert offline.returncode == 3
    assert offline.stderr.splitlines()[-1].startswith("bench.py: the package index cannot be reached")
    assert len(offline.stderr.splitlines()) <= 4
    full = root.run("mkdir .venv && mount -t tmpfs -o size=200m none .venv && python3 bench.py list plans", cache=cache)
    assert full.returncode == 3
    assert full.stderr.splitlines()[-1].startswith("bench.py: the disk is full")
    root.run("timeout -s KILL 1 python3 bench.py list plans; timeout -s INT 4 python3 bench.py list plans", cache=cache)
    again = root.run("python3 bench.py list plans", cache=cache)
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("smoke")
