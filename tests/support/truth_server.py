"""A server whose service times are known: `python truth_server.py CPU LOG [STALL_EVERY_S STALL_S]`, on its own.

A request's body is its service time in microseconds. All requests are served at once, each on its own, and the server
spins instead of sleeping, so that an answer leaves within microseconds of its time, unless the machine takes its core
away. So it also keeps what it really did: when it had looked before, when it had read each request and when it had sent
the answer, on the monotonic clock, which goes into LOG as rows of three int64 in the end. In stalls, which begin at
multiples of STALL_EVERY_S on that clock, it neither reads nor writes.
"""

from __future__ import annotations

import heapq
import os
import select
import socket
import sys
from array import array
from pathlib import Path
from time import monotonic_ns

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def moves_at(at_ns: int, every_ns: int, stall_ns: int) -> int:
    """The first instant at or after another that lies in no stall."""
    if not every_ns or at_ns % every_ns >= stall_ns:
        return at_ns
    return at_ns - at_ns % every_ns + stall_ns


def main() -> None:
    """Serve until standard input closes."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    every_ns, stall_ns = (int(float(text) * 1e9) for text in sys.argv[3:5]) if len(sys.argv) > 3 else (0, 0)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    listener.settimeout(0)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    open_sockets: dict[int, socket.socket] = {}
    pending: list[tuple[int, int, int, int]] = []
    done = array("q")
    looked = monotonic_ns()
    print(listener.getsockname()[1], flush=True)
    while True:
        now = monotonic_ns()
        if moves_at(now, every_ns, stall_ns) > now:
            continue
        while pending and pending[0][0] <= now:
            _, fd, before, read = heapq.heappop(pending)
            open_sockets[fd].send(ANSWER)
            done.extend((before, read, monotonic_ns()))
        before, looked = looked, monotonic_ns()
        for fd, _ in poll.poll(0):
            if fd == sys.stdin.fileno():
                Path(sys.argv[2]).write_bytes(done.tobytes())
                return
            if fd == listener.fileno():
                accepted, _ = listener.accept()
                accepted.settimeout(0)
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                open_sockets[accepted.fileno()] = accepted
                poll.register(accepted.fileno(), select.EPOLLIN)
                continue
            data = open_sockets[fd].recv(4096)
            if data:
                read = monotonic_ns()
                heapq.heappush(pending, (read + 1000 * int(data.rpartition(b"\r\n")[2]), fd, before, read))
            else:
                poll.unregister(fd)
                open_sockets.pop(fd).close()


if __name__ == "__main__":
    main()
