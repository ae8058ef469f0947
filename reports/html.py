"""report.html: one self-contained page from a summary and its plots. It asks the network for nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.cases import CASES
from loadtests.quantiles import PERCENTILES, samples_needed
from reports import choosing, conformance_words, costs, outline, repeating, tables, wording
from reports.gallery import Plot
from reports.ladder_summary import SEGMENTS
from reports.ladder_words import SEGMENT_WORDS, counted_rows, tax_functions, threshold_words
from reports.plots import PLACED
from reports.summary import Summary
from reports.summary.check_rows import TreatmentRow
from reports.summary.measures import COLUMNS
from reports.tables import PairRow
from reports.treatment import flatten

HERE = Path(__file__).parent
GLOSSARY = HERE.parent / "docs" / "glossary.md"
LONGEST_TEXT = 400
SEVERITY_ORDER = ("silent_wrong_answer", "wrong_2xx", "server_error", "wrong_4xx", "bytes_only")
VERDICT_ORDER = ("right", "wrong", "diverges", "servers_own", "observed", "skipped", "setup_fault", "harness_fault")


def page(summary: Summary, plots: Mapping[str, Plot]) -> str:
    """The whole document."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What a table sorts by needs no more; summary.json has every digit.
        finalize=lambda value: f"{value:.6g}" if isinstance(value, float) else value,
    )
    environment.filters.update(
        number=wording.number,
        percent=lambda share: "\u2013" if share is None else f"{wording.percent(share)} %",
        short=_short,
        title_of_axis=wording.axis_title,
        change=tables.change,
        interval=tables.interval,
        symbol=tables.SYMBOLS.__getitem__,
        groupby_axis=_by_axis,
        ranges=wording.ranges,
        caveats=lambda row: tables.caveats(row, summary.blocks),
        price=lambda value: f"{value:g}",
        spent=costs.spent,
        framework=wording.framework_name,
        signed=lambda share: wording.signed_change(1 + share),
        threshold=threshold_words,
    )
    targets = summary.target_by_id
    tutorial = conformance_words.tutorial_code(summary)
    names = outline.sections(summary, plots)
    counts = summary.ladder.instructions if summary.ladder else None
    return environment.get_template("page.html.j2").render(
        summary=summary,
        style=_inlined("report.css"),
        script=_inlined("report.js"),
        plots=plots,
        svg={name: Markup(plot.svg) for name, plot in plots.items()},  # noqa: S704 - drawn here, its texts escaped
        other_plots=[name for name in plots if name not in PLACED],
        labels={identifier: target.label for identifier, target in targets.items()},
        glossary=glossary(),
        folded=outline.FOLDED,
        questions=[tables.question(row, targets) for row in summary.comparisons],
        metrics=tables.METRICS,
        endpoints=tables.endpoints(summary),
        same_users=tables.same_users(summary),
        verdicts=tables.verdict_table(summary),
        trust=tables.trust(summary),
        sentences={"cost": tables.cost_sentences(summary)},
        loaded=outline.is_loaded(summary),
        sections=names,
        plot_sections=outline.PLOT_SECTIONS,
        contents=outline.contents(names),
        choices=choosing.choices(summary),
        left_out_of_cost=costs.LEFT_OUT,
        steps=repeating.steps(summary),
        segments=SEGMENTS,
        segment_words=SEGMENT_WORDS,
        counted=counted_rows(counts),
        tax_functions=lambda row: tax_functions(counts, row.framework, row.endpoint),
        percentile_columns=COLUMNS,
        samples_needed=lambda name: samples_needed(PERCENTILES[name]),
        start_up_sentence=conformance_words.start_up_sentence(summary),
        judged=[row for row in summary.conformance if row.judged],
        alike=conformance_words.alike(summary),
        tutorial=tutorial,
        tutorial_sentence=conformance_words.tutorial_sentence(tutorial) if tutorial else "",
        severities=[one for one in SEVERITY_ORDER if tutorial and one in tutorial.severities],
        case_verdicts=_case_verdicts(summary),
        topics=conformance_words.topics(summary),
        # As its case names it today: what an older record cites may stand elsewhere now.
        clauses={case.id: case.clause for case in CASES},
        equal_settings=[row for row in summary.treatment if row.equal],
        unequal_settings=[row for row in summary.treatment if not row.equal],
        equal_value=_equal_value,
        machine=_machine(summary.environment),
        machine_line=machine_line(summary),
    )


def glossary() -> dict[str, str]:
    """What every word of the glossary means, in one line without links."""
    rows = re.findall(r"^\| ([^|]+?) \| (.+) \|$", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", text) for name, text in rows}


def _by_axis(rows: Sequence[PairRow]) -> list[tuple[str, list[PairRow]]]:
    """Rows under their axes, both in the order given."""
    groups: dict[str, list[PairRow]] = {}
    for row in rows:
        groups.setdefault(row.axis, []).append(row)
    return list(groups.items())


def _inlined(name: str) -> Markup:
    """A file of this folder as it is, to stand inside the page."""
    return Markup((HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _short(value: Any) -> str:
    """A value as one line of at most 400 characters: an answer may be a page of its own."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}\u2026"


def _equal_value(row: TreatmentRow) -> str:
    """The one value of a setting that is equal for all that tell it."""
    value = next((one for one in row.values.values() if one is not None), None)
    return "not set" if value in (None, "") else _short(value)


def _case_verdicts(summary: Summary) -> list[str]:
    """The verdicts that some target has, in a fixed order."""
    present = {name for row in summary.conformance for name in row.counts}
    return [name for name in VERDICT_ORDER if name in present] + sorted(present - set(VERDICT_ORDER))


def machine_line(summary: Summary) -> str:
    """The machine in one line."""
    cpu = summary.environment.get("cpu") or {}
    memory = summary.environment.get("memory_mib")
    parts = [
        cpu.get("model") or "unknown processor",
        f"{cpu['cores_logical']} logical cores" if cpu.get("cores_logical") else "",
        f"{wording.number(memory / 1024)} GiB of memory" if memory else "",
        summary.environment.get("os") or "",
    ]
    return ", ".join(part for part in parts if part)


def _machine(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The environment as label and value, without the list of packages; what is not known says so."""
    rows = []
    for name, value in environment.items():
        if name == "packages":
            continue
        for label, inner in flatten(value, name).items():
            text = ", ".join(map(str, inner)) if isinstance(inner, list) else inner
            known = text if text not in (None, "", {}) else "not known" if text != {} else "none"
            rows.append((label.replace("_", " ").replace(".", " "), str(known)))
    return rows
