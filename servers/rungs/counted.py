"""What Callgrind counts: requests through a WSGI callable over a null model, in sections that a system call marks.

    python -m servers.rungs.counted FRAMEWORK|MODULE:FACTORY ENDPOINT[,ENDPOINT...] CALLS

After warm-up each endpoint has two sections, of CALLS and of 2 x CALLS requests, a mark before, between and behind.
The mark is `getppid`, which nothing else here calls and at which Callgrind is told to write down what it has counted.
The difference of the two lengths is CALLS requests and nothing else: start-up, loop and marks cancel. No TensorFlow is
imported; the models answer a constant.

With `--opcodes` nothing is marked: one request of each endpoint is traced, and the bytecode instructions that each
Python function executed itself are written as JSON. That count, too, is the same every time.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections import Counter
from importlib import import_module
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from servers.core.endpoints import ENDPOINTS
from servers.core.loading import Loaded
from servers.core.service import Service
from servers.models.catalog import MODELS
from servers.models.payloads import ENCODINGS
from servers.registry import FRAMEWORKS
from servers.rungs.calls import caller, chosen_payloads, environ_maker

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from servers.core.mode import Predictor

_WARM_CALLS: Final = 30
"""Enough for CPython's specialising interpreter, for every cache of the frameworks and for lazy imports."""

_OPCODES: Final = "--opcodes"


def main(arguments: list[str]) -> int:
    """Count, as the module's docstring says."""
    application, names, calls = arguments[0], arguments[1].split(","), int(arguments[2])
    app = _application(application)
    # One payload, so that every request is the same to the instruction; a picture of the middle size.
    made = {name: environ_maker(name, chosen_payloads(name, ENCODINGS[name][0])[2:3]) for name in names}
    call = caller(app)
    for make in made.values():
        for _ in range(_WARM_CALLS):
            status, _ = call(make(0))
            if status != 200:
                raise SystemExit(f"{application} answers {status}")
    if _OPCODES in arguments:
        print(json.dumps({name: _opcodes(call, make(0)) for name, make in made.items()}))
        return 0
    gc.collect()
    gc.freeze()
    gc.disable()
    for make in made.values():
        environs = [make(0) for _ in range(3 * calls)]
        first, second = environs[:calls], environs[calls:]
        os.getppid()
        for environ in first:
            call(environ)
        os.getppid()
        for environ in second:
            call(environ)
        os.getppid()
    return 0


def _application(named: str) -> WSGIApplication:
    module, separator, factory = named.partition(":")
    if not separator:
        module, factory = f"servers.apps.{FRAMEWORKS[named].module}", "create_app"
    app: WSGIApplication = getattr(import_module(module), factory)(_null_service())
    return app


def _null_service() -> Service:
    """A core whose models answer a constant of the right shape."""
    loaded = Loaded(
        predictors={name: _constant(model.output_shape[-1] or 1) for name, model in MODELS.items()},
        models={},
        device="none",
        startup_s={},
        threads={},
        retraces=lambda: 0,
    )
    return Service(target="counted", endpoints=ENDPOINTS, loaded=loaded)


def _constant(width: int) -> Predictor:
    answer = np.full((1, width), 128.5, dtype=np.float32)
    return lambda _batch: answer


def _opcodes(call: Any, environ: dict[str, Any]) -> list[dict[str, Any]]:
    """Each function's own bytecode instructions and calls in one request, most first."""
    instructions: Counter[tuple[str, str]] = Counter()
    entries: Counter[tuple[str, str]] = Counter()

    def trace(frame: FrameType, event: str, _value: Any) -> Any:
        code = frame.f_code
        place = (code.co_filename, getattr(code, "co_qualname", code.co_name))
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            entries[place] += 1
        elif event == "opcode":
            instructions[place] += 1
        return trace

    sys.settrace(trace)
    try:
        call(environ)
    finally:
        sys.settrace(None)
    return [
        {"module": _module(file), "function": name, "bytecodes": count, "calls": entries[file, name]}
        for (file, name), count in sorted(instructions.items(), key=lambda item: (-item[1], item[0]))
    ]


def _module(file: str) -> str:
    """`werkzeug/routing/map.py` out of a path: what stands behind the folder that is on the import path."""
    roots = sorted((path for path in sys.path if path and file.startswith(path + os.sep)), key=len)
    return file.removeprefix(roots[-1] + os.sep) if roots else file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
