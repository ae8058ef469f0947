"""The stock Locust with this project's file: the command as typed, its exit codes, and its figures beside our own."""

from __future__ import annotations

import csv
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.terminal import StandardError
from experiment.built_models import built_models
from loadtests.arrival import PoissonRate
from loadtests.runner import generator_seed
from loadtests.turns import Turns
from servers.launch import free_port, launch, start
from servers.models.payloads import payloads
from servers.repository import REPOSITORY
from servers.settings import Settings
from servers.target import Target

LOCUST = (sys.executable, "-m", "locust", "-f", "loadtests/locustfile.py", "--headless", "--only-summary")
SHIM = REPOSITORY / "tests" / "support" / "shim_server.py"


@pytest.fixture(name="urls", scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Bottle on Granian, and the same models with one wrong answer in a thousand."""
    settings, folder = Settings(models_dir=built_models(StandardError())), tmp_path_factory.mktemp("locust")
    port = free_port(settings.host)

    def shim(own: Settings) -> list[str]:
        return [own.python, str(SHIM), f"{port}:wrong"]

    with (
        launch(Target.parse("bottle+granian"), settings, folder / "right") as right,
        start("bottle+waitress+function", shim, settings, folder / "wrong", contract=True) as wrong,
    ):
        right.wait_ready(120)
        wrong.wait_ready(120)
        yield {"right": right.base_url, "wrong": f"http://{settings.host}:{port}"}


def locust(url: str, *words: str, users: int = 4, seconds: int = 4) -> subprocess.CompletedProcess[str]:
    """The stock command, to its end."""
    command = [*LOCUST, "--host", url, "-u", str(users), "-r", str(users), "-t", f"{seconds}s", *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def requests_in(stem: Path) -> dict[str, int]:
    """Requests by name, of Locust's CSV."""
    with Path(f"{stem}_stats.csv").open(newline="", encoding="utf-8") as file:
        return {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("Predict", "--tags", "json"), {"/predict"}),
        (("Predict", "Classify", "--tags", "instances", "form"), {"/predict instances", "/classify"}),
        (("--tags", "raw", "multipart"), {"/classify raw", "/classify multipart"}),
        (("AdvancedPredict", "--stock-client"), {"/advanced_predict"}),
        (("Predict", "--tags", "json", "--processes", "2"), {"/predict"}),
        (("Predict", "--tags", "json", "--arrival", "~poisson100rps"), {"/predict"}),
        (("Predict", "--tags", "json", "--arrival", "~100rps", "--stock-client"), {"/predict"}),
    ],
    ids=["one", "two", "tags", "stock-client", "processes", "open-loop", "open-loop-stock-client"],
)
def test_the_stock_command_ends_well(
    urls: dict[str, str], tmp_path: Path, words: tuple[str, ...], asked: set[str]
) -> None:
    """Exit code 0, every request of the chosen kind right, and Locust's own files written."""
    done = locust(urls["right"], *words, "--csv", str(tmp_path / "mine"), "--html", str(tmp_path / "mine.html"))
    assert done.returncode == 0, done.stderr
    counted = requests_in(tmp_path / "mine")
    assert counted.keys() >= asked, done.stderr
    assert all(counted[name] >= 10 for name in asked)
    assert (tmp_path / "mine.html").stat().st_size


@pytest.mark.parametrize("words", [(), ("--stock-client",)], ids=["ours", "stock-client"])
def test_a_wrong_answer_in_a_thousand_is_exit_code_1(urls: dict[str, str], words: tuple[str, ...]) -> None:
    """And Locust's own table of failures says what it was."""
    done = locust(urls["wrong"], "Predict", "--tags", "json", *words, users=8, seconds=5)
    assert done.returncode == 1, done.stderr
    assert "a wrong body" in done.stdout + done.stderr


def test_a_target_that_is_wrong_from_the_beginning_ends_the_test(urls: dict[str, str], tmp_path: Path) -> None:
    """Whoever answers otherwise than the reference is not put under load, and the line says what it answered."""
    figures = tmp_path / "figures.json"
    body = {"text": '{"feature": 24.5}'}
    row = {"content_type": "application/json", "body": body, "expected": 1.5, "key": "prediction"}
    figures.write_text(json.dumps({"predict": [row]}))
    done = locust(urls["right"], "--figures", str(figures), seconds=60)
    assert done.returncode == 1
    assert "the reference says 1.5" in done.stderr


def test_figures_of_ones_own(urls: dict[str, str], tmp_path: Path) -> None:
    """Bodies and answers of a file, as `check --figures` takes them; endpoints without any have no users."""
    (payload,) = payloads("predict", "json", 1)
    figures = tmp_path / "figures.json"
    body = {"text": payload.body.decode()}
    row = {"content_type": payload.content_type, "body": body, "expected": payload.expected, "key": "prediction"}
    figures.write_text(json.dumps({"predict": [row]}))
    done = locust(urls["right"], "--figures", str(figures), "--csv", str(tmp_path / "mine"), seconds=8)
    assert done.returncode == 0, done.stderr
    assert requests_in(tmp_path / "mine").keys() == {"/predict", "Aggregated"}
    asked = locust(urls["right"], "--figures", str(tmp_path / "missing.json"))
    assert asked.returncode == 1
    assert "Traceback" not in asked.stderr
    assert f"{tmp_path / 'missing.json'} holds no figures" in asked.stderr


def test_locust_counts_what_the_server_served_and_our_times_are_in_its_rounding(
    urls: dict[str, str], tmp_path: Path
) -> None:
    """Every exchange is one request of Locust's, and its median is ours, rounded to a millisecond."""
    recorder = tmp_path / "recorder.py"
    recorder.write_text(
        "import json\n"
        "from locust import events\n"
        "times = []\n"
        "@events.request.add_listener\n"
        "def keep(context, response_time, **_):\n"
        "    assert context['sent_ns'] <= context['first_ns'] <= context['done_ns']\n"
        "    times.append((context['done_ns'] - context['due_ns']) / 1e6)\n"
        "@events.quitting.add_listener\n"
        "def write(**_):\n"
        f"    open({str(tmp_path / 'times.json')!r}, 'w').write(json.dumps(times))\n"
    )
    both = f"loadtests/locustfile.py,{recorder}"
    done = locust(urls["right"], "-f", both, "Classify", "--tags", "form", "--csv", str(tmp_path / "mine"))
    assert done.returncode == 0, done.stderr
    times = sorted(json.loads((tmp_path / "times.json").read_text()))
    assert requests_in(tmp_path / "mine")["Aggregated"] == len(times)
    with Path(tmp_path / "mine_stats.csv").open(newline="", encoding="utf-8") as file:
        (total,) = (row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    assert abs(float(total["Median Response Time"]) - times[len(times) // 2]) <= 1
    assert abs(float(total["Average Response Time"]) - sum(times) / len(times)) < 0.01


def test_a_law_that_is_none_is_refused_by_name() -> None:
    """As any other wrong option of Locust's."""
    wrong = locust("http://127.0.0.1:9", "--arrival", "@4")
    assert wrong.returncode == 2
    assert "invalid law of arrival value: '@4'" in wrong.stderr


def test_tags_that_leave_no_task_are_refused(urls: dict[str, str]) -> None:
    """A word that is no encoding would be a test without a request."""
    done = locust(urls["right"], "--tags", "cheese")
    assert done.returncode == 1
    assert "no task is left by these users, tags and figures" in done.stderr


def test_turns_are_shared_out_among_processes_and_keep_the_law() -> None:
    """Two processes have all turns of the one schedule between them, in order; afterwards the users stop."""
    law = PoissonRate((2000.0,))
    turns = [Turns(law, length_s=0.1, seed=3, process=process, processes=2) for process in (0, 1)]
    took = [list(drawn_from(each)) for each in turns]
    assert sum(map(len, took)) == len(law.schedule(length_ns=10**8, seed=generator_seed(3, 0)))
    assert abs(len(took[0]) - len(took[1])) <= 1
    assert all(earlier < later for each in took for earlier, later in itertools.pairwise(each))


def drawn_from(turns: Turns) -> Iterator[int]:
    """When each turn was due, the waits kept."""
    while (due_ns := turns.wait()) is not None:
        assert time.monotonic_ns() >= due_ns
        yield due_ns
