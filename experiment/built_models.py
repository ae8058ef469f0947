"""The SavedModels that servers load: built once, in a process that may import TensorFlow, with progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from experiment.errors import ExpectedError
from experiment.progress import Terminal
from servers.models.catalog import CACHE_VARIABLE, is_current, saved_models_dir
from servers.repository import REPOSITORY


def built_models(terminal: Terminal) -> Path:
    """Where they lie; builds them first where they are missing or older than their sources."""
    folder = saved_models_dir()
    if is_current(folder):
        return folder
    command = [sys.executable, "-m", "servers.models.build", "--out", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with (
        terminal.bar("Building the models (first use)") as bar,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as build,
    ):
        assert build.stdout is not None  # noqa: S101 - PIPE was asked for
        assert build.stderr is not None  # noqa: S101
        for line in build.stdout:
            step = json.loads(line)
            bar.update(step["done"], step["total"], step["what"])
        complaint = build.stderr.read()
    if build.returncode != 0:
        last = complaint.strip().splitlines()[-1:] or ["it wrote nothing"]
        hint = f"run: {' '.join(command)}"
        if "[Errno " in last[0]:  # whatever the system has against that place
            hint = f"keep them in a folder that can be written and has room: {CACHE_VARIABLE}=FOLDER"
        raise ExpectedError(f"building the models failed: {last[0]}", hint=hint)
    return folder
