"""One climb of the ladder: pytest-benchmark in a process of its own, Callgrind in others, and the folder they fill."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from experiment.built_models import built_models
from experiment.environment import describe
from experiment.errors import INTERRUPTED, USAGE, ExpectedError, in_words, unwritable, usage
from experiment.foreign_ground import write_file
from experiment.journal import Journal, JournalError
from experiment.journal_records import EndRecord, RunRecord
from experiment.planning import RUNS
from experiment.progress import Terminal
from experiment.run_folder import COUNTS_NAME, LADDER_NAME, read_run
from loadtests.ladder import callgrind
from servers.models.payloads import ENCODINGS
from servers.repository import REPOSITORY

PLAN: Final = "micro"
_COUNTED: Final = ("wsgi", "bottle", "flask")
_CALLS: Final = 40
_TOP: Final = 12
_LOG_NAME: Final = "ladder.log"
_PYTEST_USAGE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """What is to be climbed, as the command line says it. `into` is a run's folder, `out` a new one."""

    terminal: Terminal
    modes: str
    frameworks: str
    endpoints: str
    encodings: str
    server: str
    seconds: float
    seed: int | None
    exact: bool
    out: Path | None
    into: Path | None

    def climb(self) -> Path:
        """Measure, and give the folder back. Raises ExpectedError."""
        started = time.monotonic()
        seed = secrets.randbelow(2**32) if self.seed is None else self.seed
        folder, journal = self._folder(seed)
        reason: str | None = "interrupted, or the harness failed"
        try:
            built_models(self.terminal)
            self._measure(folder, seed, self.terminal)
            if self.exact:
                counts = self._count(self.terminal)
                write_file(folder / COUNTS_NAME, json.dumps(counts, indent=1) + "\n")
            reason = None
        except ExpectedError as error:
            reason = str(error)
            raise
        except OSError as error:
            reason = in_words(error)
            raise
        finally:
            if journal is not None:
                wall_s = round(time.monotonic() - started, 3)
                journal.end(EndRecord(complete=reason is None, reason=reason, wall_s=wall_s))
        return folder

    def _folder(self, seed: int) -> tuple[Path, Journal | None]:
        """The folder, and the journal that is begun in it unless a run's is there."""
        if self.into is not None:
            try:
                read_run(self.into)
            except JournalError as error:
                raise usage(str(error), hint="--into takes a run folder, as `bench.py run` printed it") from error
            return self.into.resolve(), None
        now = datetime.now(UTC)
        run_id = f"{now:%Y%m%dT%H%M%SZ}-{PLAN}"
        folder = (self.out or RUNS / run_id).resolve()
        header = RunRecord(
            run_id=run_id,
            plan=PLAN,
            seed=seed,
            started_utc=now.isoformat(timespec="seconds"),
            blocks=0,
            targets=(),
            scenarios=(),
            comparisons=(),
            environment=describe(REPOSITORY),
            command=("python3", "bench.py", *sys.argv[1:]),
        )
        try:
            return folder, Journal.create(folder, header)
        except JournalError as error:
            raise usage(str(error), hint="name another folder with --out") from error
        except OSError as error:
            raise unwritable(folder, error, "name another folder with --out") from error

    def _measure(self, folder: Path, seed: int, terminal: Terminal) -> None:
        """Run the pytest-benchmark suite; its table goes to the log. Raises ExpectedError."""
        reader, writer = os.pipe()
        partial = folder / f"{LADDER_NAME}.partial"
        command = [
            *(sys.executable, "-m", "pytest", "loadtests/ladder", "-q", f"--benchmark-json={partial}"),
            *(f"--ladder-modes={self.modes}", f"--ladder-frameworks={self.frameworks}"),
            *(f"--ladder-endpoints={self.endpoints}", f"--ladder-encodings={self.encodings}"),
            *(f"--ladder-server={self.server}", f"--ladder-seconds={self.seconds}", f"--ladder-seed={seed}"),
            f"--ladder-progress={writer}",
        ]
        log = folder / _LOG_NAME
        with (
            log.open("wb") as output,
            terminal.bar("Climbing") as bar,
            os.fdopen(reader, encoding="utf-8") as progress,
            subprocess.Popen(
                command, cwd=REPOSITORY, stdout=output, stderr=subprocess.STDOUT, pass_fds=(writer,)
            ) as suite,
        ):
            os.close(writer)
            for line in progress:
                step = json.loads(line)
                bar.update(step["done"], step["total"], step["what"])
        self._judge(suite.returncode, log)
        partial.replace(folder / LADDER_NAME)

    @staticmethod
    def _judge(code: int, log: Path) -> None:
        if code == 0:
            return
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        told = [line for line in lines if line.startswith(("ERROR", "FAILED", "E  "))] or lines
        if code == _PYTEST_USAGE:
            raise ExpectedError(told[0].removeprefix("ERROR: "), hint="see `python3 bench.py micro --help`", code=USAGE)
        if code < 0:
            raise ExpectedError("the ladder was interrupted", code=INTERRUPTED)
        raise ExpectedError(f"the ladder failed: {told[-1] if told else 'it wrote nothing'}", hint=f"see {log}")

    def _count(self, terminal: Terminal) -> dict[str, Any]:
        """Instructions a request, or why none were counted. Raises ExpectedError."""
        reason = callgrind.missing()
        if reason is not None:
            terminal.say(f"exact lens: not run: {reason}")
            return {"skipped": reason}
        named = self.endpoints not in ("", "all")
        names = tuple(self.endpoints.split(",")) if named else tuple(ENCODINGS)
        with terminal.bar("Counting instructions") as bar, ThreadPoolExecutor(os.cpu_count() or 1) as lanes:
            waiting = {name: lanes.submit(count, name, names) for name in _COUNTED}
            rows: list[dict[str, Any]] = []
            for done, (name, future) in enumerate(waiting.items()):
                bar.update(done, len(waiting), f"{name} under Callgrind (half a minute each)")
                try:
                    rows += future.result()
                except callgrind.CallgrindError as error:
                    raise ExpectedError(str(error), hint="leave it out with --no-exact") from error
            bar.update(1, 1, "")
        return {"rows": rows}


def count(application: str, endpoints: tuple[str, ...], calls: int = _CALLS) -> list[dict[str, Any]]:
    """A row an endpoint: instructions a request, and the Python functions that executed most. Raises CallgrindError."""
    environment = callgrind.fixed_environment(REPOSITORY)
    program = [sys.executable, "-m", "servers.rungs.counted", application, ",".join(endpoints), str(calls)]
    counted = callgrind.instructions(program, endpoints, calls, environment)
    traced = _traced(program, environment)
    return [
        {
            "framework": application,
            "endpoint": name,
            "instructions": round(counted[name]),
            "bytecodes": sum(one["bytecodes"] for one in traced[name]),
            "python_calls": sum(one["calls"] for one in traced[name]),
            "functions": traced[name][:_TOP],
        }
        for name in endpoints
    ]


def _traced(program: list[str], environment: Mapping[str, str]) -> dict[str, list[dict[str, Any]]]:
    done = subprocess.run([*program, "--opcodes"], env=dict(environment), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise callgrind.CallgrindError((done.stderr.strip().splitlines() or ["the trace wrote nothing"])[-1])
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return found
