"""Equal treatment: whether two targets differ in the compared part and in nothing else.

The rows are every recorded setting, the parts of the target's name among them, and those facts of the started
process that no part may change: the interpreter, TensorFlow, NumPy, Pillow and the models' digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from experiment.journal_records import TargetRecord
from experiment.run_folder import Run
from reports.summary.check_rows import TreatmentRow

# An axis that is not listed allows exactly the setting of its own name.
ALLOWED: Mapping[str, frozenset[str]] = {
    "framework": frozenset({"framework"}),
    "floor": frozenset({"framework"}),
    "native": frozenset({"framework"}),
    # Two ways of serving, each whole: the report's heading says so.
    "stack": frozenset({"framework", "server", "mode"}),
    # A batch and its queue hold threads of their own while they wait.
    "batch": frozenset({"batch", "queue", "deadline_ms", "threads"}),
    "queue": frozenset({"queue", "threads"}),
    "noise": frozenset(),
    # Servers given by address: their address is all that is known of them.
    "url": frozenset({"base_url"}),
}
PARTS = ("framework", "server", "mode", "device")
SHARED_VERSIONS = ("python", "tensorflow", "numpy", "pillow")


def flatten(value: Any, name: str) -> dict[str, Any]:
    """Nested objects as one level of dotted names; arrays stay values."""
    if isinstance(value, Mapping) and value:
        return {key: inner for part in value for key, inner in flatten(value[part], f"{name}.{part}").items()}
    return {name: value}


def settings_of(run: Run, target: TargetRecord) -> dict[str, Any]:
    """Every recorded setting of a target by its dotted name."""
    found: dict[str, Any] = {part: getattr(target, part) for part in PARTS}
    for name, value in target.settings.items():
        found.update(flatten(value, str(name)))
    metadata = next((launch.metadata or {} for launch in run.launches if launch.target == target.id), {})
    versions = metadata.get("versions")
    if isinstance(versions, Mapping):
        for name in SHARED_VERSIONS:
            if name in versions:
                found[f"versions.{name}"] = versions[name]
    models = metadata.get("models")
    if isinstance(models, Mapping):
        for name, model in models.items():
            digest = model.get("sha256", model.get("digest")) if isinstance(model, Mapping) else model
            if isinstance(digest, str):
                found[f"models.{name}"] = digest
    return found


def differences(run: Run, first: TargetRecord, second: TargetRecord, axis: str) -> list[str]:
    """What differs between two targets besides the compared part, one text each; empty where it is fair."""
    if axis == "server" and (first.base_url is None) != (second.base_url is None):
        # A server that was up already tells nothing of itself: it is compared as it stands, and the report says so.
        return []
    left, right = settings_of(run, first), settings_of(run, second)
    # Facts of a started process are compared where both told them: a native target has no /metadata.
    told = {name for name in left.keys() ^ right.keys() if _fact(name)}
    names = [*left, *(name for name in right if name not in left)]
    return [
        f"{name} is {_show(left.get(name))} against {_show(right.get(name))}"
        for name in names
        if not _compared(name, axis) and name not in told and left.get(name) != right.get(name)
    ]


def _compared(name: str, axis: str) -> bool:
    """Whether a comparison on `axis` is of this setting."""
    if axis == "interpreter":
        return name in ("interpreter", "python") or name.startswith(("versions.", "packages."))
    return name in ALLOWED.get(axis, frozenset({axis}))


def _fact(name: str) -> bool:
    """Whether the started process tells this of itself; a native target tells nothing."""
    return name.startswith(("versions.", "models."))


def _show(value: Any) -> str:
    return "not set" if value is None else str(value)


def table(run: Run, targets: Iterable[TargetRecord]) -> list[TreatmentRow]:
    """Equal treatment: a row a setting, with its value for every target and whether all that tell it agree."""
    columns = {target.id: settings_of(run, target) for target in targets}
    names = list(dict.fromkeys(name for settings in columns.values() for name in settings))
    rows = []
    for name in names:
        values = {identifier: settings.get(name) for identifier, settings in columns.items()}
        told = [values[one] for one in values if not (_fact(name) and values[one] is None)]
        rows.append(TreatmentRow(setting=name, values=values, equal=all(value == told[0] for value in told)))
    return rows
