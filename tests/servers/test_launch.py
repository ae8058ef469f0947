"""Launching: a process group that never outlives whoever started it, and start-up failures that say why."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from loadtests_servers import KnownServer, ok
from processes import gone

from addresses.address import Address
from addresses.connecting import get
from servers.last_words import last_words, last_words_of_log
from servers.launch import LaunchError, Server, child_environment, free_port, launch, listening_place
from servers.repository import REPOSITORY
from servers.settings import MEMORY, Settings
from servers.target import Target, TargetError, grid

# Two processes that answer SIGTERM in no way, as a server stuck in native code would.
_STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    print(os.getpid(), flush=True)
time.sleep(600)
"""


def _guarded(script: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "servers.guard", sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_a_server_that_ignores_sigterm_is_killed_with_its_children() -> None:
    """Closing the guard's input ends the whole group, also where nobody in it listens."""
    guard = _guarded(_STUBBORN)
    assert guard.stdout is not None
    assert guard.stdin is not None
    grandchild = int(guard.stdout.readline())

    guard.stdin.close()

    assert guard.wait(timeout=30) == 128 + signal.SIGKILL
    assert gone(grandchild, within_s=5)
    guard.stdout.close()


def test_a_server_is_asked_before_it_is_killed() -> None:
    """A server that stops on SIGTERM gets to do so: the guard's own way with signals is not inherited."""
    guard = _guarded("import signal, time; print(1, flush=True); time.sleep(600)")
    assert guard.stdout is not None
    assert guard.stdin is not None
    guard.stdout.readline()

    guard.stdin.close()

    assert guard.wait(timeout=30) == 128 + signal.SIGTERM
    guard.stdout.close()


def test_no_server_outlives_a_killed_harness(tmp_path: Path) -> None:
    """When the process that launched a target is killed outright, the target ends by itself."""
    script = f"""
import sys, time
from pathlib import Path
from servers.launch import launch
from servers.settings import Settings
from servers.target import Target
folder = Path({str(tmp_path)!r})
server = launch(Target.parse("null+waitress"), Settings(models_dir=folder), folder / "log")
server.wait_ready(60)
print(*[process.pid for process in server.processes()], flush=True)
time.sleep(600)
"""
    harness = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}
    )
    assert harness.stdout is not None
    pids = [int(word) for word in harness.stdout.readline().split()]
    assert pids

    harness.kill()
    harness.wait()

    assert all(gone(pid, within_s=20) for pid in pids)
    harness.stdout.close()


@pytest.mark.parametrize("server", ["gunicorn", "waitress", "granian"])
def test_every_server_answers_and_leaves_nothing(server: str, tmp_path: Path) -> None:
    """A target sits on the cores that it was pinned to, and every process of it is gone after the context."""
    with launch(Target.parse(f"null+{server}"), Settings(models_dir=tmp_path), tmp_path / "log") as running:
        running.wait_ready(60)
        core = min(os.sched_getaffinity(0))
        running.pin([core])
        pids = [process.pid for process in running.processes()]
        threads = [thread.id for process in running.processes() for thread in process.threads()]
        assert threads
        assert all(os.sched_getaffinity(thread) == {core} for thread in threads)

    assert all(gone(pid, within_s=1) for pid in pids)


def _health(base_url: str) -> int:
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=30)
    connection.request("GET", "/healthz")
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("server", ["gunicorn", "waitress", "granian"])
def test_no_server_writes_a_line_for_a_request(server: str, tmp_path: Path) -> None:
    """With many more users than threads nothing comes into the log while requests are answered."""
    log = tmp_path / "log"
    with launch(Target.parse(f"null+{server}"), Settings(models_dir=tmp_path, threads=1), log) as running:
        running.wait_ready(60)
        started = log.read_bytes()
        with ThreadPoolExecutor(16) as users:
            statuses = list(users.map(lambda _: _health(running.base_url), range(400)))
        assert set(statuses) == {200}
        assert log.read_bytes() == started


@pytest.mark.parametrize("server", ["gunicorn", "waitress", "granian"])
def test_every_server_listens_on_ipv6(server: str, tmp_path: Path) -> None:
    """An address of IPv6 and a port of 0 are taken by every server, and the URL that is told works."""
    try:
        there = listening_place("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    assert str(there).startswith("http://[::1]:")
    settings = Settings(models_dir=tmp_path, host="::1")
    with launch(Target.parse(f"null+{server}"), settings, tmp_path / "log") as running:
        running.wait_ready(60)
        assert get(Address.of(running.base_url), "/predict")[0] == 200


def test_a_name_is_listened_on_at_one_of_its_addresses() -> None:
    """What is told is the address that a name comes to, and one that stands for all is told as one that works."""
    assert listening_place("localhost", 0).host in ("127.0.0.1", "::1")
    assert str(listening_place("0.0.0.0", 0).reachable).startswith("http://127.0.0.1:")  # noqa: S104 - for a moment
    with pytest.raises(OSError, match="requested address"):
        listening_place("203.0.113.7", 0)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        listening_place("127.0.0.1", taken.getsockname()[1])


METADATA = b'{"target": "x", "startup": {}}'


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (METADATA, {"target": "x", "startup": {}}),
        (b'{"target": "another"}', None),
        (b"[" * 100_000, None),
        (b"nonsense", None),
        (b"[]", None),
    ],
)
def test_metadata_is_the_targets_own_or_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: bytes, found: object
) -> None:
    """No proxy is asked for it, whatever the environment says, and what another one answers is not kept as its own."""
    asked: list[bytes] = []

    def proxy(_number: int, said: bytes) -> list[bytes]:
        asked.append(said)
        return [ok(METADATA)]

    with KnownServer(proxy) as stranger, KnownServer(lambda _n, _b: [ok(body)]) as server:
        monkeypatch.setenv("http_proxy", stranger.base_url)
        monkeypatch.delenv("no_proxy", raising=False)
        one = Server(
            name="x",
            contract=True,
            settings=Settings(port=server.port),
            log=tmp_path,
            guard=subprocess.Popen([sys.executable, "-c", ""]),
            started=0.0,
        )
        assert one.metadata() == found
        server.die()
        assert one.metadata() is None
        one.guard.wait()
    assert not asked


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    """A server that ends before it is ready is reported with what it said last, and nobody answers in its place."""
    taken = free_port()
    settings = Settings(models_dir=tmp_path, port=taken)
    with launch(Target.parse("null+waitress"), settings, tmp_path / "first") as first:
        first.wait_ready(60)
        with (
            launch(Target.parse("null+gunicorn"), settings, tmp_path / "second") as second,
            pytest.raises(LaunchError, match="in use"),
        ):
            # The first one answers there, which must not be taken for the second.
            second.wait_ready(60)


def test_allocators_are_told_to_give_back_unless_the_caller_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A serving process gets the project's allocator settings, and keeps those that the user has set."""
    for name in MEMORY:
        monkeypatch.delenv(name, raising=False)
    assert MEMORY.items() <= child_environment("test", Settings()).items()
    monkeypatch.setenv("MALLOC_ARENA_MAX", "7")
    assert child_environment("test", Settings())["MALLOC_ARENA_MAX"] == "7"


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "flsk",
        "flask+apache",
        "flask+gunicorn+turbo",
        "flask+a+b+c+d",
        "null+granian+eager",
        "flask+dev",
        "flask+uvicorn",
        "fastapi-native+gunicorn",
        "fastapi-native+uvicorn+eager",
    ],
)
def test_a_wrong_target_names_what_there_is(wrong: str) -> None:
    """An id that names no target is refused."""
    with pytest.raises(TargetError):
        Target.parse(wrong)


def test_the_grid_holds_what_must_be_measurable() -> None:
    """Flask, Bottle and the floor stand on every server in every mode; the native pair on gunicorn and its own."""
    ids = {target.id for target in grid()}
    wanted = {
        f"{fw}+{s}+{m}+cpu"
        for fw in ("flask", "bottle", "wsgi")
        for s in ("gunicorn", "waitress", "granian")
        for m in ("eager", "frozen", "function", "lite", "xla")
    }
    wanted |= {f"{fw}-native+{s}+function+cpu" for fw in ("flask", "bottle") for s in ("gunicorn", "dev")}
    wanted |= {"fastapi-native+uvicorn+function+cpu"}
    assert wanted <= ids


def test_an_application_runs_on_servers_of_its_interface() -> None:
    """ASGI applications have a server of their own by default, and what cannot be says which there are."""
    assert Target.parse("fastapi-native").id == "fastapi-native+uvicorn+function+cpu"
    with pytest.raises(TargetError, match=r"speaks ASGI, which server gunicorn in .* does not: it runs on uvicorn"):
        Target.parse("fastapi-native+gunicorn")
    with pytest.raises(TargetError, match=r"speaks WSGI, which server uvicorn in .* does not: it runs on gunicorn, "):
        Target.parse("flask+uvicorn")


_TENSORFLOW = """Graph execution error:

Detected at node {node} defined at (most recent call last):
  File "serve.py", line 7, in ask

{words}
\t [[{{{{node {node}}}}}]] [Op:__inference_signature_wrapper_5]"""
_RUNTIME = (
    "StringToNumberOp could not correctly convert string: twelve",
    "indices[0] = 99 is not in [0, 2)",
    "Matrix size-incompatible: In[0]: [2,4], In[1]: [3,2]",
    "Unknown image file format. One of JPEG, PNG, GIF, BMP required.",
    "Input to reshape is a tensor with 1 values, but the requested shape has 4",
    "Name: <unknown>, Feature: a (data type: float) is required but could not be found.",
)
_FRAMES = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    import y\n    ^^^^^^^^\n'
_SVD = "'tf.Svd' op is neither a custom op nor a flex op"
_MLIR = """Could not translate MLIR to FlatBuffer.tracing_compilation.py:283:1: error: {words}
        concrete_function = _create_concrete_function(
^
tracing_compilation.py:310:1: note: called from
  traced_func_graph = func_graph_module.func_graph_from_py_func(
<unknown>:0: error: failed while converting: 'main':
Some ops in the model are custom ops, See instructions"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *((_TENSORFLOW.format(node="matmul", words=words), words) for words in _RUNTIME),
        (
            (
                "2 root error(s) found.\n  (0) INVALID_ARGUMENT:  indices[0] = 7 is not in [0, 5)\n\t [[{{node a}}]]\n"
                "\t [[b]]\n  (1) INVALID_ARGUMENT:  indices[0] = 7 is not in [0, 5)\n0 successful operations."
            ),
            "indices[0] = 7 is not in [0, 5)",
        ),
        (
            _MLIR.format(words="'tf.Svd' op is neither a custom op nor a flex op"),
            "'tf.Svd' op is neither a custom op nor a flex op",
        ),
        (
            (
                "Detected unsupported operations when trying to compile graph __inference_xl_88[a=true] on"
                " XLA_CPU_JIT: EagerPyFunc (No registered 'EagerPyFunc' OpKernel for XLA devices compatible with node"
                ' {{node EagerPyFunc}}){{node EagerPyFunc}}\nThe op is created at: \nFile "x.py", line 40, in <module>'
            ),
            "XLA has no kernel for EagerPyFunc",
        ),
        (
            (
                "Detected unsupported operations when trying to compile graph __inference_xs[a=b] on XLA_CPU: _Arg (No"
                " registered '_Arg' OpKernel for XLA_CPU_JIT devices compatible with node {{node x}}\n\t (OpKernel was"
                " found, but attributes didn't match) Requested Attributes: T=DT_STRING, index=0){{node x}}"
            ),
            "XLA has no kernel for _Arg with T=DT_STRING",
        ),
        (
            (
                "{{function_node __wrapped__Fill_device_/job:localhost/device:CPU:0}} OOM when allocating tensor with"
                " shape[10000000,10000000] by allocator cpu [Op:Fill] name: "
            ),
            "OOM when allocating tensor with shape[10000000,10000000] by allocator cpu",
        ),
        (
            "{{function_node __inference_f_236}} ZeroDivisionError: division by zero\n"
            + _FRAMES.replace("\n", "\n\n")
            + "\n\nZeroDivisionError: division by zero\n\n\n\t [[{{node EagerPyFunc}}]] [Op:__inference_f_236]",
            "ZeroDivisionError: division by zero",
        ),
        ("The model is not a valid Flatbuffer buffer", "The model is not a valid Flatbuffer buffer"),
        ("gather index out of bounds", "gather index out of bounds"),
    ],
)
def test_the_last_words_of_an_exception_say_what_is_wrong(text: str, words: str) -> None:
    """As TensorFlow, XLA, the converter and LiteRT wrote them: not where, and by what way it was reached."""
    assert last_words(text) == words


_STAMP = "[2026-11-28 11:19:56 +0000] [27172]"


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (
            (
                f"{_STAMP} [ERROR] Exception in worker process\n{_FRAMES}ModuleNotFoundError: No module named 'y'\n"
                f"No module named 'y'\n{_STAMP} [INFO] Exiting (pid: 1)\n{_STAMP} [ERROR] Worker (pid:1) exited with"
                f" code 3.\n{_STAMP} [ERROR] Shutting down: Master\n{_STAMP} [ERROR] Reason: Worker failed to boot."
            ),
            "ModuleNotFoundError: No module named 'y'",
        ),
        (
            f"{_FRAMES}RuntimeError: no\nlicense found\nno\nlicense found\n{_STAMP} [INFO] Worker exiting (pid: 27197)",
            "RuntimeError: no license found",
        ),
        (
            f"{_STAMP} [ERROR] Connection in use: ('::1', 18999)\n{_STAMP} [ERROR] Can't connect to ('::1', 18999)",
            "Connection in use: ('::1', 18999)",
        ),
        (
            (
                f"[INFO] Spawning worker-1\n{_FRAMES}RuntimeError: While importing 'b1', an ImportError was"
                f" raised:\n\n{_FRAMES}ModuleNotFoundError: No module named 'nothere'\n\n[ERROR] Unexpected exit from"
                " worker-1\n[INFO] Shutting down granian"
            ),
            "ModuleNotFoundError: No module named 'nothere'",
        ),
        (
            (
                "    --channel-request=INT\n        Default is 0.\n\nThere was an exception (ModuleNotFoundError)"
                " importing your module.\n\nIt had these arguments: \n1. No module named 'zz'\n"
            ),
            "ModuleNotFoundError: No module named 'zz'",
        ),
        (f"{_FRAMES}OSError: [Errno 98] Address already in use", "OSError: [Errno 98] Address already in use"),
        (
            (
                f"I0000 00:00:17 cudart.cc:31] Could not find cuda drivers\ntitrate: flask refused: no GPU\n{_STAMP}"
                " [INFO] Shutting down: Master"
            ),
            "titrate: flask refused: no GPU",
        ),
        ("", "it wrote nothing"),
    ],
)
def test_the_last_words_of_a_log_are_those_before_the_end(log: str, words: str) -> None:
    """As gunicorn, granian and waitress wrote them: the reason, not the news that it ended."""
    assert last_words_of_log(log) == words
