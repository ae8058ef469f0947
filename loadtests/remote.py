"""The harness's side of the generator: start it, give it work, hear its progress, end it.

Imports no Locust.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from loadtests.orders import TargetOrder, TrialOrder, Workforce

START_S = 60.0
STOP_S = 5.0
GRACE_S = 30.0
"""What a reply may take beyond the longest slice and the drain: clocks, samples files, a busy machine."""
LOG_TAIL_BYTES = 2000
ROOT = Path(__file__).resolve().parent.parent

Event = dict[str, Any]


class GeneratorError(Exception):
    """The generator died, hung, spoke nonsense or reported a fault of its own; the message says which."""

    hint = "run `python bench.py calibrate` to see it alone"


class UnmannedError(GeneratorError):
    """The workers that were expected are not there, or cannot come; the hint says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Generator:
    """The generator's process, as a context manager.

    `cpu` pins it to one core; `python` is the interpreter that has Locust; a `workforce` makes it the master of
    workers, which then send all requests. Use from one thread. After a GeneratorError other than a reported fault or
    missing workers the process is gone.
    """

    def __init__(
        self, *, cpu: int | None = None, python: str = sys.executable, workforce: Workforce | None = None
    ) -> None:
        self._command = [python, "-m", "loadtests.generator", *([] if cpu is None else ["--cpu", str(cpu)])]
        self._workforce = workforce
        if workforce is not None:
            self._command += ["--expect-workers", str(workforce.expect), "--bind", workforce.bind]
            self._command += ["--port", str(workforce.port), "--timeout-s", str(workforce.timeout_s)]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._buffer = bytearray()
        self.info: Event = {}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            # Ctrl-C while it starts: nobody else would end it.
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it is ready; `info` then holds its pid, cores and versions."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Ctrl-C is the harness's to handle; the closed pipe then ends the generator.
            start_new_session=True,
        )
        self.info = self._next_event(START_S)
        if self.info.get("event") == "unmanned":
            self.stop()
            raise UnmannedError(self.info["message"], self.info["hint"])
        if self.info.get("event") != "ready":
            self._fail(f"it began with {self.info!r}")

    def stop(self) -> None:
        """End the process: by closing its input, and by force where that does not help.

        Safe to call twice.
        """
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # type: ignore[union-attr]  # a pipe, as started
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()  # type: ignore[union-attr]  # as above
        self._log.close()

    def trial(self, order: TrialOrder, on_event: Callable[[Event], None] | None = None) -> list[dict[str, Any]]:
        """Run one trial and return one record a target; `on_event` hears of each visit."""
        final = self._last(self.events(order), on_event)
        results: list[dict[str, Any]] = final["results"]
        return results

    def events(self, order: TrialOrder) -> Iterator[Event]:
        """The same as events: `slice` after each visit, `trial` at the end.

        To be read to the end, or the generator stopped.
        """
        if self._workforce is not None:
            self.muster()
        patience_s = order.longest_slice_s + 2 * order.timeout_s + GRACE_S
        yield from self._converse(order.to_json(), "trial", patience_s)

    def muster(self) -> list[dict[str, Any]]:
        """Wait for the workers; who they are, and what each can do: `id`, `host`, `calibration`.

        Raises UnmannedError where they do not come in time.
        """
        patience_s = GRACE_S + (self._workforce.timeout_s if self._workforce else 0.0)
        (final,) = self._converse({"op": "muster"}, "mustered", patience_s)
        workers: list[dict[str, Any]] = final["workers"]
        return workers

    def calibrate(
        self,
        target: TargetOrder,
        *,
        users: int = 16,
        slices: int = 10,
        slice_s: float = 0.1,
        timeout_s: float = 10.0,
        seed: int = 0,
        on_event: Callable[[Event], None] | None = None,
    ) -> dict[str, Any]:
        """The generator's limits against a null server: ceiling_rps, overhead_us, users, cpu_share."""
        message = {
            "op": "calibrate",
            "target": target.to_json(),
            "users": users,
            "slices": slices,
            "slice_s": slice_s,
            "timeout_s": timeout_s,
            "seed": seed,
        }
        final = self._last(self._converse(message, "calibration", slice_s + 2 * timeout_s + GRACE_S), on_event)
        return {name: value for name, value in final.items() if name != "event"}

    @staticmethod
    def _last(events: Iterator[Event], on_event: Callable[[Event], None] | None) -> Event:
        for event in events:
            if event["event"] != "slice":
                return event
            if on_event is not None:
                on_event(event)
        raise GeneratorError("the generator stopped speaking before its last event")

    def _converse(self, message: dict[str, Any], closing: str, patience_s: float) -> Iterator[Event]:
        process = self._running()
        try:
            process.stdin.write(json.dumps(message).encode() + b"\n")  # type: ignore[union-attr]  # a pipe
            process.stdin.flush()  # type: ignore[union-attr]  # as above
        except BrokenPipeError:
            self._fail("it has ended")
        while True:
            event = self._next_event(patience_s)
            if event.get("event") == "error":
                raise GeneratorError(f"the generator reports {event['message']}\n{event['traceback']}")
            if event.get("event") == "unmanned":
                raise UnmannedError(event["message"], event["hint"])
            if event.get("event") not in {"slice", closing}:
                self._fail(f"it answered {event!r}")
            yield event
            if event["event"] == closing:
                return

    def _next_event(self, patience_s: float) -> Event:
        line = self._read_line(time.monotonic() + patience_s, patience_s)
        try:
            event = json.loads(line)
        except ValueError:
            self._fail(f"it wrote a line that is not JSON: {line[:200]!r}")
        if not isinstance(event, dict):
            self._fail(f"it wrote {line[:200]!r}")
        return event

    def _read_line(self, until_s: float, patience_s: float) -> bytes:
        descriptor = self._running().stdout.fileno()  # type: ignore[union-attr]  # a pipe, as started
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(max(0.0, until_s - time.monotonic())):
                    self._fail(f"it was silent for {patience_s:.0f} s")
                data = os.read(descriptor, 65536)
                if not data:
                    self._fail("it has ended")
                self._buffer += data
        line, _, rest = bytes(self._buffer).partition(b"\n")
        self._buffer = bytearray(rest)
        return line

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise GeneratorError("the generator is not running")
        return self._process

    def _fail(self, what: str) -> NoReturn:
        """Stop the process and raise, with the end of its log."""
        process = self._running()
        if "ended" in what:
            with contextlib.suppress(subprocess.TimeoutExpired):
                what += f" with exit status {process.wait(STOP_S)}"
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - LOG_TAIL_BYTES))
        tail = self._log.read().decode(errors="replace").strip()
        process.kill()
        self.stop()
        raise GeneratorError(f"the load generator failed: {what}" + (f"\n{tail}" if tail else ""))
