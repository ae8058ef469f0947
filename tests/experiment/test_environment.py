"""The machine's record: true of this interpreter, safe to publish, and free of the packages it lists."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from experiment import environment

ROOT = Path(__file__).parents[2]


def test_the_record_is_true_of_this_interpreter() -> None:
    """Python, NumPy and the memory are those of this machine, and the whole is JSON without NaN."""
    record = environment.describe(ROOT)
    assert record.python.version == platform.python_version()
    assert record.packages["numpy"] == importlib.metadata.version("numpy")
    assert record.memory_mib is not None
    assert record.memory_mib > 100
    json.dumps(msgspec.to_builtins(record), allow_nan=False)


def test_the_package_hash_tells_any_change() -> None:
    """The same set in another order hashes alike; one other version does not."""
    assert environment.package_hash({"a": "1", "b": "2"}) == environment.package_hash({"b": "2", "a": "1"})
    assert environment.package_hash({"a": "1"}) != environment.package_hash({"a": "2"})


def test_flags_are_recorded_and_secrets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A TensorFlow thread setting is in the record; Terraform's variables, which share the prefix, are not."""
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    monkeypatch.setenv("TF_VAR_password", "hidden")
    monkeypatch.setenv("TF_TOKEN_app", "hidden")
    flags = environment.describe(ROOT).flags
    assert flags["TF_NUM_INTRAOP_THREADS"] == "1"
    assert "hidden" not in flags.values()


def test_a_folder_outside_git_has_no_commit(tmp_path: Path) -> None:
    """No repository is None, not an error and not another repository's commit."""
    assert environment.git(tmp_path) is None


def test_a_changed_checkout_is_dirty(tmp_path: Path) -> None:
    """A new file makes a clean checkout dirty, and the commit stays."""

    def run(*command: str) -> None:
        named = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(("git", *named, *command), cwd=tmp_path, check=True, capture_output=True)

    run("init", "--initial-branch=main")
    run("commit", "--allow-empty", "--no-verify", "--message=first")
    before = environment.git(tmp_path)
    assert before is not None
    assert before.dirty is False
    (tmp_path / "new").touch()
    after = environment.git(tmp_path)
    assert after == replace(before, dirty=True)


def test_reading_the_machine_imports_nothing_that_is_measured() -> None:
    """Journal and environment load without SciPy, matplotlib, TensorFlow, Flask, Bottle or Locust."""
    program = (
        "import sys; import experiment.journal, experiment.environment, reports.render;"
        "experiment.environment.describe();"
        "print([name for name in ('scipy', 'matplotlib', 'tensorflow', 'flask', 'bottle', 'locust', 'jinja2')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
