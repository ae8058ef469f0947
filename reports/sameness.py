"""Whether two runs may be held against each other: one machine, one plan; and what else changed between them.

A machine is told by what its owner cannot change with a command: the processor, its cores, the memory, the architecture
and whether it is virtual. Software is not part of it, since a change of software is what two runs are compared for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from experiment.run_folder import Run
from loadtests.trial_record import ScenarioRecord
from reports.treatment import flatten, settings_of

MACHINE = ("cpu.model", "cpu.cores_physical", "cpu.cores_logical", "machine", "virtualisation")
# The kernel keeps some memory for itself, and how much changes with its version.
MEMORY_TOLERANCE = 0.02
SOFTWARE = ("git.commit", "git.dirty", "kernel", "os", "python.version", "cpu.governor")
# Where a checkout lies, and which port or file was free, changes nothing that is measured.
PLACES = ("python", "models_dir", "base_url", "port")
MOST_NAMED = 12
DIGEST = re.compile(r"[0-9a-f]{40,}")


def machine_differences(base: Run, new: Run) -> list[str]:
    """What tells that two runs come from different machines, one text each; empty for one machine.

    A fact that either record leaves out tells nothing, but a run that does not name its processor matches no other.
    """
    left, right = _flat(base), _flat(new)
    if left.get("cpu.model") is None or right.get("cpu.model") is None:
        return ["the processor is not known of both"]
    found = [_differ(name, left[name], right[name]) for name in MACHINE if _told_apart(left, right, name)]
    sizes = [size for side in (left, right) if isinstance(size := side.get("memory_mib"), int | float)]
    if len(sizes) == 2 and max(sizes) > min(sizes) * (1 + MEMORY_TOLERANCE):
        found.append(_differ("memory_mib", *sizes))
    return found


def plan_differences(base: Run, new: Run) -> list[str]:
    """What tells that two runs were measured by different plans; which cells each holds is not part of it."""
    found = []
    for name in ("plan", "slice_s", "blocks", "expect_workers"):
        left, right = getattr(base, name), getattr(new, name)
        if left != right:
            found.append(_differ(name, left, right))
    for scenario in base.scenarios:
        other = new.scenario(scenario.id)
        if other is not None and scenario != other:
            found.append(f"scenario {scenario.id} has {_scenario_differences(scenario, other)}")
    return found


def changes(base: Run, new: Run) -> list[str]:
    """What else changed from `base` to `new`: code, packages, flags, settings of the targets, models."""
    left, right = _flat(base), _flat(new)
    names = [name for name in SOFTWARE if left.get(name) != right.get(name)]
    both = dict.fromkeys([*left, *right])
    names += [name for name in both if name.startswith(("packages.", "flags.")) and left.get(name) != right.get(name)]
    found = [_change(name.removeprefix("packages."), left.get(name), right.get(name)) for name in names]
    if base.model != new.model:
        found.append("the model given with --model")
    settings: dict[str, list[str]] = {}
    for target in base.targets:
        other = new.target(target.id)
        if other is None:
            continue
        before, after = settings_of(base, target), settings_of(new, other)
        for name in dict.fromkeys([*before, *after]):
            if name not in PLACES and before.get(name) != after.get(name):
                settings.setdefault(_change(name, before.get(name), after.get(name)), []).append(target.id)
    found += [f"{text} ({len(targets)} of {len(base.targets)} targets)" for text, targets in settings.items()]
    return found


def shortened(texts: list[str]) -> list[str]:
    """The first dozen, and how many more there are."""
    left = len(texts) - MOST_NAMED
    return texts if left <= 0 else [*texts[:MOST_NAMED], f"{left} more"]


def _flat(run: Run) -> dict[str, Any]:
    environment = msgspec.to_builtins(run.environment)
    return {name: inner for part, value in environment.items() for name, inner in flatten(value, str(part)).items()}


def _told_apart(left: Mapping[str, Any], right: Mapping[str, Any], name: str) -> bool:
    values = (left.get(name), right.get(name))
    return None not in values and values[0] != values[1]


def _scenario_differences(left: ScenarioRecord, right: ScenarioRecord) -> str:
    names = [name for name in ScenarioRecord.__struct_fields__ if getattr(left, name) != getattr(right, name)]
    return "; ".join(_differ(name, getattr(left, name), getattr(right, name)) for name in names)


def _differ(name: str, left: Any, right: Any) -> str:
    return f"{name} {left} in BASE, {right} in NEW"


def _change(name: str, before: Any, after: Any) -> str:
    return f"{name}: {_said(before)} to {_said(after)}"


def _said(value: Any) -> str:
    """A value as it is told; a commit or digest by its first twelve digits."""
    text = "none" if value is None else str(value)
    return text[:12] if DIGEST.fullmatch(text) else text
