"""Machines of a test's own: network namespaces that reach this one over a veth pair, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One namespace; `host` is the address at which it reaches the test."""

    name: str
    link: str
    host: str

    @property
    def within(self) -> list[str]:
        """What runs a command there."""
        return ["ip", "netns", "exec", self.name]

    def unplug(self) -> None:
        """Cut it off, without a word to either side."""
        _ip("link", "set", self.link, "down")


@contextmanager
def machines(count: int) -> Iterator[list[Machine]]:
    """So many namespaces, gone afterwards; skips where they cannot be had.

    The addresses are from 198.18.0.0/15, which is set aside for benchmarks (RFC 2544). All reach `198.18.0.1`.
    """
    if not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("network namespaces need root and iproute2 (`ip`)")
    with ExitStack() as stack:
        found = []
        for number in range(count):
            name = f"tt{os.getpid()}n{number}"
            link = f"tt{os.getpid() % 10**6}v{number}"
            made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"network namespaces cannot be made here: {made.stderr.strip()}")
            stack.callback(_ip, "netns", "del", name)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
            # The pair goes with the namespace, but not at once.
            stack.callback(_ip, "link", "del", link)
            near, far = f"198.18.{number}.1", f"198.18.{number}.2"
            _ip("address", "add", f"{near}/24", "dev", link)
            _ip("link", "set", link, "up")
            for command in (
                ("link", "set", "lo", "up"),
                ("address", "add", f"{far}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("route", "add", "default", "via", near),
            ):
                _ip("-n", name, *command)
            found.append(Machine(name=name, link=link, host=near))
        yield found


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)
