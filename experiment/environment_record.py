"""What a run's journal says of its machine and its software. None is what the system does not tell, never a guess."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class CpuRecord(Struct, frozen=True, kw_only=True):
    """The processor: its cores (those usable by this process by number), governor, turbo, and clock when asked."""

    model: str | None = None
    cores_physical: int | None = None
    cores_logical: int | None = None
    cores_usable: tuple[int, ...] | None = None
    governor: str | None = None
    turbo: bool | None = None
    frequency_mhz: int | None = None


class PythonRecord(Struct, frozen=True, kw_only=True):
    """The interpreter of the harness."""

    implementation: str | None = None
    version: str | None = None
    compiler: str | None = None


class GitRecord(Struct, frozen=True, kw_only=True):
    """The commit and the branch of a checkout, and whether tracked or new files differ from it."""

    commit: str | None = None
    branch: str | None = None
    dirty: bool | None = None


class EnvironmentRecord(Struct, frozen=True, kw_only=True):
    """The machine and the software of a run.

    `load_average` are the run-queue means over 1, 5 and 15 minutes. `virtualisation` is "none" where it was looked for
    and not found. `packages` has every installed distribution's normalised name (PEP 503) and version, and
    `packages_sha256` is equal where all of them are. `flags` are the variables that change what TensorFlow, its thread
    pools or the interpreter do. `git` is None outside a repository.
    """

    cpu: CpuRecord = CpuRecord()
    memory_mib: int | None = None
    load_average: tuple[float, ...] | None = None
    kernel: str | None = None
    machine: str | None = None
    os: str | None = None
    clock_source: str | None = None
    virtualisation: str | None = None
    python: PythonRecord = PythonRecord()
    packages: Mapping[str, str] = {}
    packages_sha256: str | None = None
    flags: Mapping[str, str] = {}
    git: GitRecord | None = None
