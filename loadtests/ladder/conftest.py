"""The ladder's options, its environment, and its timings, taken once a session for whatever tests were chosen."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from loadtests.ladder.climb import ReplayedClock, Tell, Timed, climb
from loadtests.ladder.provided import Rungs, Variant, provider, variant_id

_DEFAULTS: dict[str, Any] = {
    "ladder_rungs": None,
    "ladder_frameworks": "",
    "ladder_modes": "function,eager",
    "ladder_endpoints": "",
    "ladder_encodings": "all",
    "ladder_server": "gunicorn",
    "ladder_seconds": 4.0,
    "ladder_seed": 0,
    "ladder_progress": None,
}
_PINNED = "TITRATE_LADDER_PINNED"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what is measured and for how long."""
    group = parser.getgroup("ladder")
    default = _DEFAULTS.get
    group.addoption("--ladder-rungs", metavar="MODULE", help="what provides the rungs (default: pyproject.toml says)")
    group.addoption("--ladder-frameworks", metavar="A,B", default="", help="default: all that obey the contract")
    group.addoption("--ladder-modes", metavar="A,B", default=default("ladder_modes"), help="or `all`")
    group.addoption("--ladder-endpoints", metavar="A,B", default="", help="default: all")
    group.addoption("--ladder-encodings", choices=("all", "usual"), default="all")
    group.addoption("--ladder-server", metavar="NAME", default=default("ladder_server"))
    group.addoption("--ladder-seconds", metavar="S", type=float, default=default("ladder_seconds"), help="a group")
    group.addoption("--ladder-seed", metavar="N", type=int, default=0, help="order of visits; recorded")
    group.addoption("--ladder-progress", metavar="FD", type=int, help="write progress there, a JSON object a line")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Start again under the environment that a served target has: the hash seed is read when Python starts."""
    wanted = _rungs(config).environment()
    if _stands(wanted) or _PINNED in os.environ or config.option.collectonly:
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=True)
    command = [sys.executable, "-m", "pytest", *map(str, config.invocation_params.args)]
    os.chdir(config.invocation_params.dir)
    os.execve(sys.executable, command, {**os.environ, **wanted, _PINNED: "1"})  # noqa: S606 - no shell is meant


def pytest_sessionstart(session: pytest.Session) -> None:
    """Refuse names of what there is not, here where pytest takes it for a wrong command line, not for a broken test."""
    _variants(session.config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a variant."""
    if "variant" in metafunc.fixturenames:
        chosen = _variants(metafunc.config)
        metafunc.parametrize("variant", chosen, ids=[variant_id(one) for one in chosen])


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Give every test of a variant the clock that will tell its rounds."""
    for item in items:
        if isinstance(item, pytest.Function) and "variant" in item.fixturenames:
            item.add_marker(pytest.mark.benchmark(timer=ReplayedClock(), disable_gc=True, warmup=True))


@pytest.fixture(scope="session")
def timings(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Timed]]:
    """The rounds of every chosen variant, by its id; where benchmarks are disabled, only checked and not timed."""
    config = request.config
    rungs = _rungs(config)
    if not _stands(rungs.environment()):
        pytest.fail("the hash seed is not pinned: run `pytest loadtests/ladder` by that path", pytrace=False)
    chosen = [
        cast("Variant", item.callspec.params["variant"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "variant" in item.fixturenames
    ]
    tell = _tell(config)
    with rungs.opened(chosen, lambda what: tell(0.0, 1.0, what)) as steps:
        yield climb(
            chosen,
            steps,
            seconds=0.0 if config.getoption("benchmark_disable") else _option(config, "ladder_seconds"),
            seed=_option(config, "ladder_seed"),
            tell=tell,
        )


def _variants(config: pytest.Config) -> list[Variant]:
    rungs = _rungs(config)
    chosen = _listed(config, "ladder_frameworks", rungs.frameworks())
    server = _one_of(_option(config, "ladder_server"), rungs.servers(), "server")
    found: list[Variant] = []
    for mode in _listed(config, "ladder_modes", rungs.modes()):
        for endpoint in _listed(config, "ladder_endpoints", rungs.endpoints()):
            for encoding in rungs.encodings(endpoint)[: 1 if _option(config, "ladder_encodings") == "usual" else None]:
                found += rungs.group_variants(
                    chosen=chosen, server=server, mode=mode, endpoint=endpoint, encoding=encoding
                )
    return found


def _listed(config: pytest.Config, option: str, known: Sequence[str]) -> list[str]:
    text = _option(config, option)
    if text in ("", "all"):
        return list(known)
    return [_one_of(name, known, option.removeprefix("ladder_").removesuffix("s")) for name in text.split(",")]


def _one_of(name: str, known: Sequence[str], what: str) -> str:
    if name not in known:
        raise pytest.UsageError(f"unknown {what} {name!r}, or not able to run here; choose from {', '.join(known)}")
    return name


def _rungs(config: pytest.Config) -> Rungs:
    return provider(config.rootpath, _option(config, "ladder_rungs"))


def _option(config: pytest.Config, name: str) -> Any:
    # The options are unknown where this file was not on the command line's path.
    return config.getoption(name, _DEFAULTS[name])


def _stands(wanted: Mapping[str, str]) -> bool:
    return all(os.environ.get(name) == value for name, value in wanted.items())


def _tell(config: pytest.Config) -> Tell:
    """Progress: to the descriptor that was named, else to the terminal, a line now and then."""
    descriptor = _option(config, "ladder_progress")
    if descriptor is not None:

        def told(done: float, total: float, what: str) -> None:
            os.write(descriptor, json.dumps({"done": done, "total": total, "what": what}).encode() + b"\n")

        return told
    return _terminal(config)


def _terminal(config: pytest.Config) -> Callable[[float, float, str], None]:
    reporter = config.pluginmanager.getplugin("terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    said: list[int] = [-1]

    def told(done: float, total: float, what: str) -> None:
        tenth = int(10 * done / total)
        if reporter is None or (0 < done < total and tenth <= said[0]):
            return
        said[0] = tenth
        with capture.global_and_fixture_disabled():
            reporter.write_line(f"ladder: {100 * done / total:3.0f} %  {what}")

    return told
