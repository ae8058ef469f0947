"""The player of rules itself, on a recording whose noise is known; the recorded ones are for `tox -e noise`."""

from __future__ import annotations

import statistics as plain

import numpy as np
import pytest
from noise_recording import RecordedLaunch
from noise_rules import RULES, SLOWER, coverage, played

from loadtests.trial_record import Visits

PLAYS = 100


def launches(*, visit_sd: float, process_sd: float) -> list[RecordedLaunch]:
    """Forty launches of two sides at a thousand requests a second, with noise of a visit and of a process."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        sides = []
        for _ in range(2):
            rate = 25 * np.exp(rng.normal(0, process_sd) + rng.normal(0, visit_sd, 720))
            answered = tuple(int(count) for count in np.round(1000 * rate))
            same = (25_000,) * 720
            none = (0,) * 720
            sides.append(
                Visits(
                    round=tuple(range(720)),
                    answered=answered,
                    served_us=same,
                    cpu_us=same,
                    others_us=none,
                    stolen_us=none,
                    queued_us=none,
                )
            )
        found.append(RecordedLaunch(scenario="classify@1", start_s=5.0, beside=None, sides=(sides[0], sides[1])))
    return found


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_finds_what_is_plain(rule: str) -> None:
    """Without noise to speak of each says rightly that one side is slower, and never the contrary."""
    told = played(launches(visit_sd=0.005, process_sd=0.001), RULES[rule], SLOWER, PLAYS)
    assert plain.mean(one.said == -1 for one in told) > 0.95
    assert not any(one.said == 1 for one in told)


def test_ours_keeps_its_level_where_processes_differ() -> None:
    """With noise of the process, which a rule with one launch cannot see, ours is wrong one time in twenty or so."""
    noise = launches(visit_sd=0.05, process_sd=0.02)
    wrong = {name: plain.mean(one.said != 0 for one in played(noise, rule, 1.0, PLAYS)) for name, rule in RULES.items()}
    print(wrong)
    assert wrong["--until decided"] <= 0.07
    assert wrong["three trials of 3 s, t interval"] > 0.2
    assert 0.9 < coverage(noise, PLAYS) < 0.99
