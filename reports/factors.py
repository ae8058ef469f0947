"""What matters most: the share of the variation between targets that each choice explains.

Targets are compared only under one workload: endpoint, users and rows a request are taken out by centring. What is left
of the logarithm of throughput, or of p99, is explained by the choices as main effects; each one's share is its Shapley
value of the explained variance, the mean gain over every order in which the choices can be added (Lindeman, Merenda and
Gold 1980), which needs no balanced design. What no choice explains by itself, interactions and noise, is `unexplained`.
Intervals are bootstrap intervals over blocks.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations

import numpy as np

from reports import statistics
from reports.statistics import Floats
from reports.summary import ScenarioSummary, TargetSummary
from reports.summary.load_rows import ChoiceShare, ResultRow, WhatMatters

CHOICES = ("framework", "server", "mode", "encoding", "threads", "device", "interpreter")
METRICS = {"throughput": "throughput_rps", "p99": "p99_ms"}
_BATCHED = frozenset({"instances", "protobuf"})
_FEWEST_BLOCKS = 2

Cell = tuple[dict[str, str], tuple[Hashable, ...], list[float]]
"""A cell's choices, its workload, and the logarithm of its figure in every block."""


def what_matters(
    targets: Sequence[TargetSummary], scenarios: Sequence[ScenarioSummary], results: Sequence[ResultRow], seed: int
) -> list[WhatMatters]:
    """One object a metric that at least two choices can be told apart on; native and foreign targets are left out."""
    found = []
    for metric, figure in METRICS.items():
        cells = _cells(targets, scenarios, results, figure)
        told = explained(cells, seed, metric) if cells else None
        if told is not None:
            found.append(told)
    return found


def explained(cells: Sequence[Cell], seed: int = 0, metric: str = "throughput") -> WhatMatters | None:
    """The shares of every choice that varies, most first, and what is unexplained; None where fewer than two vary."""
    names = [name for name in CHOICES if _varies(cells, name)]
    if len(names) < 2:
        return None
    by_block = np.array([values for _, _, values in cells])
    workloads = _dummies([workload for _, workload, _ in cells])
    columns = {name: _dummies([choices[name] for choices, _, _ in cells]) for name in names}
    drawn = statistics.resamples(by_block.shape[1], seed)
    mean = np.full((by_block.shape[1], 1), 1 / by_block.shape[1])
    means = (mean, np.eye(by_block.shape[1]), drawn.counts.T / by_block.shape[1])
    whole, blocks, draws = (_shapley(by_block, weights, workloads, columns) for weights in means)
    shares: list[ChoiceShare] = []
    for name in names:
        low, high = statistics.bootstrap_interval(blocks[name], draws[name], drawn)
        ends = (max(0.0, low), min(1.0, high))
        shares.append(ChoiceShare(choice=name, share=float(whole[name][0]), ci95=ends))
    shares.sort(key=lambda one: one.share, reverse=True)
    return WhatMatters(
        metric=metric,
        cells=len(cells),
        shares=shares,
        unexplained=1.0 - sum(one.share for one in shares),
        blocks=by_block.shape[1],
    )


def _cells(
    targets: Sequence[TargetSummary], scenarios: Sequence[ScenarioSummary], results: Sequence[ResultRow], figure: str
) -> list[Cell]:
    known = {target.id: target for target in targets}
    encodings = {scenario.id: scenario.encoding for scenario in scenarios}
    found: list[tuple[dict[str, str], tuple[Hashable, ...], dict[int, float]]] = []
    for row in results:
        target = known[row.target]
        if target.framework is None or target.framework.endswith("-native") or target.twin_of:
            continue
        encoding = encodings[row.scenario]
        parts = ("framework", "server", "mode", "device", "interpreter")
        choices = {part: str(getattr(target, part)) for part in parts}
        choices |= {"encoding": encoding, "threads": str(target.settings.get("threads"))}
        values = {block: math.log(value) for block, value in row.by_block(figure).items() if value}
        found.append((choices, (row.endpoint, row.users, encoding in _BATCHED), values))
    # Only blocks that nearly all cells have can be resampled together, and then only cells that have them all.
    counted = Counter(block for _, _, values in found for block in values)
    most = max(counted.values(), default=0)
    blocks = sorted(block for block, cells in counted.items() if 2 * cells > most)
    if len(blocks) < _FEWEST_BLOCKS:
        return []
    return [
        (choices, workload, [values[block] for block in blocks])
        for choices, workload, values in found
        if all(block in values for block in blocks)
    ]


def _varies(cells: Sequence[Cell], name: str) -> bool:
    """Whether some workload was measured under two values of the choice."""
    seen: dict[tuple[Hashable, ...], set[str]] = {}
    for choices, workload, _ in cells:
        seen.setdefault(workload, set()).add(choices.get(name, ""))
    return any(len(values) > 1 for values in seen.values())


def _dummies(values: Sequence[Hashable]) -> Floats:
    """One column of zeros and ones a value."""
    known = list(dict.fromkeys(values))
    return np.array([[float(value == one) for one in known] for value in values])


def _shapley(by_block: Floats, weights: Floats, workloads: Floats, columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """The share of each choice for every column of `weights`, (blocks, R): each makes a mean of the blocks.

    Sums of squares of a mean of blocks are quadratic in its weights, so each subset of choices is fitted to the blocks
    once, however many resamples there are.
    """
    centred = by_block - _fitted(workloads, by_block)
    total = np.maximum(_squares(centred, weights), np.finfo(np.float64).tiny)
    names = list(columns)
    worth: dict[frozenset[str], Floats] = {}
    for size in range(len(names) + 1):
        for subset in combinations(names, size):
            design = np.hstack([workloads, *(columns[name] for name in subset)])
            worth[frozenset(subset)] = _squares(_fitted(design, centred), weights)
    found = {}
    for name in names:
        others = [one for one in names if one != name]
        gain = np.zeros(weights.shape[1])
        for size in range(len(others) + 1):
            weight = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(names))
            for subset in combinations(others, size):
                gain += weight * (worth[frozenset((*subset, name))] - worth[frozenset(subset)])
        found[name] = gain / total
    return found


def _squares(by_block: Floats, weights: Floats) -> Floats:
    """The sum of squares over cells of every mean of the blocks, (R,)."""
    squares: Floats = (by_block.T @ by_block @ weights * weights).sum(axis=0)
    return squares


def _fitted(design: Floats, figures: Floats) -> Floats:
    """The projection of `figures` on the columns of `design`, whatever its rank."""
    basis, values, _ = np.linalg.svd(design, full_matrices=False)
    basis = basis[:, values > values.max() * 1e-9]
    projected: Floats = basis @ (basis.T @ figures)
    return projected
