"""A target's throughput in the time in which it could have its cores.

What other programs, or other machines on the same host, take of a server's core makes it slower and says nothing of it.
So that time is left out, as far as the target had use for it: others who ran while it was idle anyway took nothing.
What a target does to itself stays in, be it a pause of its collector, a lock or a sleep: nobody else had its core then.
"""

from __future__ import annotations

import numpy as np

from loadtests.trial_record import Visits


def core_time_rps(visits: Visits) -> float | None:
    """Right answers a second of the time in which the target could have its cores, over all visits of a trial.

    With one core, `taken` of a visit's `served` time taken by others or stolen, and `cpu` used by the target: it wanted
    the core for the share cpu / (served - taken) of what was left to it, and for the same share of what was taken; that
    much is lost. None where nothing was answered, or the books do not add up.
    """
    served = np.asarray(visits.served_us, dtype=np.float64) * visits.cores
    cpu = np.minimum(np.asarray(visits.cpu_us, dtype=np.float64), served)
    # The books are read a little before and after the visit, so they may tell of more than its time.
    both = np.asarray(visits.others_us, dtype=np.float64) + np.asarray(visits.stolen_us, dtype=np.float64)
    taken = np.minimum(both, served - cpu)
    wanted = np.divide(cpu, served - taken, out=np.zeros_like(cpu), where=served > taken)
    had_us = float((served - wanted * taken).sum()) / visits.cores
    answered = sum(visits.answered)
    return answered / had_us * 1e6 if answered and had_us > 0 else None
