"""The command line: quick to help, one line and a hint for what cannot be."""

from __future__ import annotations

import argparse
import ast
import multiprocessing.util
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
from import_graph import product_files
from processes import bench

import bench as program
from commands import check
from experiment import built_models as building
from experiment import ladder_run, line_up, planning
from servers.repository import REPOSITORY

_BENCH = (sys.executable, str(REPOSITORY / "bench.py"))
_HEAVY = ("tensorflow", "flask", "bottle", "locust", "gevent", "numpy", "rich", "matplotlib", "scipy")


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*_BENCH, *arguments], capture_output=True, text=True, timeout=120, check=False)


def test_help_imports_nothing_heavy() -> None:
    """`--help` shows every verb without importing what only a verb needs."""
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", *_BENCH[1:], "--help"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in listing.stderr.splitlines()}
    assert not imported & set(_HEAVY)
    for verb in ("run", "serve", "check", "calibrate", "report", "compare", "list"):
        assert re.search(rf"^    {verb}\s", listing.stdout, re.MULTILINE)


def test_the_harness_loads_no_framework_and_no_engine() -> None:
    """Everything that the main job imports into the harness process leaves TensorFlow, Flask, Bottle and Locust out."""
    script = (
        "import sys, experiment.planning, commands.run_outcome, commands.check;"
        "from reports import summary, html, gallery;"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert not set(done.stdout.split()) & {"tensorflow", "flask", "bottle", "locust", "gevent"}


def test_nothing_imports_the_composition_root() -> None:
    """Only a person or a shell calls bench.py: no package reaches back into it."""
    for path in REPOSITORY.glob("*/**/*.py"):
        if ".venv" in path.parts or ".tox" in path.parts or "tests" in path.relative_to(REPOSITORY).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert "bench" not in names, path


def test_no_option_is_read_from_its_beginning() -> None:
    """No parser of this repository takes abbreviations: `--scenario`, for `--scenarios`, would be another command."""
    for path in (*product_files(), *(REPOSITORY / "tests" / "support").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "argparse.ArgumentParser":
                assert "allow_abbrev=False" in [ast.unparse(one)[:18] for one in node.keywords], path


@pytest.mark.parametrize("verb", ["run", "compare", "serve"])
@pytest.mark.parametrize("columns", [80, 120])
def test_help_is_wrapped_between_words(verb: str, columns: int) -> None:
    """No line is wider than the terminal, and none ends within a word; commands go on as a shell reads them."""
    environment = {**os.environ, "COLUMNS": str(columns)}
    command = [*_BENCH, verb, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    module = import_module(f"commands.{verb}")
    parser = argparse.ArgumentParser(allow_abbrev=False)
    module.add_arguments(parser)
    words = set(f"{module.EPILOG} {module.__doc__} {' '.join(str(one.help) for one in parser._actions)}".split())
    told = {word for line in lines[lines.index("") :] for word in line.split()}
    assert words - told <= {word for word in words if "%" in word}


def test_what_follows_test_is_for_tox() -> None:
    """`test` gives its words on as they are, and ends as tox does."""
    done = _bench("test", "-e", "cheese", "--", "-k", "gate")
    assert done.returncode not in (0, 2)
    assert "cheese" in done.stdout + done.stderr


HELP = """\
usage: bench.py list [-h]
                     [{targets,endpoints,scenarios,plans,cases,plots,all}]

List targets, endpoints, scenarios, plans, cases and plots.

positional arguments:
  {targets,endpoints,scenarios,plans,cases,plots,all}
                        its entries, one a line (default: their number)

options:
  -h, --help            show this help message and exit

examples:
  python3 bench.py list                  how many there are of each
  python3 bench.py list all              everything
  python3 bench.py list targets          one id a line, for scripts
  python3 bench.py list cases | wc -l
"""


def test_help_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Captured whole."""
    monkeypatch.setenv("COLUMNS", "80")
    assert bench("list", "--help").stdout == HELP


def test_list_tells_how_many_there_are() -> None:
    """Without a section, `list` has a line for each, with its number and the command that lists them."""
    lines = bench("list").stdout.splitlines()
    assert len(lines) == 6
    for line in lines:
        count, section, *command = line.split()
        assert command == ["python3", "bench.py", "list", section]
        assert len(bench("list", section).stdout.splitlines()) == int(count)
    assert len(bench("list", "all").stdout.splitlines()) > sum(int(line.split()[0]) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "--scenario", "predict@16"), "unknown option '--scenario'"),
        (("rnu",), "unknown verb 'rnu'; choose from run, worker, "),
        (("run", "--plan", "fast"), "unknown --plan 'fast'; choose from smoke, quick, standard, full"),
        (("report",), "the following arguments are required: RUN"),
        (("serve", "flsk"), "unknown framework 'flsk'; choose from bottle, "),
        (("serve", "flask+waitress", "--workers", "2"), "waitress serves from one process"),
        (("serve", "flask+granian+lite+gpu"), "mode lite in 'flask+granian+lite+gpu' runs on the cpu alone"),
        (("run", "--targets", "flask,bottle+granian+lite+gpu"), "device gpu goes with eager, frozen, function, xla"),
        (("check", "--targets", "flask+granian+lite+gpu"), "runs on the cpu alone"),
        (("run", "--targets", "flask+x"), "unknown server 'x' in 'flask+x'"),
        (("run", "--endpoints", "predict,nope"), "unknown endpoint 'nope'"),
        (("run", "--scenarios", "predict~fast"), "unknown arrival law '~fast'"),
        (("run", "--scenarios", "guess@16"), "invalid scenario 'guess@16'"),
        (("run", "--slo", "p99"), "invalid SLO 'p99'; expected something like p99=50ms"),
        (("calibrate", "--against", "wrk", "--rounds", "0"), "--rounds 0 gives no interval"),
        (("run", "--vary", "colour=1,2"), "--vary 'colour=1,2': unknown setting 'colour'"),
        (("run", "--vary", "threads=many"), "threads is a whole number from 1 to 1000, not 'many'"),
        (("run", "--vary", "threads="), "threads is a whole number"),
        (("run", "--vary", "executor=fast"), "executor is default or single, not 'fast'"),
        (("run", "--vary", "threads=1,2", "--vary", "threads=4"), "--vary threads is given twice"),
        (("run", "--targets", "flask+granian+lite", "--vary", "executor=default,single"), "nothing to mode lite"),
        (("run", "--targets", "flask-native", "--vary", "batch=0,8"), "flask-native has no batch"),
        (("run", "--targets", "flask+waitress", "--vary", "workers=1,2"), "waitress serves from one process"),
        (("run", "--targets", "flask+granian", "--vary", "keep-alive=5,300"), "granian takes no keep_alive_s"),
        (("run", "--url", "a=http://127.0.0.1:1", "--vary", "threads=1,2"), "--vary is for servers that are launched"),
        (("run", "--resume", "x", "--vary", "threads=1,2"), "--resume goes on with the model and the settings"),
        (("calibrate", "--against", "core", "--rounds", "1"), "--rounds 1 gives no interval"),
        (("calibrate", "--against", "core", "--users", "0"), "--users 0 asks for nothing"),
        (("run", "--targets", "fastapi-native+gunicorn"), "speaks ASGI, which server gunicorn"),
        (("run", "--url", "nonsense"), "is not NAME=BASE_URL"),
        (("check", "--url", "x=http://::1:8000"), "an IPv6 address stands in brackets"),
        (("check", "--url", "x=http://127.0.0.1:80a"), "'80a' is no port from 1 to 65535"),
        (("check", "--url", "x=http://127.0.0.1:99999"), "'99999' is no port from 1 to 65535"),
        (("check", "--url", "x=http://[::1"), "an IPv6 address stands in brackets"),
        (("check", "--url", "x=http://127.0.0.1:1/?a=1"), "a query or a fragment has no place in it"),
        (("run", "--url", "x=http://"), "the host is missing"),
        (("run", "--url", "x=http://127.0.0.1:1/\u00e9"), "must be percent-encoded"),
        (("run", "--url", "x=https://127.0.0.1"), "it does not begin with http://"),
        (("run", "--url", "a=http://h:1", "--url", "a=http://h:2"), "--url a is given twice"),
        (("run", "--url", "a#2=http://h:1"), "'a#2' is no name for a server"),
        (("run", "--seed", "1", "--seed", "2"), "--seed is given twice"),
        (("serve", "flask", "--model", "a=x", "--model", "b=x"), "--model is given twice"),
        (("check", "--case", "json-nan", "--case", "json-nan"), "--case json-nan is given twice"),
        (("run", "--plan", "smoke", "--target", "flask"), "unknown option '--target'"),
        (("run", "--seed", "-1"), "'-1' is no whole number from 0 to"),
        (("serve", "flask", "--port", "65536"), "'65536' is no port from 0 to 65535"),
        (("serve", "flask", "--host", "a b"), "'a b' is no host name"),
        (("serve", "flask", "--host", "203.0.113.7", "--port", "0"), "nobody can listen on 203.0.113.7:0 here"),
        (("micro", "--modes", "eagre"), "--modes 'eagre' is none that can run here"),
        (("run", "--figures", "/dev/zero"), "'/dev/zero' is a device"),
        (("run", "--server-python", "/does/not/exist"), "does not exist"),
        (("run", "--resume", "/does/not/exist"), "/does/not/exist"),
        (("run", "--blocks", "1"), "--blocks '1' is no whole number from 2 to 1000"),
        (("run", "--blocks", "many"), "--blocks 'many' is no whole number from 2 to 1000"),
        (("run", "--at-most", "15"), "--at-most '15' is no time"),
        (("run", "--at-most", "0m"), "--at-most '0m' is no time"),
        (("run", "--at-most", "15m", "--until", "blocks"), "--at-most is for a run that goes on until it is decided"),
        (("check", "--case", "no-such-case"), "unknown case 'no-such-case'"),
        (("check", "--figures", "/does/not/exist", "--url", "a=http://127.0.0.1:1"), "holds no figures"),
        (("report", "/does/not/exist"), "this is not a run folder"),
        (("run", "--model", "mine=/does/not/exist"), "/does/not/exist does not exist"),
        (("check", "--model", "mine=tests"), "tests is not a SavedModel"),
        (("serve", "flask", "--model", "tests"), "'tests' is not NAME=SAVED_MODEL"),
        (("serve", "flask", "--model", "predict=tests"), "/predict is an endpoint already"),
        (("run", "--model", "a/b=tests"), "'a/b' is no name for an endpoint"),
        (("run", "--payload", "x.json"), "--payload is a request to --model"),
        (("serve", "flask+gunicorn+eager", "--model", "mine=tests"), "cannot serve --model: a SavedModel holds no"),
        (("run", "--targets", "flask-native", "--model", "mine=tests"), "the article's three models only"),
        (("run", "--url", "a=http://127.0.0.1:1/v1/models/m:predict"), "is asked of a model"),
        (("run", "--url", "a=http://127.0.0.1:1", "--model", "mine=tests"), "tests is not a SavedModel"),
        (("run", "--resume", "x", "--model", "mine=tests"), "--resume goes on with the model and"),
    ],
)
def test_what_cannot_be_is_one_line_and_a_hint(arguments: tuple[str, ...], says: str) -> None:
    """A wrong command line ends with exit code 2, a line that says what is wrong, and a hint; never a traceback."""
    done = bench(*arguments)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2
    assert says in lines[0]
    assert lines[0].startswith("bench.py: ")
    assert lines[1].startswith("hint: ")
    assert len(lines) == 2
    assert not done.stdout


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_password_in_a_url_is_refused_and_never_repeated(verb: str) -> None:
    """Whatever else is wrong with the URL, no part of what stands before its @ is printed."""
    for url in ("http://user:secret@h", "http://user:secret@h:99999", "http://user:sec/ret@h", "http://user:?secret@h"):
        done = bench(verb, "--url", f"a={url}")
        assert done.returncode == 2
        assert "user name or a password" in done.stderr
        assert not re.search("user:|sec|ret@", done.stderr)


_WORDS: Final = r"""
-1 0 1 8 +1 1e9 nan inf -inf 1_000 0x10 1.5 . .. / /dev/null /dev/zero /etc/passwd/x = a= =a a=b , a,,b http://x
a=http:// a=http://::1:8000 a=http://[::1 a=http://127.0.0.1:99999 a=http://127.0.0.1:1/?x a=http://u:p@h
a=http://127.0.0.1:1 flask flask, flask,flask flask+ +++++ p99=1ms p0=0ms predict@0 predict@1 predict~rps
predict~1..2rps predict~0rps predict~steps1-2-3rps threads= threads=0 threads=1,1 executor=default 1s 0s 99999999h
~ %s {} [/b] <b> ' " \ -- -x @file * localhost :: [::1] ::1 0.0.0.0 256.256.256.256 a..b all csv predict granian
decided tests README.md mine=tests mine=README.md
"""
ODD: Final = (
    *(
        "",
        " ",
        "\t",
        "a\nb",
        "\x1b[31m",
        "\u00e9",
        "\u65e5\u672c",
        "\u202e",
        "\u0663",
        "\ud800",
        "a\0b",
        "threads=\u00b2",
    ),
    *("9" * 30, "9" * 5000, "a" * 300, "a/" * 3000, f"a={'b' * 300}", f"p1={'9' * 400}s", f"p99.{'9' * 30}=1ms"),
    *(f"predict@{'9' * 30}", f"predict@{'9' * 5000}", f"predict~{'9' * 400}rps", f"{'x' * 64}.de"),
    *_WORDS.split(),
)
"""What people and programs have typed, and worse."""

NEEDED: Final = {"serve": ["flask"], "report": ["/no"], "pack": ["/no"], "worker": ["--master", "127.0.0.1"]}
"""What a verb asks for, to come to its other arguments."""


class Started(BaseException):
    """Something was to be started: the arguments were fine."""


def _started(*_: object, **__: object) -> NoReturn:
    raise Started


def _storm(parser: argparse.ArgumentParser, verb: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Every argument of every verb with every odd value."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from _storm(child, (*verb, name))
        elif action.option_strings and action.nargs != 0:
            option = action.option_strings[0]
            needed = NEEDED.get(verb[0], []) if option != "--master" else []
            yield from ([*verb, *needed, f"{option}={odd}"] for odd in ODD)
        elif not action.option_strings:
            yield from ([*verb, odd, odd] if verb[-1] in ("compare", "repeat") else [*verb, odd] for odd in ODD)


def _unknown(host: str, port: object, *others: Any, **more: Any) -> Any:
    """Names are looked up on this machine alone."""
    if host in ("127.0.0.1", "::1", "::", "0.0.0.0", "localhost"):  # noqa: S104 - read only
        return LOOK_UP(host, port, *others, **more)
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


LOOK_UP: Final = socket.getaddrinfo


@pytest.fixture(name="nothing_starts")
def _nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever would start a process raises Started, and files go to a folder of the test's."""
    for module, name in (
        *((subprocess.Popen, "__init__"), (os, "execv"), (os, "execve"), (multiprocessing.util, "spawnv_passfds")),
        *((building, "built_models"), (planning, "built_models"), (ladder_run, "built_models")),
    ):
        monkeypatch.setattr(module, name, _started)
    monkeypatch.setattr(socket, "getaddrinfo", _unknown)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for module in (planning, ladder_run):
        monkeypatch.setattr(module, "RUNS", tmp_path / "runs")
    both = program.command_line()
    monkeypatch.setattr(program, "command_line", lambda: both)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize("part", range(4))
def test_no_argument_is_too_odd(part: int) -> None:
    """Two thousand odd values of all arguments of all verbs: taken, or refused in a line with a hint; never a bug."""
    every = list(_storm(program.command_line()[0]))
    drawn = random.Random(program.__name__).sample(every, 2000)  # noqa: S311 - a test's choice
    assert len({tuple(one) for one in every}) > 5000
    codes: Counter[int | str] = Counter()
    for arguments in drawn[part::4]:
        try:
            done = bench(*arguments)
        except Started:
            codes["started"] += 1
            continue
        codes[done.returncode] += 1
        said = done.stderr.splitlines()
        assert done.returncode in (0, 2, 3), arguments
        assert "unexpected" not in done.stderr, arguments
        if done.returncode == 2:
            assert [line.partition(":")[0] for line in said] == ["bench.py", "hint"], (arguments, said)
    assert codes["started"] > 10 < codes[2], codes


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "--url", "x=http://::1:8000"),
        ("serve", "flask", "--port=99999"),
        ("run", "--seed=--"),
        ("fuzz", "repeat", "-1", "x"),
        ("report", "a\udcff"),
        ("worker", "--master", "a..b"),
    ],
)
def test_a_program_says_no_in_two_lines(arguments: tuple[str, ...]) -> None:
    """The same of the program that a shell starts: exit code 2, a line and a hint, and nothing else."""
    done = _bench(*arguments)
    assert done.returncode == 2
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["bench.py", "hint"]
    assert not done.stdout


def test_a_bug_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody expected ends with 3 in one line that says where it arose, and whole where that is asked."""
    monkeypatch.setattr("commands.list._lines", lambda _section: [*()][1])
    done = bench("list", "targets")
    assert (done.returncode, done.stdout) == (3, "")
    assert re.match(
        r"bench.py: unexpected IndexError: list index out of range \(test_command_line.py:\d+\)\n", done.stderr
    )
    assert len(done.stderr.splitlines()) == 2
    monkeypatch.setenv("TITRATE_TRACEBACK", "1")
    assert "Traceback" in bench("list", "targets").stderr


def test_a_program_of_its_own_ends_in_the_same_way() -> None:
    """What is said in this process is said by the process that a user starts, and its exit code is the same."""
    command = ("run", "--targets", "flask+x")
    here, apart = bench(*command), _bench(*command)
    assert (here.returncode, here.stdout, here.stderr) == (apart.returncode, apart.stdout, apart.stderr)


def test_what_cannot_run_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that is left out of a check, for want of a GPU or of a model that its mode can hold, has one line."""
    monkeypatch.setattr(line_up, "has_gpu", lambda: False)
    monkeypatch.setattr(check, "_judge", lambda *_, **__: ({}, []))
    monkeypatch.setattr(check, "_print", lambda *_: None)
    monkeypatch.setattr(building, "built_models", lambda _terminal: REPOSITORY)
    done = bench("check", "--targets", "wsgi,wsgi+gunicorn+function+gpu")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"not run: wsgi+gunicorn+function+gpu: {line_up.NO_GPU}"]


def test_a_server_that_is_not_there_is_the_harness_that_cannot_tell() -> None:
    """Nobody at --url: exit code 3, since nothing can be said of the target."""
    done = _bench("check", "--url", "gone=http://127.0.0.1:9", "--case", "predict-number")
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


def test_lists_can_be_piped() -> None:
    """`list` prints one id a line where one section is asked for, and a closed pipe is no fault."""
    targets = _bench("list", "targets").stdout.split()
    assert "flask+gunicorn+function+cpu" in targets
    shell = f"{_BENCH[0]} {_BENCH[1]} list cases | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell], capture_output=True, text=True, check=False)
    assert not done.stderr


def test_serve_asks_for_no_package_but_those_of_its_group() -> None:
    """The image of a server has the group `serve` alone: with all else barred, `serve` comes as far as ever."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    names = [re.split(r"[\[><=]", line)[0] for line in project["project"]["dependencies"]]
    served = {re.split(r"[\[><=]", line)[0] for line in project["dependency-groups"]["serve"]}
    barred = sorted({name.replace("-", "_") for name in names if name not in served})
    assert "locust" in barred
    assert "msgspec" not in barred
    program = (
        "import runpy, sys\n"
        f"sys.modules.update(dict.fromkeys({barred!r}))\n"  # None makes an import fail
        f"sys.argv = ['bench.py', 'serve', 'flsk']\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
        f"runpy.run_path({str(REPOSITORY / 'bench.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2, done.stderr
    assert "'flsk'" in done.stderr
