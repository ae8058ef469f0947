"""What one environment of the matrix found, as a file in its folder, and how it reads back."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from servers.repository import REPOSITORY

LOCK: Final = REPOSITORY / "uv.lock"
FILE_NAME: Final = "found.json"
NATIVE_PAGE: Final = "native.md"


def lock_digest() -> str:
    """SHA-256 of every package and version in uv.lock: it changes where an installation would.

    The bounds that versions were chosen within stand there too, and are no part of it.
    """
    packages = tomllib.loads(LOCK.read_text(encoding="utf-8"))["package"]
    lines = sorted(f"{one['name']}=={one['version']}\n" for one in packages)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many tests or cases there were, and how they ended; `failed` counts errors too."""

    total: int
    failed: int
    skipped: int

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(
            total=self.total + other.total, failed=self.failed + other.failed, skipped=self.skipped + other.skipped
        )

    @classmethod
    def of_junit(cls, path: Path) -> Counts:
        """The sums over all suites of a JUnit file. Raises OSError or ElementTree's ParseError."""
        suites = list(ET.parse(path).getroot().iter("testsuite"))  # noqa: S314 - the harness's own file

        def total(name: str) -> int:
            return sum(int(suite.get(name, "0")) for suite in suites)

        return cls(total=total("tests"), failed=total("failures") + total("errors"), skipped=total("skipped"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One environment: the versions in it, what its tests and its cases came to, and why it failed, if it did.

    `reasons` is empty where all is well, and where nothing was run because these versions cannot run together: `unfit`
    then says so. `seconds` is how long the whole examination took. `floors` are the versions of the direct dependencies
    where the environment was resolved to the lowest. `lock` is the digest of what was locked at that time.
    """

    name: str
    versions: Mapping[str, str]
    tests: Counts | None
    cases: Counts | None
    reasons: tuple[str, ...]
    seconds: float
    lock: str
    floors: Mapping[str, str] = field(default_factory=dict)
    unfit: str = ""

    def write(self, folder: Path) -> None:
        """Write it into `folder`."""
        (folder / FILE_NAME).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Examined | None:
        """What `write` left in `folder`; None where it left nothing. Raises ValueError for anything else."""
        path = folder / FILE_NAME
        if not path.exists():
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        counts = {name: record[name] and Counts(**record[name]) for name in ("tests", "cases")}
        return cls(**record | counts | {"reasons": tuple(record["reasons"])})
