"""Locust's master, and the workers that have come to it: who is there, who is lost, and what they say.

Transport, registration and heartbeats are Locust's (locust.runners.MasterRunner). Its own spawning is not used, because
it moves users from worker to worker when one comes or goes, and a trial wants the same load to its end or none.
Anybody can write to its port, and it would take what it cannot read for the end; so nothing gets to it that is not
what a worker says.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any, Final, cast

import locust.runners
import msgspec
import zmq.green as zmq
from gevent.queue import Empty, Queue
from locust.env import Environment
from locust.exception import RPCError
from locust.rpc import Message as LocustMessage
from locust.rpc.zmqrpc import BaseSocket, Server
from locust.runners import STATE_MISSING

from loadtests.events import RefusedPeerEvent
from loadtests.orders import Workforce
from loadtests.remote import MissingWorkersError
from loadtests.runner import LostWorkerError
from loadtests.trial_record import WorkerNode
from loadtests.worker_messages import HINTS, NO_TOKEN, OTHER_CODE, PREFIX, SHAPES, Hello, code_digest, proof

LOOK_S = 0.2
"""How often a wait looks up whether the worker is still there."""

MOST_BYTES: Final = 8 << 20
"""Of one message; samples come by the megabyte. ZeroMQ hangs up on whoever sends more."""
MOST_STRANGERS: Final = 256
"""Who has connected and not said hello; what others say is not listened to until some have."""
MOST_TOLD: Final = 20
"""So many kinds of refusals are told, each once, and after that now and then how many there are."""

_Heartbeat = msgspec.defstruct(
    "_Heartbeat", [("state", str), ("current_cpu_usage", float), ("current_memory_usage", float, 0.0)]
)
_OF_LOCUST: Final[Mapping[str, Any]] = {
    "client_ready": str | int,
    "heartbeat": _Heartbeat,
    "client_stopped": Any,
    "quit": Any,
}
"""What Locust's workers say that is of use here, and how. Their statistics are not: no user of ours has any."""


class WorkerFaultError(Exception):
    """Something failed inside a worker; the message holds its traceback."""


class StrangerError(Exception):
    """A message that no worker sends; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message from a worker, and when it came, in ns."""

    word: str
    at_ns: int
    data: dict[str, Any]


class Port(Server):
    """The socket that workers come to: it gives Locust what a worker may say, and refuses all else."""

    admits: Callable[[str, Hello], None]
    refuses: Callable[[str, str], None]

    def __init__(self, host: str, port: int) -> None:
        BaseSocket.__init__(self, zmq.ROUTER, self.ipv4_only(host, port))  # type: ignore[no-untyped-call]  # Locust's
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
        self.port = port
        self.known: set[str] = set()
        self._strangers: set[str] = set()
        try:
            self.socket.bind(f"tcp://{host}:{port}")
        except zmq.ZMQError as error:
            raise RPCError(f"Socket bind failure: {error}") from error

    def recv_from_client(self) -> tuple[str, Any]:
        """The next message that a worker may send, and its id."""
        while True:
            try:
                frames = self.socket.recv_multipart(copy=False)
            except zmq.ZMQError as error:
                raise RPCError("ZMQ network broken") from error
            client = frames[0].bytes.decode("utf-8", "backslashreplace")
            try:
                if (found := self._checked(client, frames)) is not None:
                    return client, found
            except StrangerError as error:
                self.refuses(str(frames[-1].get("Peer-Address")), str(error))

    def _checked(self, client: str, frames: list[Any]) -> Any:
        """What Locust is given; None for what it has no use for. Raises StrangerError."""
        if len(frames) != 2:
            raise StrangerError(f"it sent a message in {len(frames) - 1} parts")
        try:
            said, data, by = msgspec.msgpack.decode(frames[1].bytes, type=tuple[str, Any, str])
            word = said.removeprefix(PREFIX)
            ours = said != word and by == client
            if ours and word == "hello":
                self.admits(client, msgspec.convert(data, Hello))
                self.known.add(client)
                self._strangers.discard(client)
            elif ours and word in SHAPES and client in self.known:
                msgspec.convert(data, SHAPES[word])
            elif said in _OF_LOCUST and by == client:
                msgspec.convert(data, _OF_LOCUST[said])
                self._let_in(client)
            elif client in self.known:
                return None
            else:
                raise StrangerError("it said what no worker says before its hello")  # noqa: TRY301 - told as all others
        except StrangerError:
            raise
        except Exception as error:  # a stranger wrote it: whatever is wrong with it is wrong with it alone
            raise StrangerError(f"it sent what no worker sends ({type(error).__name__}: {error})") from error
        return LocustMessage(said, data, client)  # type: ignore[no-untyped-call]  # Locust's

    def _let_in(self, client: str) -> None:
        if client not in self.known:
            if len(self._strangers) >= MOST_STRANGERS and client not in self._strangers:
                raise StrangerError(f"{MOST_STRANGERS} others have come and never said hello")
            self._strangers.add(client)


class Master:
    """Listens for workers. Raises MissingWorkersError where it cannot. `say` is told of strangers."""

    def __init__(self, workforce: Workforce, say: Callable[[RefusedPeerEvent], None] = lambda _event: None) -> None:
        self._workforce = workforce
        self._say = say
        self._refused: dict[str, int] = defaultdict(int)
        self._told: set[tuple[str, str]] = set()
        self._inboxes: dict[str, Queue[Message]] = defaultdict(Queue)
        self._hellos: dict[str, Hello] = {}
        self._tag = 0
        self._code = code_digest()
        # Where Locust's master looks for it.
        locust.runners.rpc.Server = Port  # type: ignore[attr-defined]  # Locust publishes no types
        try:
            self._runner: Any = Environment().create_master_runner(workforce.bind, workforce.port)
        except (SystemExit, RPCError) as error:
            # Locust has logged why before it gave up by SystemExit.
            raise MissingWorkersError(
                f"cannot listen for workers on {workforce.bind}:{workforce.port}",
                hint="another run may be using the port; choose one with --master-port, an address with --master-bind",
            ) from error
        port = cast("Port", self._runner.server)
        port.admits, port.refuses = self._admit, self._refuse
        for word in SHAPES:
            self._runner.register_message(PREFIX + word, self._hear)

    def close(self) -> None:
        """Let all workers go."""
        self._runner.quit()

    def wait_for_workers(self) -> list[tuple[str, WorkerNode]]:
        """Locust's ids of the expected number of workers, and the workers.

        Waits for them. Raises MissingWorkersError where they do not come in time, which says who was refused.
        """
        until_s = time.monotonic() + self._workforce.timeout_s
        while len(found := self._present()) < self._workforce.expect:
            if time.monotonic() > until_s:
                raise MissingWorkersError(
                    f"{len(found)} of {self._workforce.expect} expected workers were there after"
                    f" {self._workforce.timeout_s:g} s{self._refused_in_words()}",
                    hint=next((HINTS[why] for why in self._refused if why in HINTS), "")
                    or "start each with `python3 bench.py worker --master ADDRESS_OF_THIS_MACHINE"
                    f" --master-port {self._workforce.port}`; does a firewall let it through?",
                )
            self._sleep()
        return found[: self._workforce.expect]

    def missed(self, client: str) -> str | None:
        """Why a worker is not there: it took its leave, or Locust has not heard its heart lately. None where it is."""
        node = self._runner.clients.get(client)
        if node is None:
            return "it has ended"
        return "its heartbeat has stopped" if node.state == STATE_MISSING else None

    def new_tag(self) -> int:
        """A number that no earlier message carries."""
        self._tag += 1
        return self._tag

    def tell(self, client: str, word: str, tag: int, **data: Any) -> None:
        """Send one message."""
        self._runner.send_message(PREFIX + word, {"tag": tag, **data}, client)

    def hear(self, client: str, workers: Mapping[str, WorkerNode], tag: int, until_s: float) -> Message:
        """The next message of that tag from one of a trial's workers.

        Raises LostWorkerError where there can be none, or where another one is lost meanwhile; WorkerFaultError.
        """
        worker = workers[client]
        while True:
            try:
                heard: Message = self._inboxes[client].get(timeout=LOOK_S)
            except Empty:
                for each, its in workers.items():
                    if (why := self.missed(each)) is not None:
                        raise LostWorkerError(f"{its} was lost: {why}") from None
                if time.monotonic() > until_s:
                    raise LostWorkerError(f"{worker} was lost: it lives but does not answer") from None
                continue
            if heard.word == "fault":
                raise WorkerFaultError(f"{worker} reports {heard.data['message']}\n{heard.data['traceback']}")
            if heard.data["tag"] == tag:
                return heard

    def _admit(self, client: str, hello: Hello) -> None:
        """Take a worker. Raises StrangerError for one that runs other code, or does not know the token."""
        token = self._workforce.token
        for wrong, why in (
            (hello.code != self._code, OTHER_CODE),
            (bool(token) and not compare_digest(hello.proof.encode(), proof(token, client).encode()), NO_TOKEN),
        ):
            if wrong:
                # It may be gone by now; it is a stranger either way.
                with suppress(Exception):
                    self.tell(client, "refused", self.new_tag(), reason=why)
                raise StrangerError(why)

    def _refuse(self, address: str, why: str) -> None:
        self._refused[why if why in HINTS else ""] += 1
        count = sum(self._refused.values())
        kind = (address, why.partition("(")[0])
        if (kind not in self._told and len(self._told) < MOST_TOLD) or count % MOST_TOLD**2 == 0:
            self._told.add(kind)
            self._say(RefusedPeerEvent(address=address, reason=why[:200], count=count))

    def _refused_in_words(self) -> str:
        told = [f"{count} refused because {why}" for why, count in self._refused.items() if why]
        other = self._refused[""]
        return "; ".join(["", *told, *([f"{other} messages of strangers refused"] if other else [])])

    def _hear(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002 - Locust's signature
        now_ns = time.monotonic_ns()
        word = msg.type.removeprefix(PREFIX)
        if word == "hello":
            self._hellos[msg.node_id] = msgspec.convert(msg.data, Hello)
        else:
            self._inboxes[msg.node_id].put(Message(word=word, at_ns=now_ns, data=msg.data))

    def _present(self) -> list[tuple[str, WorkerNode]]:
        """Those that are there, in the order in which they first came."""
        return [
            (client, WorkerNode(id=number, host=hello.host, calibration=hello.calibration))
            for number, (client, hello) in enumerate(self._hellos.items(), start=1)
            if self.missed(client) is None
        ]

    @staticmethod
    def _sleep() -> None:
        time.sleep(LOOK_S)  # Locust has patched it: others run meanwhile.
