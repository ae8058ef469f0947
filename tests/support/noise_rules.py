"""When has one seen enough, and what does one then say? Six rules, played on recorded noise with a planted difference.

    PYTHONPATH=. python tests/support/noise_rules.py NOISE.json

prints for each rule the minutes until it says something, how often it says rightly that one side is 5 % slower, and how
often it says that two sides differ which are the same. The noise is of `noise_recording.py`: launches are drawn with
replacement, and the difference is planted by arithmetic (so many answers fewer in the same time), so its size is
known. Every rule sees the same launches.

What the other rules are is taken from the tools' documents. None of these tools says "slower" by itself but by what a
reader takes from its figures; what that is stands at each.
"""

from __future__ import annotations

import argparse
import math
import statistics as plain
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from noise_recording import RecordedLaunch, read
from scipy import stats

from loadtests.trial_record import Visits
from reports import looks, statistics, verdicts
from reports.core_time import core_time_rps
from reports.shared_variance import noise_reach
from reports.verdicts import NoiseFloor, Verdict

PLAYS: Final = 400
SLOWER: Final = 0.95
AT_MOST_S: Final = 20 * 60

_LOOKS: Final = (4, 6, 9, 14, 21, 32, 48)
"""Half as many blocks again at every look (`experiment/rounds.py`)."""
_BLOCK_S: Final = 1.0
"""Of each side: what plan quick has in a block of one scenario."""
_OLD_BLOCKS: Final = 5
_OLD_BLOCK_S: Final = 0.7
_TRIAL_S: Final = 3.0
_RUN_S: Final = 0.85
_RUNS: Final = 10
_level_at = cache(looks.level_at)
_SAID: Final = {Verdict.SLOWER: -1, Verdict.FASTER: 1}


@dataclass(frozen=True, slots=True)
class Told:
    """What a rule says of the second side, -1 for slower, 1 for faster, 0 for neither; after how many seconds."""

    said: int
    seconds: float


class Bench:
    """Launches as they come, the second side at a planted rate, and what they cost in time."""

    def __init__(self, launches: Sequence[RecordedLaunch], truth: float, rng: np.random.Generator) -> None:
        """`truth` is the true rate of the second side over that of the first."""
        self._launches, self._truth, self._rng = launches, truth, rng
        self.seconds = 0.0

    def launch(self, targets: int = 2) -> tuple[Visits, Visits]:
        """Both sides of a fresh launch, either of the twins being the second."""
        drawn = self._launches[self._rng.integers(len(self._launches))]
        self.seconds += targets * drawn.start_s
        first, second = drawn.sides if self._rng.random() < 0.5 else drawn.sides[::-1]
        return first, second

    def spend(self, *visits: Visits) -> None:
        """The time of these visits has passed."""
        self.seconds += sum(sum(one.served_us) for one in visits) / 1e6

    def rate(self, visits: Visits, *, second: bool, core_time: bool = False) -> float:
        """Answers a second over these visits, or a second of core time, with the planted difference."""
        self.spend(visits)
        rps = core_time_rps(visits) if core_time else sum(visits.answered) / sum(visits.served_us) * 1e6
        if not rps:
            raise ValueError("a stretch of the recording without an answer")
        return rps * (self._truth if second else 1.0)

    def begin(self, length: int, most: int) -> int:
        """A place of the recording from which on there are `length` of `most` visits."""
        return int(self._rng.integers(most - length + 1))


def visits_in(seconds: float, side: Visits) -> int:
    """How many visits of this side come to so many seconds; two at least."""
    return max(2, round(seconds * 1e6 * len(side.served_us) / sum(side.served_us)))


def stretch(visits: Visits, start: int, length: int) -> Visits:
    """So many visits from there on."""
    chosen = slice(start, start + length)
    return Visits(
        cores=visits.cores,
        round=visits.round[chosen],
        answered=visits.answered[chosen],
        served_us=visits.served_us[chosen],
        cpu_us=visits.cpu_us[chosen],
        others_us=visits.others_us[chosen],
        stolen_us=visits.stolen_us[chosen],
        queued_us=visits.queued_us[chosen],
    )


def until_decided(bench: Bench) -> Told:
    """This project: blocks of fresh launches, taken in turns, in core time, looked at as `--until decided` does."""
    first: list[float] = []
    second: list[float] = []
    itself: list[tuple[float, float]] = []
    for number, blocks in enumerate(_LOOKS, start=1):
        while len(first) < blocks:
            one, two, floor = _block(bench, _BLOCK_S, core_time=True)
            first.append(one)
            second.append(two)
            itself.append(floor)
        own = _LOOKS[:number]
        said = _verdict(first, second, itself, own)
        if said is not None or bench.seconds > AT_MOST_S:
            return Told(said or 0, bench.seconds)
    return Told(0, bench.seconds)


def five_blocks(bench: Bench) -> Told:
    """This project before: five blocks of seven turns of 100 ms, throughput as users saw it, Student's t."""
    blocks = [_block(bench, _OLD_BLOCK_S, core_time=False) for _ in range(_OLD_BLOCKS)]
    said = _verdict([one for one, _, _ in blocks], [two for _, two, _ in blocks], [own for *_, own in blocks], ())
    return Told(said or 0, bench.seconds)


def trials_of_3_s(bench: Bench) -> Told:
    """Three trials of 3 s of the one, then of the other; different where Welch's 95 % interval leaves out 1."""
    first, second = _one_after_the_other(bench, _TRIAL_S, 3)
    found = stats.ttest_ind(np.log(second), np.log(first), equal_var=False)
    return Told(int(np.sign(found.statistic)) if found.pvalue < 0.05 else 0, bench.seconds)


def three_windows(bench: Bench) -> Told:
    """perf_analyzer: windows until the last three are within 10 %; a reader takes 2 % between the means for real."""
    first, second = _one_after_the_other(bench, _TRIAL_S, 3)
    if max(max(side) / min(side) for side in (first, second)) > 1.10:
        return Told(0, bench.seconds)
    ratio = plain.mean(second) / plain.mean(first)
    return Told(0 if abs(math.log(ratio)) < math.log(1.02) else int(np.sign(ratio - 1)), bench.seconds)


def narrow_enough(bench: Bench) -> Told:
    """AIPerf: runs until Student's 95 % interval of each mean is within 5 %; different where the two do not meet."""
    first, second = _one_after_the_other(bench, _RUN_S, _RUNS)
    ends = []
    seconds = bench.seconds
    for side in (first, second):
        for count in range(3, _RUNS + 1):
            seen = np.array(side[:count])
            low, high = statistics.student_interval(seen)
            if (high - low) / 2 <= 0.05 * seen.mean():
                ends.append((low, high))
                seconds -= (_RUNS - count) * _RUN_S
                break
        else:
            return Told(0, bench.seconds)
    said = 1 if ends[1][0] > ends[0][1] else -1 if ends[1][1] < ends[0][0] else 0
    return Told(said, seconds)


def mean_and_sigma(bench: Bench) -> Told:
    """hyperfine: ten runs of each; different where the ratio of the means is further from 1 than its printed sigma."""
    first, second = (np.array(side) for side in _one_after_the_other(bench, _RUN_S, _RUNS))
    ratio = second.mean() / first.mean()
    sigma = ratio * math.hypot(first.std(ddof=1) / first.mean(), second.std(ddof=1) / second.mean())
    return Told(int(np.sign(ratio - 1)) if abs(ratio - 1) > sigma else 0, bench.seconds)


RULES: Final[dict[str, Callable[[Bench], Told]]] = {
    "--until decided": until_decided,
    "five blocks, as before": five_blocks,
    "three trials of 3 s, t interval": trials_of_3_s,
    "perf_analyzer": three_windows,
    "AIPerf": narrow_enough,
    "hyperfine": mean_and_sigma,
}


def coverage(launches: Sequence[RecordedLaunch], plays: int) -> float:
    """How often the 95 % interval of four blocks in core time has the planted ratio inside."""
    rng = np.random.default_rng(17)
    inside = 0
    for _ in range(plays):
        bench = Bench(launches, SLOWER, rng)
        blocks = [_block(bench, _BLOCK_S, core_time=True) for _ in range(_LOOKS[0])]
        measured = statistics.paired_ratio([one for one, _, _ in blocks], [two for _, two, _ in blocks])
        inside += measured.low <= SLOWER <= measured.high
    return inside / plays


def played(launches: Sequence[RecordedLaunch], rule: Callable[[Bench], Told], truth: float, plays: int) -> list[Told]:
    """What the rule says, so many times, of launches drawn anew each time."""
    rng = np.random.default_rng(16)
    return [rule(Bench(launches, truth, rng)) for _ in range(plays)]


def _block(bench: Bench, seconds: float, *, core_time: bool) -> tuple[float, float, tuple[float, float]]:
    """One block: both sides in turns, and an A/A pair beside them (of another launch: the recording has one pair)."""
    sides = bench.launch(targets=3)
    itself = bench.launch(targets=0)
    visits = visits_in(seconds, sides[0])
    begin = bench.begin(visits, min(len(side.answered) for side in (*sides, *itself)))
    one, two = (stretch(side, begin, visits) for side in sides)
    # The baseline is a side of both pairs, and its time passes once.
    pair = bench.rate(one, second=False, core_time=core_time), bench.rate(two, second=True, core_time=core_time)
    before = bench.seconds
    own, twin = (bench.rate(stretch(side, begin, visits), second=False, core_time=core_time) for side in itself)
    bench.seconds = before + (bench.seconds - before) / 2
    return *pair, (own, twin)


def _verdict(
    first: Sequence[float], second: Sequence[float], itself: Sequence[tuple[float, float]], own: tuple[int, ...]
) -> int | None:
    """-1, 0 for equivalent, 1, or None where it is undecided."""
    level = _level_at(own) if own else statistics.SIGNIFICANCE
    measured = statistics.paired_ratio(first, second, level=level)
    noise = statistics.paired_ratio([one for one, _ in itself], [two for _, two in itself])
    reach = noise_reach([noise], noise.blocks)
    judged = verdicts.judge(
        measured,
        adjusted_p=looks.p_after(measured.p_value, own),
        noise=NoiseFloor(low=math.exp(-reach), high=math.exp(reach)),
        level=level,
    )
    return None if judged.verdict is Verdict.INCONCLUSIVE else _SAID.get(judged.verdict, 0)


def _one_after_the_other(bench: Bench, seconds: float, times: int) -> tuple[list[float], list[float]]:
    """So many runs of the one, and then of the other: each of a launch of its own, at some moment of it."""
    found = []
    for second in (False, True):
        side = bench.launch(targets=1)[second]
        visits = min(visits_in(seconds, side), len(side.answered) // times)
        begin = bench.begin(visits * times, len(side.answered))
        runs = (stretch(side, begin + number * visits, visits) for number in range(times))
        found.append([bench.rate(run, second=second) for run in runs])
    return found[0], found[1]


def main() -> int:
    """Print the table, as Markdown."""
    parser = argparse.ArgumentParser(description="Play rules of stopping on recorded noise.", allow_abbrev=False)
    parser.add_argument("file", type=Path)
    parser.add_argument("--plays", type=int, default=PLAYS)
    parser.add_argument("--calm", action="store_true", help="only launches beside which nothing else was started")
    arguments = parser.parse_args()
    launches = [one for one in read(arguments.file) if not (arguments.calm and one.beside)]
    if not launches:
        parser.error(f"{arguments.file} has no such launch; tests/support/noise_recording.py records some")
    print(
        "| rule | minutes, median (90 %) | 5 % slower: says so | says the contrary | the same: says that they differ |"
    )
    print("|---|---|---|---|---|")
    for name, rule in RULES.items():
        slower, same = (played(launches, rule, truth, arguments.plays) for truth in (SLOWER, 1.0))
        minutes = np.array([one.seconds for one in slower]) / 60
        shares = [
            plain.mean(one.said == -1 for one in slower),
            plain.mean(one.said == 1 for one in slower),
            plain.mean(one.said != 0 for one in same),
        ]
        told = " | ".join(f"{100 * share:.0f} %" for share in shares)
        print(f"| {name} | {np.median(minutes):.1f} ({np.quantile(minutes, 0.9):.1f}) | {told} |", flush=True)
    print(f"\n95 % intervals of four blocks cover the truth in {100 * coverage(launches, arguments.plays):.1f} %.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
