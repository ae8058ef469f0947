"""Reading a user's model in a process of its own: what it is, and which modes run it; told as it comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from experiment.errors import ExpectedError
from experiment.progress import Bar
from servers.last_words import last_words_of_log
from servers.models.user_model import UserModelError
from servers.repository import REPOSITORY

_READING_S: Final = 6.0
_MODE_S: Final = {"xla": 4.0, "lite": 3.0}


def tried(command: Sequence[str], modes: Sequence[str], bar: Bar, folder: Path) -> dict[str, str | None]:
    """Describe, and try the modes. A compiler may take its process down with it: then the others are tried in another.

    Raises UserModelError where the model cannot be served at all, ExpectedError where the process fails otherwise.
    """
    found: dict[str, str | None] = {}
    total = _READING_S + sum(map(_expected_s, modes))
    gone = 0.0
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        while True:
            left = [mode for mode in modes if mode not in found]
            trying: str | None = None
            for said in (telling := _Describing([*command, "--modes", ",".join(left)], log)):
                if "error" in said:
                    raise UserModelError(said["error"], said["hint"])
                if said.get("described"):
                    gone = max(gone, _READING_S)
                if "mode" in said:
                    found[said["mode"]], trying = said["refusal"], None
                    gone += _expected_s(said["mode"])
                    outcome = "runs it" if said["refusal"] is None else "cannot"
                    bar.update(gone, total, f"mode {said['mode']} {outcome} ({said['seconds']} s)")
                elif "what" in said:
                    trying = said.get("trying")
                    bar.update(gone, total, said["what"])
            if telling.status == 0:
                return found
            log.seek(0)
            if trying is None:
                words = last_words_of_log(log.read())
                raise ExpectedError(
                    f"reading the model took its process down (status {telling.status}): {words}",
                    hint="does tf.saved_model.load read it, and its signature run, in a process of its own?",
                )
            (folder / f"mode-{trying}.txt").write_text(log.read(), encoding="utf-8")
            found[trying] = f"mode {trying} took its process down (status {telling.status})"


class _Describing:
    """What `servers.models.describe` tells on a channel of its own, one object a line; `status` once that has ended.

    Under the guard: it ends with this process, however that ends. What a model prints goes to `log`.
    """

    def __init__(self, options: Sequence[str], log: IO[str]) -> None:
        self._options = options
        self._log = log
        self.status = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        ours, theirs = os.pipe()
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-m", "servers.models.describe", *self._options, "--channel", str(theirs)]
        with os.fdopen(ours, encoding="utf-8") as channel:
            try:
                guard = subprocess.Popen(
                    [sys.executable, "-m", "servers.guard", *command],
                    stdin=subprocess.PIPE,
                    stdout=self._log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    pass_fds=(theirs,),
                )
            finally:
                os.close(theirs)
            with guard:
                for line in channel:
                    yield json.loads(line)
                self.status = guard.wait()


def _expected_s(mode: str) -> float:
    """What trying a mode takes of the bar, in seconds of a small model; the bar's own pace says how long that is."""
    return _MODE_S.get(mode, 1.0)
