"""Fetch the packages of `uv.lock` into the project's environment, with uv, and uv itself where there is none.

pip brings uv with `--target` into the project's cache, which an externally managed Python does not refuse; where there
is no pip, a venv brings one. (Whoever has pipx has venv.) Nothing is asked, so that a pipe and CI need no answers.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec

from commands.setting_up import BEGUN, DONE, ENVIRONMENT, FORBID_OPTION, FORBID_VARIABLE, KEPT, NEWEST, OLDEST, ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

DOWNLOAD_MB = 860
UNPACKED_GB = 3
"""The packages of `uv.lock` before and after; tests/commands/test_setting_up.py holds the first to the lock file."""

_LEAST_UV = (0, 5, 3)
"""The first that knows groups that exclude each other, as those of `uv.lock` do."""

_PYTHONS = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
_CAUSES = {
    f"the disk is full; {UNPACKED_GB} GB are needed": ("No space left", "Disk quota exceeded"),
    f"uv found no Python {_PYTHONS} here, and could fetch none": ("No interpreter found", "python-build-standalone"),
    "the package index cannot be reached; is there a network?": (
        "dns error",
        "error sending request",
        "connectivity is disabled",
        "Failed to establish a new connection",
        "ConnectTimeout",
        "ProxyError",
        "timed out",
    ),
}
"""What a message comes to, by the words of uv and pip that it is known by."""

_AGAIN = "the next call goes on from here"
_STOPS = (signal.SIGINT, signal.SIGTERM)


class _FetchError(Exception):
    """Why there is no environment, in one line."""


def fetch(*, again: bool, suits: bool, note: Callable[[str], None]) -> int:
    """Make the environment, or bring it up to date; the exit code.

    `suits` is whether this Python may run it, `note` writes down how far it has come.
    """
    # As Ctrl-C is, so that uv ends with this process.
    began = time.monotonic()
    before = signal.signal(signal.SIGTERM, _interrupt)
    what = "uv.lock has changed: fetching its packages" if again else "first start: fetching the packages of uv.lock"
    try:
        _say(f"{what}, about {DOWNLOAD_MB} MB, into {ENVIRONMENT}")
        _say(f"{UNPACKED_GB} GB unpacked; uv keeps the downloads; {FORBID_OPTION} or {FORBID_VARIABLE}=1 forbids it")
        if not suits:
            here = f"{sys.version_info[0]}.{sys.version_info[1]}"
            _say(f"this is Python {here}; uv looks for one of {_PYTHONS}, or fetches it")
        note(BEGUN)
        _synchronise(_uv(), suits=suits)
        note(DONE)
        _say(f"ready after {time.monotonic() - began:.0f} s; from now on it starts at once")
    except _FetchError as error:
        _say(f"{error} ({_AGAIN})")
        return 3
    except OSError as error:
        _say(f"{error.filename or KEPT}: {error.strerror} ({_AGAIN})")
        return 3
    except KeyboardInterrupt:
        _say(f"interrupted; {_AGAIN}")
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return 0


def _interrupt(_signal: int, _frame: Any) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"bench.py: {text}", file=sys.stderr, flush=True)


def _synchronise(uv: list[str], *, suits: bool) -> None:
    """Have uv install what `uv.lock` names; what somebody added stays. Raises _FetchError."""
    command = [*uv, "sync", "--frozen", "--inexact", "--project", ROOT]
    # An environment that is there keeps its Python, where that will do.
    if not os.path.exists(os.path.join(ENVIRONMENT, "bin", "python")):
        command += ["--python", sys.executable if suits else f">={OLDEST[0]}.{OLDEST[1]},<{NEWEST[0]}.{NEWEST[1] + 1}"]
    surroundings = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    _watched(command, {**surroundings, "UV_PROJECT_ENVIRONMENT": ENVIRONMENT})


def _uv() -> list[str]:
    """The command of a uv that can read `uv.lock`: one that is there, else one that pip fetches. Raises _FetchError."""
    version = _locked("uv")
    folder = os.path.join(KEPT, f"uv-{version}")
    own = os.path.join(folder, "bin", "uv")
    there = [[own], [shutil.which("uv") or ""], [sys.executable, "-m", "uv"] if find_spec("uv") else [""]]
    for command in there:
        if command[0] and _version(command) >= _LEAST_UV:
            return command
    _say(f"fetching uv {version}, which fetches the rest")
    # Its name is right only once it is whole.
    with tempfile.TemporaryDirectory(dir=KEPT) as holder:
        part = os.path.join(holder, "uv")
        options = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries", "2", "--target", part]
        _watched([*_pip(holder), "install", *options, f"uv=={version}"], dict(os.environ))
        if not os.path.isdir(folder):
            os.rename(part, folder)
    return [own]


def _pip(holder: str) -> list[str]:
    """The command of a pip: this Python's own, else that of a venv in the folder. Raises _FetchError."""
    if find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if find_spec("ensurepip") is None:
        raise _FetchError("there is no uv, pip or venv to fetch packages with; for example: apt install python3-venv")
    venv = os.path.join(holder, "venv")
    _watched([sys.executable, "-m", "venv", venv], dict(os.environ))
    return [os.path.join(venv, "bin", "python"), "-m", "pip"]


def _version(command: list[str]) -> tuple[int, ...]:
    """Its version; nothing where it does not run, as pyenv's shim of a uv that another Python has."""
    try:
        said = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout.split()
    except OSError:
        return ()
    numbers = said[1].split(".")[:3] if len(said) > 1 else []
    return tuple(int(one) for one in numbers if one.isdigit())


def _locked(package: str) -> str:
    """The version of a package in `uv.lock`."""
    with open(os.path.join(ROOT, "uv.lock"), encoding="utf-8") as file:
        return file.read().split(f'\nname = "{package}"\nversion = "', 1)[1].split('"', 1)[0]


def _watched(command: list[str], environment: dict[str, str]) -> None:
    """Run a command and show what it does, but for its error, which becomes one line. Raises _FetchError.

    In a terminal it is given a terminal, for its bars.
    """
    ours, its = _terminal() if sys.stderr.isatty() else os.pipe()
    stopped: list[int] = []
    handlers = {number: signal.signal(number, lambda got, _frame: stopped.append(got)) for number in _STOPS}
    process: subprocess.Popen[bytes] | None = None
    said, shown = b"", 0
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=its, stderr=its, env=environment)
        os.close(its)
        # Until here a signal would have left a process behind that nobody knows.
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if stopped:
            _interrupt(stopped[0], None)
        while True:
            chunk = _read(ours)
            if not chunk:
                break
            said += chunk
            upto = _fit_to_show(said, whole_lines=not sys.stderr.isatty())
            sys.stderr.write(said[shown:upto].decode("utf-8", "replace"))
            sys.stderr.flush()
            shown = max(shown, upto)
        status = process.wait()
    except BaseException:
        if process is not None:
            process.terminate()
            process.wait()
        raise
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.close(ours)
    if status:
        raise _FetchError(_cause(said.decode("utf-8", "replace"), command[0]))


def _fit_to_show(said: bytes, *, whole_lines: bool) -> int:
    """How much of it is progress: all before an error, and before the list of what was installed."""
    error = re.search(rb"error|ERROR|WARNING|\xc3\x97|Traceback", said)
    if error:
        return said.rfind(b"\n", 0, error.start()) + 1
    installed = re.search(rb"Installed [^\n]*\n", said)
    if installed:
        return installed.end()
    return said.rfind(b"\n") + 1 if whole_lines else len(said)


def _terminal() -> tuple[int, int]:
    """Both ends of a terminal as wide as that of standard error."""
    import fcntl
    import pty
    import termios

    ours, its = pty.openpty()
    size = fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, bytes(8))
    fcntl.ioctl(its, termios.TIOCSWINSZ, size)
    return ours, its


def _read(ours: int) -> bytes:
    try:
        return os.read(ours, 65536)
    except OSError as error:
        if error.errno != errno.EIO:  # how Linux says that the other end of a terminal is closed
            raise
        return b""


def _cause(said: str, program: str) -> str:
    """What stopped it, in one line; all that it said is kept beside uv."""
    for cause, words in _CAUSES.items():
        if any(word in said for word in words):
            return cause
    log = os.path.join(KEPT, "log")
    with open(log, "w", encoding="utf-8") as file:
        file.write(said)
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["failed"]
    first = next((line for line in lines if line.startswith(("error", "ERROR"))), lines[-1])
    # uv goes from what failed to what caused it.
    told = first if lines[-1] == first else f"{first} ({lines[-1]})"
    return f"{os.path.basename(program)}: {told}; all that it said is in {log}"
