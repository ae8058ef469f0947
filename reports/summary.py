"""From a run to its summary: the one object that every page, table and plot is drawn from.

`schema_version` 1; the members of the published schema stay, and others are added beside them. Nothing in it
is a figure that the statistics did not stand behind: what could not be told is null, with a reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from experiment.measured import LINE
from experiment.records import Gate, Run
from reports import (
    capacity,
    cells,
    comparisons,
    costs,
    encodings,
    factors,
    ladder,
    prices,
    statistics,
    tracing,
    treatment,
    wording,
)
from reports.headline import headline
from reports.ladder_words import matters_sentence
from reports.sharing import Share, alone

SCHEMA_VERSION = 1
NOT_WRONG = frozenset({"right", "skipped", "servers_own"})

__all__ = ["headline", "summarise"]


def summarise(run: Run, price_per_core_hour: float | None = None, share: Share = alone) -> dict[str, Any]:
    """The summary of a run, ready for JSON: no NaN, no infinity. A price given here stands for the run's own."""
    targets: list[dict[str, Any]] = [
        {
            "id": target.id,
            "framework": target.framework,
            "server": target.server,
            "mode": target.mode,
            "device": target.device,
            "interpreter": target.settings.get("interpreter"),
            "twin_of": target.twin_of,
            "judged": target.judged,
            "settings": dict(target.settings),
        }
        for target in run.targets
    ]
    for target, label in zip(targets, wording.labels(targets).values(), strict=True):
        target["label"] = label
    results = cells.results(run, share)
    compared, noise_floor = comparisons.compare(run, results)
    price = run.price_per_core_hour if price_per_core_hour is None else price_per_core_hour
    framework_costs = costs.framework_costs(targets, results, run.seed)
    summary: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "run_id": run.run_id,
        "plan": run.plan,
        "seed": run.seed,
        "started_utc": run.started_utc,
        "blocks": run.blocks,
        "slice_s": run.slice_s,
        "command": list(run.command),
        "complete": run.complete,
        "partial_reason": run.partial_reason,
        "resumed": {
            "times": len(run.resumptions),
            "begun_anew": sum(one.get("in_flight") is not None for one in run.resumptions),
        },
        "wall_s": (run.end or {}).get("wall_s"),
        "measuring_s": (run.end or {}).get("measuring_s"),
        "model": dict(run.model) or None,
        "environment": dict(run.environment),
        "generator": {name: value for name, value in run.generator.items() if name not in ("kind", LINE)}
        | {"lines": [run.generator[LINE]] if LINE in run.generator else []},
        "kept_every": run.kept_every,
        "price_per_core_hour": price,
        "costs": prices.costs(results, price, run.seed),
        "targets": targets,
        "scenarios": [
            {
                "id": one.id,
                "endpoint": one.endpoint,
                "users": one.users,
                "arrival": one.arrival,
                "law": one.law,
                "rates_rps": list(one.rates_rps),
                "encoding": one.encoding,
                "variant": one.variant,
            }
            for one in run.scenarios
        ],
        "not_run": [dict(entry) for entry in run.not_run],
        "refused": _refused(run),
        "noise_floor": noise_floor,
        "results": results,
        "comparisons": compared,
        "parity_table": treatment.table(run, [one for one in run.targets if not one.twin_of]),
        "framework_costs": framework_costs,
        "capacity": capacity.rows(run),
        "encodings": encodings.compared(results, run.seed),
        "break_evens": costs.break_evens(framework_costs, targets),
        "conformance": [_conformance(run, target) for target in targets if _gates(run, target["id"])],
        "answers_alike": [
            {
                "block": one.block,
                "targets": list(one.targets),
                "cases": one.cases,
                "differences": [dict(difference) for difference in one.differences],
            }
            for one in run.parities
        ],
        "startup": [_startup(run, target["id"]) for target in targets],
        "audit": _audit(run),
        "ladder": ladder.summarise(run.folder),
    }
    summary["what_matters"] = factors.what_matters(targets, summary["scenarios"], results, run.seed)
    summary["second_sentence"] = matters_sentence(summary["what_matters"])
    summary["headline"] = headline(summary)
    tracing.add_lines(summary, run)
    return summary


def _refused(run: Run) -> list[dict[str, Any]]:
    """Each refused target once, with the blocks in which it was refused."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for refusal in run.refusals:
        entry = found.setdefault(
            (refusal.target, refusal.reason),
            {"target": refusal.target, "reason": refusal.reason, "cases": list(refusal.cases), "blocks": []},
        )
        entry["blocks"].append(refusal.block)
    return list(found.values())


def _gates(run: Run, target: str) -> list[Gate]:
    return sorted((gate for gate in run.gates if gate.target == target), key=lambda gate: gate.block)


def _conformance(run: Run, target: Mapping[str, Any]) -> dict[str, Any]:
    """The last gate's counts, and every finding of any block once, with the blocks that saw it."""
    gates = _gates(run, target["id"])
    findings: dict[tuple[str, str], dict[str, Any]] = {}
    for gate in gates:
        for finding in gate.findings:
            key = (str(finding.get("case")), str(finding.get("verdict")))
            entry = findings.setdefault(key, {**finding, "blocks": []})
            entry["blocks"].append(gate.block)
    return {
        "target": target["id"],
        "judged": target["judged"],
        "passed": all(gate.passed for gate in gates),
        "blocks": len(gates),
        "counts": dict(gates[-1].counts),
        "topics": {topic: dict(counts) for topic, counts in gates[-1].topics.items()},
        # A gate that finds something else in another block tells of a target that is not steady.
        "steady": len({tuple(sorted(gate.counts.items())) for gate in gates}) == 1,
        "findings": [entry for entry in findings.values() if entry.get("verdict") not in NOT_WRONG],
    }


def _startup(run: Run, target: str) -> dict[str, Any]:
    launches = [launch for launch in run.launches if launch.target == target]
    return {
        "target": target,
        "launches": len(launches),
        "startup_s": _median_of([launch.startup_s for launch in launches]),
        "startup_ci95": _interval([launch.startup_s for launch in launches], run.seed),
        "import_s": _median_of([launch.import_s for launch in launches]),
        "load_s": _median_of([launch.load_s for launch in launches]),
        "rss_mib": _median_of([launch.rss_mib for launch in launches]),
    }


def _interval(values: Sequence[float | None], seed: int) -> list[float] | None:
    """The 95 % interval of the median over launches; None for fewer than two."""
    known = [value for value in values if value]
    return list(statistics.median_interval(known, seed)) if len(known) > 1 else None


def _median_of(values: Sequence[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def _audit(run: Run) -> dict[str, Any]:
    """How the load generator did: its worst trial in each respect, and why trials were left out."""
    reasons = Counter(reason for trial in run.trials if (reason := trial.unusable()))

    def worst(name: str) -> float | None:
        told = [trial.generator[name] for trial in run.trials if trial.generator.get(name) is not None]
        return max(told, default=None)

    return {
        "trials": len(run.trials),
        "invalid": sum(reasons.values()),
        "invalid_reasons": dict(reasons.most_common()),
        "requests": sum(trial.requests for trial in run.trials),
        "errors": sum(trial.errors for trial in run.trials),
        "error_kinds": dict(sum((Counter(trial.error_kinds) for trial in run.trials), Counter())),
        "worst_cpu_share": worst("cpu_share"),
        "worst_late_share": worst("late_share"),
        "worst_lag_p99_us": worst("lag_p99_us"),
        "worst_send_lag_p99_us": worst("send_lag_p99_us"),
        "worst_queued_share": worst("queued_share"),
        "workers": max((len(trial.workers) for trial in run.trials), default=0),
        "worst_clock_us": max(
            (
                worker["offset_uncertainty_us"]
                for trial in run.trials
                for worker in trial.workers
                if worker.get("offset_uncertainty_us") is not None
            ),
            default=None,
        ),
        "unstable": sum(trial.steady is False for trial in run.trials),
        "worst_idle_cpu_share": max(
            (trial.idle_cpu_share for trial in run.trials if trial.idle_cpu_share is not None), default=None
        ),
        "retraces": sum(trial.retraces or 0 for trial in run.trials),
    }
