"""This project's load under the stock Locust: the same requests and the same check of every answer as in its runs.

    locust -f loadtests/locustfile.py --host http://127.0.0.1:8000
    locust -f loadtests/locustfile.py --host http://127.0.0.1:8000 --headless -u 16 -r 16 -t 30s --tags json --csv mine
    locust -f loadtests/locustfile.py --host http://127.0.0.1:8000 --headless -t 30s --arrival '~poisson200rps' Predict

Users by endpoint (Predict, AdvancedPredict, Classify), tasks by encoding (--tags json raw). Locust's own clock,
statistics and page see every request; what they round and leave out stands in docs/locust.md, and verdicts come from
`python3 bench.py`. Exit code 1 where an answer was wrong or missing.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from locust import LoadTestShape, TaskSet, User, constant, events, tag, task
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import CSV_STATS_INTERVAL_SEC

# Locust puts the folder of this file on the path, and not the one that the packages lie in.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from experiment.errors import ExpectedError
from experiment.gating import foreign_figures
from experiment.priming import WrongAnswerError, requests_for_locust
from loadtests.arrival import GRAMMAR, Arrival, arrival_from_id
from loadtests.endpoints import CLASSIFY, ENDPOINTS, PREDICT
from loadtests.locust_clients import Client, FastClient, StockClient
from loadtests.orders import PreparedRequest
from loadtests.turns import Turns

_FAREWELL_S = 0.1
TIMEOUT_S = 10.0
"""An answer that has not come by then is a failure, as in the runs."""


class LocustTest:
    """What the users of this process do in one test: the requests by endpoint and encoding, and whose turn it is."""

    requests: dict[tuple[str, str], tuple[PreparedRequest, ...]]
    turns: Turns | None
    stock_client: bool

    def __init__(self, environment: Environment) -> None:
        """Raises WrongAnswerError where the target answers a request otherwise than it must, ExpectedError."""
        options = options_of(environment)
        figures = foreign_figures(options.figures)
        self.stock_client = options.stock_client
        self.requests = {
            (user.endpoint, encoding): requests_for_locust(
                str(environment.host or user.host),
                user.endpoint,
                encoding,
                foreign=options.foreign,
                figures=figures[user.endpoint] if figures else None,
            )
            for user in users_of(environment)
            for encoding in user.encodings()
        }
        self.turns = (
            Turns(
                options.arrival,
                length_s=options.run_time or None,
                seed=options.seed,
                process=getattr(environment.runner, "worker_index", 0),
                processes=options.expect_workers if isinstance(environment.runner, WorkerRunner) else 1,
            )
            if options.arrival
            else None
        )


class CheckedUser(User):
    """Asks one endpoint, a pass over the payloads of one encoding at a time, and checks every answer."""

    abstract = True
    wait_time = constant(0)
    endpoint: str
    work: LocustTest | None = None

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._clients: dict[str, Client] = {}

    @classmethod
    def encodings(cls) -> list[str]:
        """Those of the tasks that the tags leave."""
        return [each.__name__ for each in cls.tasks if not isinstance(each, TaskSet)]

    def run_through(self, encoding: str) -> None:
        """All payloads once, or as many as there are turns for."""
        work = self.work
        if work is None:
            raise RuntimeError("a user without a test")
        requests = work.requests[self.endpoint, encoding]
        if encoding not in self._clients:
            usual = ENDPOINTS[self.endpoint].encodings[0]
            name = f"/{self.endpoint}" + ("" if encoding == usual else f" {encoding}")
            kind = StockClient if work.stock_client else FastClient
            self._clients[encoding] = kind(
                str(self.host), name, requests, self.environment.events.request, timeout_s=TIMEOUT_S
            )
        client = self._clients[encoding]
        for number in range(len(requests)):
            due_ns = work.turns.wait() if work.turns else 0
            if due_ns is None:
                raise StopUser
            client.ask(number, due_ns=due_ns)

    def on_stop(self) -> None:
        """Locust has stopped this user."""
        for client in self._clients.values():
            client.close()


def _tasks_of(endpoint: str) -> list[Any]:
    """A task for each encoding, tagged with its name and the endpoint's."""
    made = []
    for encoding in ENDPOINTS[endpoint].encodings:

        def run(user: CheckedUser, encoding: str = encoding) -> None:
            user.run_through(encoding)

        run.__name__ = encoding
        made.append(tag(endpoint, encoding)(task(run)))
    return made


class Predict(CheckedUser):
    """/predict: one feature, or a batch of them."""

    endpoint = PREDICT
    tasks = _tasks_of(PREDICT)


class AdvancedPredict(CheckedUser):
    """/advanced_predict: two features."""

    endpoint = "advanced_predict"
    tasks = _tasks_of("advanced_predict")


class Classify(CheckedUser):
    """/classify: a picture of a digit."""

    endpoint = CLASSIFY
    tasks = _tasks_of(CLASSIFY)


class OpenLoop(LoadTestShape):
    """As many users as the law needs at once, until `run_time_s` is over; without one until somebody stops the test."""

    abstract = True  # Locust takes up every shape that it sees in a file; this one is asked for with --arrival.
    use_common_options = True

    def __init__(self, law: Arrival, run_time_s: float | None) -> None:
        self._began_s = time.monotonic()
        self._users = law.users
        self._run_time_s = run_time_s

    def reset_time(self) -> None:
        """Locust says that the test begins."""
        self._began_s = time.monotonic()

    def tick(self) -> tuple[int, float] | None:
        """Users, and how many begin in a second: all at once."""
        if self._run_time_s and time.monotonic() - self._began_s > self._run_time_s:
            return None
        return self._users, float(self._users)


def options_of(environment: Environment) -> Any:
    """What was typed, Locust's options and this file's."""
    return environment.parsed_options


def users_of(environment: Environment) -> list[type[CheckedUser]]:
    """This file's among the users that were chosen."""
    return [user for user in environment.user_classes if issubclass(user, CheckedUser)]


def _law(text: str) -> Arrival:
    law = arrival_from_id(text)
    if law.rate_rps is None:
        raise ValueError("a closed loop is what --users makes")
    return law


_law.__name__ = "law of arrival"


def add_options(parser: Any) -> None:
    """This file's own, in Locust's help, page and environment variables."""
    group = parser.add_argument_group("This file's options")
    group.add_argument(
        "--arrival",
        type=_law,
        metavar="LAW",
        help=f"open loop: {GRAMMAR.removeprefix('@USERS, ')}",
    )
    group.add_argument("--seed", type=int, default=1, metavar="N", help="of the schedule of --arrival (default: 1)")
    group.add_argument(
        "--foreign",
        action="store_true",
        help="the model behind --host is its own: hold it to its first answers",
    )
    group.add_argument(
        "--figures",
        type=Path,
        metavar="FILE",
        help="JSON: endpoint to bodies and right answers, as for bench.py check",
    )
    group.add_argument("--stock-client", action="store_true", help="ask with FastHttpUser's client, to compare")


def _has_tasks(user: type[CheckedUser], options: Any) -> bool:
    """Whether the tags leave any: Locust would spawn the user all the same, and it would fail."""
    tags, without = set(options.tags or ()), set(options.exclude_tags or ())
    of_tasks = [{user.endpoint, encoding} for encoding in user.encodings()]
    return any((not tags or names & tags) and not names & without for names in of_tasks)


def choose(environment: Environment, **_: Any) -> None:
    """What the options leave of users and tasks, and the shape that they ask for."""
    options = options_of(environment)
    try:
        figures = foreign_figures(options.figures)
    except ExpectedError as error:
        sys.exit(f"{error} ({error.hint})")
    users = [user for user in users_of(environment) if _has_tasks(user, options)]
    if figures is not None:
        users = [user for user in users if figures.get(user.endpoint)]
        for user in users:
            user.tasks = user.tasks[:1]
    if not users:
        sys.exit("no task is left by these users, tags and figures; --list and docs/locust.md show what there is")
    # Users of other files, where there are some, are Locust's to choose.
    environment.user_classes = [*users, *(one for one in environment.user_classes if not issubclass(one, CheckedUser))]
    if options.arrival and not isinstance(environment.runner, WorkerRunner):
        environment.shape_class = OpenLoop(options.arrival, options.run_time or None)
        environment.shape_class.runner = environment.runner


def prepare(environment: Environment, **_: Any) -> None:
    """Ask every payload once; a target that answers otherwise than it must is a failure, and ends the test."""
    runner: Any = environment.runner
    if isinstance(runner, MasterRunner):
        return
    try:
        CheckedUser.work = LocustTest(environment)
    except (WrongAnswerError, ExpectedError) as error:
        CheckedUser.work = None
        logging.getLogger(__name__).warning("%s", error)
        hooks.request.fire(
            request_type="POST", name="before the test", response_time=0, response_length=0, exception=error, context={}
        )
        gevent.spawn_later(_FAREWELL_S, runner.quit)


def finish(environment: Environment, **_: Any) -> None:
    """Locust writes its CSV once a second and not at the end: wait until the last requests are in it."""
    if options_of(environment).csv_prefix:
        gevent.sleep(CSV_STATS_INTERVAL_SEC + _FAREWELL_S)


hooks: Any = events  # Locust's own have no types.
hooks.init_command_line_parser.add_listener(add_options)
hooks.init.add_listener(choose)
hooks.test_start.add_listener(prepare)
hooks.quitting.add_listener(finish)
