"""What a server imports: `servers.entry:app`, made from the environment that the launcher set.

Models load in a thread of the serving process, so that liveness is answered at once and readiness truthfully.
"""

from __future__ import annotations

import atexit
import logging
import os
import platform
import sys
import threading
import traceback
from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from servers.core.batching import BATCHED, Batcher, Limits
from servers.core.endpoints import ENDPOINTS, of_model
from servers.core.loading import Loaded, load
from servers.core.mode import RefusedError
from servers.core.row_counts import buckets
from servers.core.service import Service
from servers.models.user_model import UserModel
from servers.settings import Settings
from servers.target import Target

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from servers.asgi import Application

REFUSED_EXIT: Final = 4
"""Exit status of a process that cannot serve. Gunicorn reads 4 as "the application failed to load" and stops, instead
of starting the same worker again for ever."""

_VERSIONS_OF: Final = (
    "tensorflow",
    "numpy",
    "pillow",
    "flask",
    "werkzeug",
    "bottle",
    "gunicorn",
    "waitress",
    "granian",
)


def make_app(target: Target, settings: Settings) -> WSGIApplication | Application:
    """The application of `target`, its models loading beside it."""
    module = import_module(f"servers.apps.{target.kind.module}")
    if target.kind.interface == "asgi":
        from servers.asgi import with_threads  # noqa: PLC0415 - AnyIO comes with the framework

        return with_threads(module.app, settings.threads)
    if target.kind.native:
        native: WSGIApplication = module.app
        return native
    service = Service(target=target.id, endpoints=ENDPOINTS, facts=_facts(target, settings))
    if target.kind.contract:
        user_models = {settings.model_name: UserModel.read(settings.model_dir)} if settings.model_name else {}
        for name, model in user_models.items():
            service.endpoints += of_model(name, model)
        threading.Thread(target=_load, args=(service, target, settings, user_models), name="load", daemon=True).start()
    app: WSGIApplication = module.create_app(service)
    return app


def _load(service: Service, target: Target, settings: Settings, user_models: dict[str, UserModel]) -> None:
    try:
        loaded = load(
            mode=target.mode,
            device=target.device,
            folder=settings.models_dir,
            intra=settings.intra_threads,
            inter=settings.inter_threads,
            batch_sizes=buckets(settings.batch),
            callers=settings.threads,
            executor=settings.executor,
            user_models=user_models,
        )
    except Exception as error:  # noqa: BLE001 - a thread that dies leaves a server that is never ready: end it
        if not isinstance(error, RefusedError):
            traceback.print_exc()
        print(f"titrate: {target.id} refused: {error}", file=sys.stderr, flush=True)
        os._exit(REFUSED_EXIT)
    service.facts["threads"] |= loaded.threads
    service.batchers = _batchers(loaded, settings)
    service.loaded = replace(loaded, predictors=loaded.predictors | service.batchers)


def _batchers(loaded: Loaded, settings: Settings) -> dict[str, Batcher]:
    if not settings.batch:
        return {}
    limits = Limits(max_batch=settings.batch, queue=settings.queue, deadline_s=settings.deadline_ms / 1e3)
    made = {name: Batcher(loaded.predictors[name], limits) for name in BATCHED}
    for batcher in made.values():
        # An executor that is inside TensorFlow while the interpreter is taken down would crash the process.
        atexit.register(batcher.close)
    return made


def _facts(target: Target, settings: Settings) -> dict[str, Any]:
    return {
        "parts": target.parts,
        "pid": os.getpid(),
        "threads": {"server": settings.threads, "workers": settings.workers},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in _VERSIONS_OF},
    }


# Waitress tells of its queue for every request that finds no free thread: work that no other server does.
logging.getLogger("waitress.queue").setLevel(logging.ERROR)
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
_target_id, _settings = Settings.from_environment()
app: Final = make_app(Target.parse(_target_id), _settings)
