"""A run folder with known truth: what the reports must find in it is chosen here, not measured.

Every block shifts all targets together (the machine's drift), every trial of a target has noise of its own, and
every latency is drawn around the rate that its target has. Seeded, so that a test sees the same folder always.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from conformance.finding import CaseVerdict, Finding, GateRecord, Level, ParityRecord, Severity
from experiment.environment_record import CpuRecord, EnvironmentRecord, GitRecord, PythonRecord
from experiment.journal import Journal
from experiment.journal_records import (
    BegunRecord,
    ComparisonRecord,
    EndRecord,
    LaunchRecord,
    NotRunRecord,
    RefusedRecord,
    RunRecord,
    TargetRecord,
)
from experiment.own_runs import sign
from loadtests.trial_record import CeilingRecord, GeneratorShare, ScenarioRecord, TrialRecord

RATES_RPS: Mapping[str, float] = {"predict": 2900.0, "advanced_predict": 2600.0, "classify": 150.0}
# Rate against bare WSGI with the compiled model, by endpoint; classify is all model.
FRAMEWORK_RATIO: Mapping[str, Mapping[str, float]] = {
    "wsgi": {"predict": 1.0, "advanced_predict": 1.0, "classify": 1.0},
    "bottle": {"predict": 0.86, "advanced_predict": 0.87, "classify": 0.999},
    "flask": {"predict": 0.77, "advanced_predict": 0.79, "classify": 0.998},
    "bottle-native": {"predict": 0.55, "advanced_predict": 0.53, "classify": 0.62},
    "flask-native": {"predict": 0.52, "advanced_predict": 0.42, "classify": 0.61},
}
EAGER_RATIO: Mapping[str, float] = {"predict": 0.46, "advanced_predict": 0.47, "classify": 0.71}
VARIANT_RATIO: Mapping[str, float] = {"instances": 0.8, "protobuf": 1.25, "raw": 1.1}
SCENARIOS = (
    "predict@1",
    "predict@4",
    "predict@16",
    "advanced_predict@16",
    "classify@1",
    "classify@4",
    "classify@16",
)
OPEN_USERS = "400"
"""Connections of the open loops, as their rate of 200 a second makes it."""
WAIT_NS = 3_000_000
"""What the last twentieth of an open loop's requests waits to be sent."""
ONE_USER_SHARE = 0.62
FOUR_USERS_SHARE = 0.93
TWIN = "flask+gunicorn+function+cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What the folder is made from; `ratios` override FRAMEWORK_RATIO by target id, for every endpoint."""

    seed: int = 7
    blocks: int = 5
    written_blocks: int | None = None
    complete: bool | None = True
    drift_sd: float = 0.05
    noise_sd: float = 0.006
    samples: int = 600
    scenarios: tuple[str, ...] = SCENARIOS
    frameworks: tuple[str, ...] = ("flask", "bottle", "wsgi")
    modes: tuple[str, ...] = ("function", "eager")
    native: bool = True
    twin: bool = True
    ratios: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    invalid: Mapping[str, str] = field(default_factory=dict)


def targets_of(truth: Truth) -> list[TargetRecord]:
    """The run record's targets: every framework in every mode, the A/A twin and the native pair."""
    named = [(framework, mode) for mode in truth.modes for framework in truth.frameworks]
    if truth.native:
        named += [("flask-native", "function"), ("bottle-native", "function")]
    found = []
    for framework, mode in named:
        identifier = f"{framework}+gunicorn+{mode}+cpu"
        found.append(_target(identifier, framework, mode, truth))
        if truth.twin and identifier == TWIN:
            found.append(replace(found[-1], id=TWIN + "#2", twin_of=TWIN))
    return found


def _target(identifier: str, framework: str, mode: str, truth: Truth) -> TargetRecord:
    settings = {"workers": 1, "threads": 4, "keep_alive_s": 300, "cpus": [1], "env": {"PYTHONHASHSEED": "0"}}
    return TargetRecord(
        id=identifier,
        framework=framework,
        server="gunicorn",
        mode=mode,
        device="cpu",
        judged=not framework.endswith("-native"),
        settings=settings | dict(truth.settings.get(identifier, {})),
    )


def comparisons_of(truth: Truth) -> list[ComparisonRecord]:
    """Every pair that differs in one part."""

    def name(framework: str, mode: str) -> str:
        return f"{framework}+gunicorn+{mode}+cpu"

    found = []
    for mode in truth.modes:
        if {"flask", "bottle"} <= set(truth.frameworks):
            found.append((name("flask", mode), name("bottle", mode), "framework"))
        if "wsgi" in truth.frameworks:
            found += [(name("wsgi", mode), name(one, mode), "floor") for one in truth.frameworks if one != "wsgi"]
    if {"eager", "function"} <= set(truth.modes):
        found += [(name(one, "eager"), name(one, "function"), "mode") for one in truth.frameworks]
    if truth.native:
        found.append((name("flask-native", "function"), name("bottle-native", "function"), "native"))
    if truth.twin:
        found.append((TWIN, TWIN + "#2", "noise"))
    return [ComparisonRecord(baseline=first, candidate=second, axis=axis) for first, second, axis in found]


def parts(scenario: str) -> tuple[str, str, str]:
    """Endpoint, users and the encoding beside the usual one, or nothing, of a scenario id."""
    endpoint, open_loop, _rate = scenario.partition("~")
    if open_loop:
        return endpoint, OPEN_USERS, ""
    endpoint, _, rest = scenario.partition("@")
    users, _, variant = rest.partition("/")
    return endpoint, users, variant


def rates_of(scenario: str) -> tuple[float, ...]:
    """An open loop's rate by the scenario's id; none for a closed loop."""
    rate = scenario.partition("~poisson")[2].removesuffix("rps")
    return (float(rate),) if rate else ()


def true_rate(target: Mapping[str, Any], scenario: str, truth: Truth) -> float:
    """The requests per second that this cell really has."""
    endpoint, users, variant = parts(scenario)
    load = {"1": ONE_USER_SHARE, "4": FOUR_USERS_SHARE}.get(users, 1.0)
    ratio = truth.ratios.get(target["id"], FRAMEWORK_RATIO[target["framework"]][endpoint])
    mode = EAGER_RATIO[endpoint] if target["mode"] == "eager" else 1.0
    return RATES_RPS[endpoint] * load * ratio * mode * VARIANT_RATIO.get(variant, 1.0)


def write_run(folder: Path, truth: Truth | None = None) -> Path:
    """Write the run folder and give it back."""
    truth = truth or Truth()
    rng = np.random.default_rng(truth.seed)
    targets = targets_of(truth)
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    with Journal.create(folder, _header(truth, targets), sign) as journal:
        journal.append(CeilingRecord(ceiling_rps=31_400.0, overhead_us=41.0, users=16, cpu_share=0.61))
        blocks = truth.blocks if truth.written_blocks is None else truth.written_blocks
        for block in range(blocks):
            _write_block(journal=journal, folder=folder, truth=truth, targets=targets, block=block, rng=rng)
        if truth.complete is not None:
            reason = None if truth.complete else "interrupted by the user"
            journal.append(EndRecord(complete=truth.complete, reason=reason, wall_s=812.4, measuring_s=655.1))
    return folder


def _header(truth: Truth, targets: list[TargetRecord]) -> RunRecord:
    return RunRecord(
        run_id="20260101-120000-quick",
        plan="quick",
        seed=truth.seed,
        started_utc="2026-01-01T12:00:00Z",
        blocks=truth.blocks,
        slice_s=0.1,
        targets=tuple(targets),
        scenarios=tuple(
            ScenarioRecord(
                id=scenario,
                endpoint=parts(scenario)[0],
                users=int(parts(scenario)[1]),
                payloads=16,
                encoding=parts(scenario)[2] or ("form" if scenario.startswith("classify") else "json"),
                arrival="poisson" if rates_of(scenario) else "closed",
                rates_rps=rates_of(scenario),
            )
            for scenario in truth.scenarios
        ),
        comparisons=tuple(comparisons_of(truth)),
        not_run=(NotRunRecord(what="flask+gunicorn+function+gpu", reason="no GPU"),),
        environment=EnvironmentRecord(
            cpu=CpuRecord(model="Example CPU @ 2.60GHz", cores_physical=2, cores_logical=4),
            memory_mib=16_000,
            load_average=(0.12, 0.2, 0.1),
            kernel="Linux 6.1.0",
            os="Debian GNU/Linux 12 (bookworm)",
            python=PythonRecord(implementation="CPython", version="3.11.7"),
            packages={"bottle": "0.13.4", "flask": "3.1.2", "tensorflow": "2.21.0"},
            packages_sha256="0" * 64,
            flags={"TF_NUM_INTRAOP_THREADS": "1"},
            git=GitRecord(commit="0123456789abcdef", branch="main", dirty=False),
        ),
        command=("python3", "bench.py", "run", "--plan", "quick", "--seed", str(truth.seed)),
    )


def _write_block(
    *,
    journal: Journal,
    folder: Path,
    truth: Truth,
    targets: list[TargetRecord],
    block: int,
    rng: np.random.Generator,
) -> None:
    up = []
    for target in targets:
        judged = target.judged
        journal.append(
            LaunchRecord(
                block=block,
                target=target.id,
                startup_s=float(4.1 + rng.normal(0, 0.1)),
                import_s=2.9 if judged else None,
                load_s=0.8 if judged else None,
                rss_mib=float(430 + rng.normal(0, 2)),
                metadata={"versions": {"python": "3.11.7", "tensorflow": "2.21.0"}} if judged else None,
            )
        )
        if target.id in truth.refused:
            reason = truth.refused[target.id]
            journal.append(RefusedRecord(block=block, target=target.id, reason=reason, cases=("nan-refused",)))
            journal.append(_gate(block, target, failed=True))
            continue
        journal.append(_gate(block, target, failed=False))
        up.append(target)
    alike = tuple(target.id for target in up if target.judged and not target.twin_of)
    journal.append(ParityRecord(block=block, targets=alike, cases=70))
    for scenario in truth.scenarios:
        names = tuple(target.id for target in up)
        journal.append(BegunRecord(block=block, scenario=scenario, targets=names))
        drift = np.exp(rng.normal(0, truth.drift_sd))
        for target in up:
            steady = true_rate(msgspec.to_builtins(target), scenario, truth)
            trial = _trial(
                folder=folder,
                truth=truth,
                target=target,
                scenario=scenario,
                block=block,
                rate_rps=float(steady * drift * np.exp(rng.normal(0, truth.noise_sd))),
                rng=rng,
            )
            journal.append(trial)


def _gate(block: int, target: TargetRecord, *, failed: bool) -> GateRecord:
    verdict = CaseVerdict.WRONG if failed else CaseVerdict.OBSERVED
    finding = Finding(
        case_id="nan-refused",
        target=target.id,
        verdict=verdict,
        level=Level.MUST,
        severity=Severity.SILENT_WRONG_ANSWER,
        proves="NaN in a JSON body is refused.",
        clause="RFC 8259 section 6",
        expected="400 malformed_json",
        actual='200 {"prediction":NaN}' if failed else "500, HTML",
        repeat=f"python3 bench.py check --targets {target.id} --case nan-refused",
    )
    shown = failed or not target.judged
    counts = {"right": 69, verdict.value: 1} if shown else {"right": 70}
    return GateRecord(
        block=block,
        target=target.id,
        passed=not failed,
        seconds=0.9,
        counts=counts if target.judged else {"observed": 70},
        findings=(finding,) if shown else (),
    )


def _trial(
    *,
    folder: Path,
    truth: Truth,
    target: TargetRecord,
    scenario: str,
    block: int,
    rate_rps: float,
    rng: np.random.Generator,
) -> TrialRecord:
    endpoint, users, _ = parts(scenario)
    stem = f"b{block}-{scenario}-{target.id}".replace("+", "_").replace("#", "-").replace("/", "_")
    name = f"samples/{stem}.npz"
    waited = "~" in scenario
    in_flight = 4 if waited else int(users)
    service = rng.gamma(25.0, in_flight / rate_rps / 25.0, size=truth.samples)
    write_samples(folder / name, (service * 1e9).astype(np.int64), users=in_flight, waited=waited)
    reason = truth.invalid.get(target.id)
    return TrialRecord(
        block=block,
        target=target.id,
        endpoint=endpoint,
        scenario=scenario,
        users=int(users),
        valid=reason is None,
        reason=reason,
        requests=truth.samples,
        slices=6,
        completed=truth.samples,
        throughput_rps=rate_rps,
        offered_rps=next(iter(rates_of(scenario)), None),
        cpu_ms_per_request=960.0 / rate_rps,
        rss_mib=float(440 + rng.normal(0, 3)),
        context_switches=2 * truth.samples,
        retraces=0 if target.judged else None,
        generator=GeneratorShare(cpu_share=0.22, late_share=0.001, lag_p99_us=120.0),
        idle_cpu_share=0.004,
        samples=name,
    )


def write_samples(path: Path, service_ns: np.ndarray[Any, Any], *, users: int, waited: bool = False) -> None:
    """A samples file of those steady service times, with one first-round sample a user and an error that is not one."""
    steady, first = service_ns.size, users
    size = steady + first + 1
    service = np.concatenate([np.full(first, 50 * service_ns.max()), service_ns, [1]])
    due = np.arange(size, dtype=np.int64) * 1000
    sent = due + 200
    if waited:
        sent[-size // 20 :] += WAIT_NS
    np.savez(
        path,
        due_ns=due,
        sent_ns=sent,
        first_ns=sent + service,
        done_ns=sent + service,
        status=np.append(np.full(size - 1, 200, dtype=np.int16), np.int16(0)),
        bytes_in=np.full(size, 180, dtype=np.int32),
        phase=np.concatenate([np.zeros(first), np.ones(steady + 1)]).astype(np.int8),
        slice=np.zeros(size, dtype=np.int32),
        user=(np.arange(size) % users).astype(np.int16),
        error=np.append(np.zeros(size - 1), 3).astype(np.int8),
    )
