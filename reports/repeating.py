"""How to repeat a run and to follow its figures back: one command after the other, each with what it is for. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from experiment.journal_records import target_of
from reports.summary import Summary

FOLDER = "reports/runs/AGAIN"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatStep:
    """One command, and what it is for."""

    why: str
    command: str


def steps(summary: Summary) -> list[RepeatStep]:
    """From a clone of the code to the same report, and from a figure back to its lines of the journal."""
    found = []
    git = summary.environment.get("git") or {}
    if git.get("commit"):
        changed = ", and then with changes that were never committed" if git.get("dirty") else ""
        found.append(
            RepeatStep(
                why=f"The code as it was measured{changed}, in a clone.", command=f"git checkout {git['commit']}"
            )
        )
    found.append(RepeatStep(why="Every package as uv.lock names it.", command="uv sync"))
    if summary.results or not summary.ladder:
        targets = ",".join(dict.fromkeys(target_of(one.id) for one in summary.targets if one.framework))
        if targets:
            found.append(RepeatStep(why="Is it right?", command=f"python3 bench.py check --targets {targets}"))
    again = repeated(summary)
    found.append(RepeatStep(why="Measure again, with the same seed.", command=again))
    price = summary.price_per_core_hour
    priced = f" --price-per-core-hour {price:g}" if price else ""
    found.append(
        RepeatStep(
            why="Draw this page from a run folder, on any machine.", command=f"python3 bench.py report DIR{priced}"
        )
    )
    if summary.results:
        found.append(
            RepeatStep(
                why="What differs between that run and this one, beyond the noise.",
                command=f"python3 bench.py compare DIR {FOLDER}",
            )
        )
        line = summary.results[0].lines or summary.results[0].left_out_lines
        if line:
            found.append(
                RepeatStep(
                    why="From a figure to where it comes from: its row names lines of the journal, such as this one.",
                    command=f"sed -n {line[0]}p DIR/journal.jsonl",
                )
            )
    return found


def repeated(summary: Summary) -> str:
    """The run's own command with its seed, into a folder of its own; as it was where it was no `run`."""
    words = list(summary.command)
    if "run" not in words and any(word in words for word in ("micro", "report")):
        return shlex.join(words)
    kept = []
    skip = False
    for word in words:
        if skip or word in ("--out", "--resume", "--seed"):
            skip = not skip
        elif not word.startswith(("--out=", "--resume=", "--seed=")):
            kept.append(word)
    return shlex.join([*kept, "--seed", str(summary.seed), "--out", FOLDER])
