"""The harness's side of the generator: start it, give it work, hear its progress, end it.

Imports no Locust.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self, TypeVar

import msgspec

from loadtests.events import (
    CalibrationEvent,
    ErrorEvent,
    Event,
    MissingWorkersEvent,
    ReadyEvent,
    RefusedPeerEvent,
    SliceEvent,
    TrialEvent,
    WorkersEvent,
)
from loadtests.orders import TOKEN_VARIABLE, CalibrationOrder, Order, TrialOrder, WorkersOrder, Workforce
from loadtests.trial_record import Calibration, TrialRecord, WorkerNode

START_S = 60.0
STOP_S = 5.0
GRACE_S = 30.0
"""What a reply may take beyond the longest slice and the drain: clocks, samples files, a busy machine."""
LOG_TAIL_BYTES = 2000
ROOT = Path(__file__).resolve().parent.parent

_Closing = TypeVar("_Closing", TrialEvent, CalibrationEvent, WorkersEvent)
_DECODER = msgspec.json.Decoder(Event)


class GeneratorError(Exception):
    """The generator died, hung, spoke nonsense or reported a fault of its own; the message says which."""

    hint = "run `python3 bench.py calibrate` to see it alone"


class MissingWorkersError(GeneratorError):
    """The workers that were expected are not there, or cannot come; the hint says what would help."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Generator:
    """The generator's process, as a context manager.

    `cpu` pins it to one core; `python` is the interpreter that has Locust; a `workforce` makes it the master of
    workers, which then send all requests. Use from one thread. After a GeneratorError other than a reported fault or
    missing workers the process is gone. `info` is what it has said of itself, and `refused_peers` is how many messages
    of strangers a master has refused; `say` is told of them.
    """

    info: ReadyEvent

    def __init__(
        self,
        *,
        cpu: int | None = None,
        python: str = sys.executable,
        workforce: Workforce | None = None,
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.refused_peers = 0
        self._say = say
        self._command = [python, "-m", "loadtests.generator", *([] if cpu is None else ["--cpu", str(cpu)])]
        self._workforce = workforce
        if workforce is not None:
            self._command += ["--expect-workers", str(workforce.expect), "--bind", workforce.bind]
            self._command += ["--port", str(workforce.port), "--timeout-s", str(workforce.timeout_s)]
        self._process: subprocess.Popen[bytes] | None = None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        self._buffer = bytearray()

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
        """Start the process and wait until it is ready."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            # Ctrl-C is the harness's to handle; the closed pipe then ends the generator.
            start_new_session=True,
            # Not among its arguments, which everybody on the machine can read.
            env=os.environ | {TOKEN_VARIABLE: self._workforce.token if self._workforce else ""},
        )
        first = self._next_event(START_S)
        if isinstance(first, MissingWorkersEvent):
            self.stop()
            raise MissingWorkersError(first.message, first.hint)
        if not isinstance(first, ReadyEvent):
            self._fail(f"it began with {first}")
        self.info = first

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

    def trial(self, order: TrialOrder, on_slice: Callable[[SliceEvent], None] | None = None) -> list[TrialRecord]:
        """Run one trial and return one record a target; `on_slice` hears of each slice."""
        for event in self.events(order):
            if isinstance(event, TrialEvent):
                return event.results
            if on_slice is not None:
                on_slice(event)
        raise AssertionError("a conversation ends with its closing event")

    def events(self, order: TrialOrder) -> Iterator[SliceEvent | TrialEvent]:
        """The same as events: one after each slice, and the trial's at the end.

        To be read to the end, or the generator stopped.
        """
        if self._workforce is not None:
            self.wait_for_workers()
        return self._converse(order, TrialEvent, order.longest_slice_s + 2 * order.timeout_s)

    def wait_for_workers(self) -> list[WorkerNode]:
        """Wait for the workers; who they are, and what each can do.

        Raises MissingWorkersError where they do not come in time.
        """
        return self._ask(WorkersOrder(), WorkersEvent, self._workforce.timeout_s if self._workforce else 0.0).workers

    def calibrate(self, order: CalibrationOrder) -> Calibration:
        """The generator's limits against a null server."""
        return self._ask(order, CalibrationEvent, order.slice_s + 2 * order.timeout_s).found

    def _ask(self, order: Order, closing: type[_Closing], takes_s: float) -> _Closing:
        *_, last = self._converse(order, closing, takes_s)
        assert isinstance(last, closing)  # noqa: S101 - what a conversation ends with
        return last

    def _converse(self, order: Order, closing: type[_Closing], takes_s: float) -> Iterator[SliceEvent | _Closing]:
        """All that is said to an order, up to its closing event; each comes within GRACE_S of what it takes."""
        process = self._running()
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")  # type: ignore[union-attr]  # a pipe
            process.stdin.flush()  # type: ignore[union-attr]  # as above
        except BrokenPipeError:
            self._fail("it has ended")
        while True:
            event = self._next_event(takes_s + GRACE_S)
            if isinstance(event, ErrorEvent) and event.errno is not None:
                raise OSError(event.errno, f"the load generator: {event.message}", event.path)
            if isinstance(event, ErrorEvent):
                raise GeneratorError(f"the generator reports {event.message}\n{event.traceback}".strip())
            if isinstance(event, MissingWorkersEvent):
                raise MissingWorkersError(event.message, event.hint)
            if isinstance(event, closing):
                yield event
                return
            if not isinstance(event, SliceEvent):
                self._fail(f"it answered {event}")
            yield event

    def _next_event(self, patience_s: float) -> Event:
        """The next that is not about strangers: those come at any time, and answer nothing."""
        until_s = time.monotonic() + patience_s
        while isinstance(event := self._decoded(until_s, patience_s), RefusedPeerEvent):
            self.refused_peers = event.count
            self._say(f"a stranger at the workers' port was refused: {event.address}: {event.reason}")
        return event

    def _decoded(self, until_s: float, patience_s: float) -> Event:
        line = self._read_line(until_s, patience_s)
        try:
            event: Event = _DECODER.decode(line)
        except msgspec.ValidationError as error:
            self._fail(f"it wrote {line[:200]!r}: {error}")
        except msgspec.DecodeError:
            self._fail(f"it wrote a line that is not JSON: {line[:200]!r}")
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
