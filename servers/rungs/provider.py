"""The rungs of this repository's targets, handed over by name: which there are, and the open, checked, callable steps.

Everything that crosses is plain data or a callable, so that the ladder in `loadtests/` imports nothing from here; it is
told this module's name by configuration. A variant is a mapping of strings: rung, framework, server, mode, endpoint,
encoding, and `twin`, which is not empty for the second copy of an application that is compared with itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from servers.fleet import Berth, Fleet
from servers.models.catalog import is_current, saved_models_dir
from servers.models.payloads import ENCODINGS, Payload, payloads
from servers.registry import FRAMEWORKS, MODES
from servers.repository import REPOSITORY
from servers.rungs.calls import TimedPiece, chosen_payloads
from servers.rungs.kept_connection import KeptConnection
from servers.settings import Settings
from servers.target import Target
from servers.web_servers import DEV, INTERFACES, SERVERS

if TYPE_CHECKING:
    from servers.core.service import Service

RungVariant = Mapping[str, str]

NULL: Final = "null"
"""The framework whose path is all server: a constant answer."""

TWIN: Final = "again"
_TWINNED: Final = "flask"

_NULL_SERVER: Final = "gunicorn"

_settings: Final = Settings(python=sys.executable, models_dir=saved_models_dir())


def environment() -> dict[str, str]:
    """The variables that must stand when the measuring process starts: those of a served target."""
    wanted = _settings.environment("")
    return {name: value for name, value in wanted.items() if not name.startswith("TITRATE_")}


def frameworks() -> tuple[str, ...]:
    """What obeys the contract. Native applications load models of their own way and have no seams to be cut at."""
    return tuple(name for name, one in FRAMEWORKS.items() if one.contract)


def modes() -> tuple[str, ...]:
    """The execution modes that can run here."""
    return tuple(name for name, mode in MODES.items() if mode.lacks is None)


def servers() -> tuple[str, ...]:
    """The WSGI servers that take any framework."""
    return tuple(name for name in SERVERS if name != DEV and INTERFACES[name] == "wsgi")


def encodings(endpoint: str) -> tuple[str, ...]:
    """An endpoint's encodings, the usual one first."""
    return ENCODINGS[endpoint]


def endpoints() -> tuple[str, ...]:
    """The endpoints that have a model."""
    return tuple(ENCODINGS)


def group_variants(
    *, chosen: Sequence[str], server: str, mode: str, endpoint: str, encoding: str
) -> list[dict[str, str]]:
    """Every variant of one mode, endpoint and encoding: what is measured side by side.

    The null application answers a constant in any mode; it stands in every group so that it pairs there.
    """

    def one(rung: str, framework: str = "", twin: str = "") -> dict[str, str]:
        own = server if rung == "http" else ""
        return {
            "rung": rung,
            "framework": framework,
            "server": own,
            "mode": mode,
            "endpoint": endpoint,
            "encoding": encoding,
            "twin": twin,
        }

    found = [one(rung) for rung in ("core", "codec", "validation", "decode", "inference", "encode")]
    for rung in ("wsgi", "http"):
        found += [one(rung, framework) for framework in (NULL, *chosen)]
    twinned = _TWINNED if _TWINNED in chosen else chosen[0]
    return [*found, one("wsgi", twinned, TWIN)]


@contextmanager
def opened(variants: Sequence[RungVariant], say: Callable[[str], None]) -> Iterator[list[TimedPiece]]:
    """The steps of the variants, in their order; models are loaded and servers up while the block runs.

    All of it, servers too, is on one core in the end: with one request under way only one of them can run, and wake-ups
    across cores, which cost what a hypervisor makes them cost, stay out of every figure. A serving process has always
    just been woken, and runs a tenth to a half slower than a loop that finds its caches and branch predictors warm; so
    before each call in process comes an untimed exchange with the null server. Raises CutError, LaunchError,
    RefusedError.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="titrate-ladder-")))
        fleet = stack.enter_context(Fleet(logs=folder))
        workshop = _Workshop(stack=stack, fleet=fleet, say=say)
        workshop.build_models()
        workshop.start(variants)
        made = [workshop.step(one) for one in variants]
        workshop.gather_on_one_core()
        yield made


@dataclass(slots=True, kw_only=True)
class _Workshop:
    """What has been opened so far, each thing once."""

    stack: ExitStack
    fleet: Fleet
    say: Callable[[str], None]
    services: dict[str, Service] = field(default_factory=dict)
    cuts: dict[tuple[str, str, str], dict[str, TimedPiece]] = field(default_factory=dict)
    wait: Callable[[], object] = lambda: None

    def build_models(self) -> None:
        if not is_current(_settings.models_dir):
            self.say("building the models (first use)")
            command = [sys.executable, "-m", "servers.models.build", "--out", str(_settings.models_dir)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=REPOSITORY)

    def start(self, variants: Sequence[RungVariant]) -> None:
        """Launch the null server and what the rung `http` asks, as many at a time as there are cores."""
        null = Target.parse(f"{NULL}+{next((one['server'] for one in variants if one['server']), _NULL_SERVER)}")
        wanted = list(dict.fromkeys([null, *(_target(one) for one in variants if one["rung"] == "http")]))
        self.say(f"starting {', '.join(target.id for target in wanted)}")
        self.fleet.launch([Berth(name=one.id, target=one, settings=_settings) for one in wanted])
        ready = payloads("predict", encodings("predict")[0], 1)
        exchange = self.stack.enter_context(KeptConnection(self.fleet.servers[null.id].base_url, "predict", ready))
        self.wait = lambda: exchange.ask(exchange.wire(0))

    def gather_on_one_core(self) -> None:
        if not hasattr(os, "sched_setaffinity"):
            return
        core = [min(os.sched_getaffinity(0))]
        for thread in psutil.Process().threads():
            os.sched_setaffinity(thread.id, core)
        self.fleet.pin(core)

    def step(self, variant: RungVariant) -> TimedPiece:
        """One variant's step; its answers are those of the codec, to the byte."""
        endpoint, encoding, mode = variant["endpoint"], variant["encoding"], variant["mode"]
        sent = chosen_payloads(endpoint, encoding)
        if variant["framework"] == NULL:
            return self._outer(variant, sent, None)
        if (mode, endpoint, encoding) not in self.cuts:
            from servers.rungs.cuts import steps  # noqa: PLC0415 - it imports the core, whose imports are slow

            self.cuts[mode, endpoint, encoding] = steps(self._service(mode), endpoint, encoding, sent, self.wait)
        found = self.cuts[mode, endpoint, encoding]
        if variant["rung"] in found:
            return found[variant["rung"]]
        return self._outer(variant, sent, found["codec"])

    def _outer(self, variant: RungVariant, sent: tuple[Payload, ...], codec: TimedPiece | None) -> TimedPiece:
        """A step of the rungs `wsgi` and `http`. `codec` says what is right; without one any 200 is."""
        from servers.rungs.calls import caller, environ_maker  # noqa: PLC0415 - as above
        from servers.rungs.kept_connection import KeptConnection  # noqa: PLC0415

        bodies = None
        if codec is not None:
            bodies = [codec.call(codec.prepare(at)).body for at in range(len(sent))]

        def agrees(at: int, answer: Any) -> bool:
            status, body = answer
            return status == 200 and (bodies is None or body == bodies[at])

        if variant["rung"] == "wsgi":
            module = import_module(f"servers.apps.{FRAMEWORKS[variant['framework']].module}")
            app = module.create_app(self._service(variant["mode"]))
            make = environ_maker(variant["endpoint"], sent)
            return TimedPiece(
                payloads=len(sent), prepare=lambda at: (self.wait(), make(at))[1], call=caller(app), agrees=agrees
            )
        server = self.fleet.servers[_target(variant).id]
        exchange = self.stack.enter_context(KeptConnection(server.base_url, variant["endpoint"], sent))
        return TimedPiece(payloads=len(sent), prepare=exchange.wire, call=exchange.ask, agrees=agrees, outside=True)

    def _service(self, mode: str) -> Service:
        if mode not in self.services:
            from servers.core.endpoints import ENDPOINTS  # noqa: PLC0415 - as above
            from servers.core.loading import load  # noqa: PLC0415 - it imports TensorFlow
            from servers.core.service import Service  # noqa: PLC0415

            self.say(f"loading the models, {mode}")
            loaded = load(
                mode=mode,
                device="cpu",
                folder=_settings.models_dir,
                intra=_settings.intra_threads,
                inter=_settings.inter_threads,
            )
            self.services[mode] = Service(target=f"in-process+{mode}", endpoints=ENDPOINTS, loaded=loaded)
        return self.services[mode]


def _target(variant: RungVariant) -> Target:
    framework, server, mode = variant["framework"], variant["server"], variant["mode"]
    return Target.parse(f"{framework}+{server}" if framework == NULL else f"{framework}+{server}+{mode}")
