"""The machine and the software of a run, looked up for the journal's first record.

Nothing measured is imported: versions come from the installed distributions' metadata. What a system does not
tell is None, never a guess.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from experiment.environment_record import CpuRecord, EnvironmentRecord, GitRecord, PythonRecord

# Variables that change what TensorFlow, its thread pools or the interpreter do. A list, not the
# prefix TF_: Terraform keeps passwords under TF_VAR_ and TF_TOKEN_, which must never be published.
FLAGS = re.compile(
    r"^(TF_(AUTO|CPP|CUDNN|DETERMINISTIC|DISABLE|ENABLE|FORCE|FUNCTION|GPU|INTRA|INTER|NUM|USE|XLA)_"
    r"|TF2_|XLA_FLAGS$|CUDA_VISIBLE_DEVICES$|CUDA_DEVICE_|NVIDIA_VISIBLE_DEVICES$|NVIDIA_TF32_OVERRIDE$"
    r"|OMP_|MKL_|KMP_|OPENBLAS_|ONEDNN_|DNNL_|PYTHONHASHSEED$|PYTHONOPTIMIZE$|PYTHONMALLOC$|MALLOC_|LD_PRELOAD$)"
)
PROBE_TIMEOUT_S = 5.0


def describe(checkout: Path | None = None) -> EnvironmentRecord:
    """Everything below in one record; `checkout` is the folder whose git state is recorded."""
    return EnvironmentRecord(
        cpu=cpu(),
        memory_mib=round(psutil.virtual_memory().total / 2**20),
        load_average=load_average(),
        kernel=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        os=operating_system(),
        clock_source=_read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        virtualisation=virtualisation(),
        python=PythonRecord(
            implementation=platform.python_implementation(),
            version=platform.python_version(),
            compiler=platform.python_compiler(),
        ),
        packages=(versions := packages()),
        packages_sha256=package_hash(versions),
        flags={name: value for name, value in sorted(os.environ.items()) if FLAGS.match(name)},
        git=git(checkout or Path.cwd()),
    )


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None  # not this system, or not allowed: the field says None


def _ask(*command: str, cwd: Path | None = None) -> str | None:
    """The output of a short command, or None where it is missing, fails or hangs."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            (program, *command[1:]),
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def cpu() -> CpuRecord:
    """Model, cores (physical, logical, usable by this process), governor, turbo and present clock in MHz."""
    model = None
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "Model", "Hardware"} and value.strip():
            model = value.strip()
            break
    if model is None and sys.platform == "darwin":
        model = _ask("sysctl", "-n", "machdep.cpu.brand_string")
    affinity = getattr(os, "sched_getaffinity", None)
    no_turbo = _read("/sys/devices/system/cpu/intel_pstate/no_turbo")
    try:
        frequency = psutil.cpu_freq()
    except (OSError, NotImplementedError, RuntimeError):  # absent in many containers and on some Macs
        frequency = None
    return CpuRecord(
        model=model,
        cores_physical=psutil.cpu_count(logical=False),
        cores_logical=psutil.cpu_count(logical=True),
        cores_usable=tuple(sorted(affinity(0))) if affinity else None,
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        turbo=None if no_turbo is None else no_turbo == "0",
        frequency_mhz=round(frequency.current) if frequency and frequency.current else None,
    )


def load_average() -> tuple[float, ...] | None:
    """Run-queue means over 1, 5 and 15 minutes: above the core count, somebody else is working here."""
    try:
        return tuple(round(value, 2) for value in os.getloadavg())
    except (OSError, AttributeError):
        return None


def operating_system() -> str | None:
    """The distribution's own name for itself, e.g. from os-release(5)."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def virtualisation() -> str | None:
    """The hypervisor or container technology as systemd-detect-virt(1) names it, else from the CPU's flags.

    "none" means that it was looked for and not found; None that it could not be looked for.
    """
    named = _ask("systemd-detect-virt")
    if named:
        return named
    if Path("/.dockerenv").exists():
        return "docker"
    content = _read("/proc/cpuinfo")
    if content is None:
        return None
    product = _read("/sys/class/dmi/id/product_name")
    if re.search(r"^flags\s*:.*\bhypervisor\b", content, re.MULTILINE):
        return f"hypervisor ({product})" if product else "hypervisor"
    return "none"


def packages() -> dict[str, str]:
    """Every installed distribution's normalised name (PEP 503) and version, sorted; nothing is imported."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            # The first on the path is the one that an import would find.
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return dict(sorted(found.items()))


def package_hash(versions: Mapping[str, str]) -> str:
    """SHA-256 over the sorted `name==version` lines: equal where every distribution is the same version."""
    lines = "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def git(checkout: Path) -> GitRecord | None:
    """Commit, branch and whether tracked or new files differ from it; None outside a repository."""
    if _ask("git", "rev-parse", "--is-inside-work-tree", cwd=checkout) != "true":
        return None
    status = _ask("git", "--no-optional-locks", "status", "--porcelain", cwd=checkout)
    return GitRecord(
        commit=_ask("git", "rev-parse", "--verify", "HEAD", cwd=checkout),
        branch=_ask("git", "symbolic-ref", "--short", "HEAD", cwd=checkout),
        dirty=None if status is None else bool(status),
    )
