"""Start-up: how long each target takes from its process's start to its first right answer, and on what."""

from __future__ import annotations

from matplotlib.figure import Figure

from experiment.run_folder import Run
from reports import drawing, wording
from reports.summary import Summary
from reports.summary.check_rows import StartupRow

TITLE = "Start-up"
NOTE = (
    "From the process\u2019s start to its first answer, medians over launches; the line is the 95 % interval of it. "
    "Dark: imports; middle: loading and warming the models; light: the rest. A target that tells no parts is light "
    "throughout. Lower is better."
)
ROW_IN = 0.24
PARTS = {"import_s": 1.0, "load_s": 0.62}
PART_WORDS = {"import_s": "imports", "load_s": "loading the models"}
REST = 0.3
REACH = 1.6


def _rows(summary: Summary) -> list[tuple[StartupRow, float]]:
    """Every target that was launched here, with the seconds until its first answer; a twin is left out."""
    first = {target.id for target in summary.first_targets}
    return [(row, row.startup_s) for row in summary.startup if row.target in first and row.startup_s is not None]


def ALT(summary: Summary) -> str:  # noqa: N802 - the name that every plot has
    """Every start-up, in words."""
    said = [f"{row.target} {wording.number(seconds)} s" for row, seconds in _rows(summary)]
    return f"Seconds from start to first answer. {'; '.join(said)}."


def draw(summary: Summary, run: Run) -> Figure | None:  # noqa: ARG001 - the signature of every plot
    """The figure; None where nothing was launched here."""
    rows = _rows(summary)
    if not rows:
        return None
    known = summary.target_by_id
    figure, grid = drawing.figure(1, 1, height_in=ROW_IN * len(rows) + 0.6)
    axes = grid[0][0]
    for place, (row, seconds) in enumerate(rows):
        colour = drawing.colour(known[row.target], summary.targets)
        left = 0.0
        for name, alpha in PARTS.items():
            width = getattr(row, name) or 0.0
            bars = axes.barh(place, width, left=left, color=colour, alpha=alpha, height=0.6)
            drawing.mark(bars[0], f"{known[row.target].label}: {PART_WORDS[name]} {wording.number(width)} s")
            left += width
        bars = axes.barh(place, max(0.0, seconds - left), left=left, color=colour, alpha=REST, height=0.6)
        drawing.mark(bars[0], f"{known[row.target].label}: {wording.number(seconds)} s in all")
        ends = row.startup_ci95 or (seconds, seconds)
        axes.plot(ends, [place, place], color=drawing.INK, linewidth=1.2)
        drawing.beside(axes, f"{wording.number(seconds)} s", (ends[1], place))
    # Two launches can have an interval without bounds; it leaves the panel, and the bars stay readable.
    longest = max(seconds for _, seconds in rows)
    furthest = max((row.startup_ci95 or (0, longest))[1] for row, _ in rows)
    axes.set_xlim(0, min(furthest, REACH * longest) * 1.1)
    drawing.name_rows(axes, [known[row.target].label for row, _ in rows])
    axes.set_xlabel("seconds")
    axes.grid(axis="x")
    return figure
