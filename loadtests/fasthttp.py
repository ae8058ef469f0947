"""Locust as it comes, for comparison: `python -m loadtests.fasthttp URL --users N --seconds S [--cpu N]`.

Posts one body with FastHttpUser, each user as soon as it has its answer, and prints one JSON object: requests a second
and CPU microseconds a request over the time after all users were spawned.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment

BODY = '{"feature": 24.5}'
HEADERS = {"Content-Type": "application/json"}


class Poster(FastHttpUser):
    """Posts without a pause."""

    wait_time = constant(0)

    @task
    def post(self) -> None:
        """One request, its answer read."""
        self.client.post("/predict", data=BODY, headers=HEADERS, name="predict")


def main() -> int:
    """Run, print, end."""
    parser = argparse.ArgumentParser(allow_abbrev=False, prog="python -m loadtests.fasthttp")
    parser.add_argument("url")
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--cpu", type=int)
    chosen = parser.parse_args()
    if chosen.cpu is not None:
        os.sched_setaffinity(0, {chosen.cpu})
    environment = Environment(user_classes=[Poster], host=chosen.url)
    runner = environment.create_local_runner()
    runner.start(chosen.users, spawn_rate=chosen.users)
    gevent.wait([runner.spawning_greenlet])
    before, began, cpu = environment.stats.total.num_requests, time.monotonic(), time.process_time()
    gevent.sleep(chosen.seconds)
    requests = environment.stats.total.num_requests - before
    took_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    failures = environment.stats.total.num_failures
    runner.quit()
    print(json.dumps({"rps": requests / took_s, "cpu_us": 1e6 * cpu_s / max(1, requests), "failures": failures}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
