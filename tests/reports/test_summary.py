"""From a run whose truth is known to its summary: what is found, what is withheld, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest
from msgspec import structs
from synthetic_run import Truth, true_rate, write_run

from commands.run_outcome import draw_and_print, exit_code
from experiment.journal import FILE_NAME, encode
from experiment.journal_records import RefusedRecord
from experiment.run_folder import read_run
from reports import latencies, wording
from reports.headline import headline
from reports.published_schemas import SUMMARY, schema_texts
from reports.summarising import summarise
from reports.summary import Summary, to_json
from reports.summary.load_rows import ComparisonRow

FLASK, BOTTLE = "flask+gunicorn+function+cpu", "bottle+gunicorn+function+cpu"
SMALL = Truth(samples=200, scenarios=("predict@1", "predict@16", "classify@16"), native=False)


def summary_of(tmp_path: Path, truth: Truth) -> Summary:
    """The summary of a folder written for that truth."""
    return summarise(read_run(write_run(tmp_path / "run", truth)))


def verdict(summary: Summary, baseline: str, candidate: str, scenario: str) -> ComparisonRow:
    """The throughput comparison of that pair."""
    (row,) = [
        row
        for row in summary.comparisons
        if (row.baseline, row.candidate, row.scenario, row.metric) == (baseline, candidate, scenario, "throughput")
    ]
    return row


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """The summary of the small run."""
    return summary_of(tmp_path_factory.mktemp("known"), SMALL)


def test_the_true_ratios_are_recovered(known: Summary) -> None:
    """Nine in ten intervals hold the ratio that the run was made with, and every estimate is within 3 % of it."""
    run_targets = {target.id: target for target in known.targets}
    held = []
    for row in known.comparisons:
        rates = [
            true_rate(structs.asdict(run_targets[side]), row.scenario, SMALL) for side in (row.baseline, row.candidate)
        ]
        truth = rates[1] / rates[0]
        assert row.ratio == pytest.approx(truth, rel=0.03)
        held.append(row.ci95[0] <= truth <= row.ci95[1])
    assert np.mean(held) >= 0.9


def test_the_verdicts_are_the_true_ones(known: Summary) -> None:
    """Bottle is faster where it was made faster, equivalent where the model is all, and A/A is equivalent."""
    assert verdict(known, FLASK, BOTTLE, "predict@16").verdict == "faster"
    assert verdict(known, FLASK, BOTTLE, "classify@16").verdict == "equivalent"
    assert verdict(known, "wsgi+gunicorn+function+cpu", FLASK, "predict@16").verdict == "slower"
    assert {row.verdict for row in known.comparisons if row.axis == "noise"} == {"equivalent"}


def test_the_latency_of_one_user_is_compared_with_faster_above_one(known: Summary) -> None:
    """The p50 ratio of Bottle over Flask is above 1, like its throughput, although its latency is lower."""
    rows = [row for row in known.comparisons if row.metric == "latency_p50"]
    assert {row.scenario for row in rows} == {"predict@1"}
    (row,) = (row for row in rows if (row.baseline, row.candidate) == (FLASK, BOTTLE))
    assert row.ratio == pytest.approx(0.86 / 0.77, rel=0.03)


def test_the_framework_cost_is_the_difference_to_bare_wsgi(known: Summary) -> None:
    """Flask's added latency with one user is what the true rates say, to within a tenth."""
    (cost,) = (row for row in known.framework_costs if row.target == FLASK and row.measure == "latency_us")
    flask, floor = (0.62 * 2900 * ratio for ratio in (0.77, 1.0))
    assert cost.mean == pytest.approx(1e6 / flask - 1e6 / floor, rel=0.1)


def test_first_round_and_failed_requests_are_no_latencies(known: Summary) -> None:
    """A first-round sample of fifty times the longest service time, and a 1 ns error, leave no trace."""
    row = next(row for row in known.results if (row.target, row.scenario) == (FLASK, "predict@16"))
    assert row.steady_samples == 5 * 200
    assert row.latency_ms.p99.median < 3 * row.latency_ms.p50.median


def test_percentiles_are_withheld_below_their_floor(known: Summary) -> None:
    """1000 samples give a p99 and no p99.9; the cell says that 5636 are missing."""
    row = known.results[0]
    assert row.latency_ms.p99 is not None
    assert row.latency_ms.p999 is None
    assert row.missing_samples == {"p999": 6636 - 1000}


def test_a_pooled_percentile_is_that_of_the_pool() -> None:
    """The pooled nearest-rank percentile equals NumPy's on the concatenated samples, for unequal blocks."""
    rng = np.random.default_rng(8)
    blocks = [np.sort(rng.integers(1, 10_000, size)) for size in (11, 230, 400)]
    for quantile in (0.5, 0.9, 0.99):
        pooled = latencies.pooled_percentile(blocks, quantile)
        assert pooled.value_ns == np.quantile(np.concatenate(blocks), quantile, method="inverted_cdf")
        assert pooled.low_ns is not None
        assert pooled.low_ns <= pooled.value_ns


def test_the_summary_is_json_and_repeats_itself(known: Summary, tmp_path: Path) -> None:
    """The summary has the published members, no NaN, and is the same when drawn again."""
    text = to_json(known)
    assert to_json(summary_of(tmp_path, SMALL)) == text
    published = {"schema_version", "run_id", "plan", "complete", "environment", "generator", "noise_floor"}
    assert published | {"results", "comparisons"} <= json.loads(text).keys()


def test_one_block_has_no_verdict(tmp_path: Path) -> None:
    """A single block gives figures without intervals, and invalid with the reason for every comparison."""
    summary = summary_of(tmp_path, replace(SMALL, blocks=1))
    assert {row.verdict for row in summary.comparisons} == {"invalid"}
    assert all("one block only" in row.reason for row in summary.comparisons)
    assert all(row.throughput_rps.ci95 is None for row in summary.results)


def test_unequal_settings_have_no_verdict(tmp_path: Path) -> None:
    """With other threads the pair is invalid, the reason names them, and pairs that are equal keep their verdict."""
    summary = summary_of(tmp_path, replace(SMALL, settings={BOTTLE: {"threads": 8}}))
    row = verdict(summary, FLASK, BOTTLE, "predict@16")
    assert row.verdict == "invalid"
    assert "threads is 4 against 8" in row.reason
    eager = verdict(summary, "flask+gunicorn+eager+cpu", "bottle+gunicorn+eager+cpu", "predict@16")
    assert eager.verdict == "faster"
    assert "threads" in [row.setting for row in summary.parity_table if not row.equal]


def test_a_refused_target_is_named_with_its_reason(tmp_path: Path) -> None:
    """A target that failed the gate has no results, and its comparisons say so."""
    summary = summary_of(tmp_path, replace(SMALL, refused={BOTTLE: "1 of 70 cases failed"}))
    assert BOTTLE not in {row.target for row in summary.results}
    row = verdict(summary, FLASK, BOTTLE, "predict@16")
    assert row.verdict == "invalid"
    assert "1 of 70 cases failed" in row.reason
    assert summary.refused[0].blocks == [0, 1, 2, 3, 4]


def test_an_invalid_trial_is_left_out(tmp_path: Path) -> None:
    """Trials under a busy generator give no figure, and the cell says why."""
    summary = summary_of(tmp_path, replace(SMALL, invalid={BOTTLE: "the generator was at 91 % CPU"}))
    cells = [row for row in summary.results if row.target == BOTTLE]
    assert cells
    assert all(row.throughput_rps is None and not row.valid for row in cells)
    assert "91 % CPU" in cells[0].reason
    assert summary.audit.invalid == 5 * 3


def test_a_missing_samples_file_costs_its_latencies_alone(tmp_path: Path) -> None:
    """Without its samples a trial keeps its throughput; the cell says that latencies are missing."""
    folder = write_run(tmp_path / "run", SMALL)
    for path in (folder / "samples").glob("b0-predict@1-flask_*function*"):
        path.unlink()
    row = next(row for row in summarise(read_run(folder)).results if row.scenario == "predict@1")
    assert row.trials == 5
    assert row.steady_samples == 4 * 200
    assert "no latencies" in row.reason


def test_many_errors_make_a_trial_unusable(tmp_path: Path) -> None:
    """A trial with one failed request in fifty gives no figure: refusing fast is not serving fast."""
    folder = write_run(tmp_path / "run", SMALL)
    path = folder / FILE_NAME
    path.write_text(path.read_text().replace('"errors":0', '"errors":4'))
    summary = summarise(read_run(folder))
    assert not any(row.valid for row in summary.results)
    assert "4 of 200 requests failed" in summary.results[0].reason


def test_the_first_line_says_what_is_fastest_and_what_to_change(known: Summary) -> None:
    """It names the fastest choice and its size against the baseline, where nothing is faster, and what to do."""
    text = headline(known)
    row = verdict(known, FLASK, BOTTLE, "predict@16")
    said = f"Bottle on gunicorn, {wording.times(row.ratio)} than Flask on gunicorn on /predict"
    assert text.startswith(f"Fastest here, at 16 users: {said}; on /classify nothing is faster.")
    assert "Change the framework" in text
    assert "Keep the TensorFlow graph: 2." in text


def test_each_question_has_a_bullet_with_its_interval(known: Summary) -> None:
    """Its largest decided pair with the interval; what is equal says so; the shares of the choices come last."""
    told = {one.label: one.text for one in known.bullets}
    row = verdict(known, FLASK, BOTTLE, "predict@16")
    assert f"{wording.change(row.ratio)} on /predict ({wording.interval(row.ratio, row.ci95)})" in told["Framework"]
    assert "the same within 3 % on /classify" in told["Framework"]
    assert list(told)[-1] == "What explains the differences"
    assert told["What explains the differences"].startswith("Execution mode explains ")


def test_no_advice_comes_out_of_an_undecided_comparison(tmp_path: Path) -> None:
    """Where noise hides every difference, nobody is told to change or to keep anything, and nothing is fastest."""
    truth = replace(SMALL, noise_sd=0.25, modes=("function", "eager"), ratios={BOTTLE: 0.85}, blocks=3)
    summary = summary_of(tmp_path, truth)
    assert all(row.verdict == "inconclusive" for row in summary.comparisons if row.baseline == FLASK)
    for word in ("Fastest", "Change", "Keep", "faster", "nothing to change"):
        assert word not in summary.headline, word
    assert all(not row.faster for row in summary.fastest)


def test_choices_that_differ_in_several_parts_are_held_against_the_baseline_too(known: Summary) -> None:
    """Bottle with eager execution has no pair of its own with Flask's graph; that it is slower keeps it out."""
    (row,) = (one for one in known.fastest if one.endpoint == "predict")
    assert row.baseline == FLASK
    assert [one.candidate for one in row.faster] == [BOTTLE]


def test_the_headline_of_a_partial_run_says_so_first(tmp_path: Path) -> None:
    """A run that was stopped after two of five blocks starts its answer with that."""
    summary = summary_of(tmp_path, replace(SMALL, written_blocks=2, complete=False))
    assert summary.headline.startswith("From a partial run (2 of 5 blocks): ")


def test_the_headline_does_not_decide_what_is_open(tmp_path: Path) -> None:
    """Under heavy noise the sentence says undecided, with the interval and the blocks that are missing."""
    truth = replace(SMALL, noise_sd=0.2, modes=("function",), scenarios=("predict@16",))
    text = summary_of(tmp_path, truth).headline
    assert "Bottle against Flask is undecided" in text
    assert "needed" in text


def test_the_headline_of_an_unfair_comparison_gives_the_reason(tmp_path: Path) -> None:
    """Where nothing may be compared, the sentence says so and why."""
    truth = replace(SMALL, modes=("function",), settings={BOTTLE: {"threads": 8}})
    assert "there is no verdict on Bottle against Flask: not treated equally" in summary_of(tmp_path, truth).headline


def test_the_headline_of_a_single_framework_compares_nothing(tmp_path: Path) -> None:
    """With Flask alone the sentence gives its throughput and says that nothing was compared."""
    truth = replace(SMALL, frameworks=("flask",), modes=("function",), twin=False)
    text = summary_of(tmp_path, truth).headline
    assert text.startswith("Nothing was compared: on this machine Flask serves /")


def test_the_headline_of_an_empty_run_gives_no_answer(tmp_path: Path) -> None:
    """A run that was killed before its first trial has no answer, and says that."""
    text = summary_of(tmp_path, replace(SMALL, written_blocks=0, complete=None)).headline
    assert text == "From a partial run (0 of 5 blocks): Nothing was measured, so there is no answer."


def _with(folder: Path, change: dict[str, object], *more: RefusedRecord) -> Path:
    """The folder, every trial of its journal changed, and with more records before its end."""
    lines = [json.loads(line) for line in (folder / FILE_NAME).read_text().splitlines()]
    count = 0
    for line in lines:
        if line["kind"] == "trial":
            count += 1
            line.update({**change, "reason": str(change["reason"]).replace("N", str(100 + count))})
    lines[-1:-1] = [json.loads(encode(one)) for one in more]
    (folder / FILE_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_where_nothing_is_valid_the_reason_is_told_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No verdict and no 0: the exit code is 3, and the commonest reason stands with its share wherever one looks."""
    truth = replace(SMALL, modes=("function",), scenarios=("predict@16",), blocks=2)
    folder = write_run(tmp_path / "run", truth)
    refused = RefusedRecord(block=0, target=BOTTLE, reason="predict-1: 302 to 'http://elsewhere'")
    _with(folder, {"valid": False, "reason": "N of 2000 requests failed (status N, mostly 429)"}, refused)
    summary = draw_and_print(folder)
    printed = " ".join(capsys.readouterr().out.split())
    found = summary.nothing_valid
    assert found is not None
    assert (found.times, found.of) == (8, 9)
    assert found.share == pytest.approx(8 / 9, abs=1e-4)
    said = (
        "Nothing was measured, so there is no answer: for 8 of 9 trials or targets (89 %) because 101 of 2000 requests"
    )
    assert summary.headline.startswith(f"{said} failed (status 101, mostly 429).")
    for text in (printed, (folder / "summary.md").read_text()):
        assert said in text
    assert said.replace(" %", "\u00a0%") in (folder / "report.html").read_text()
    assert exit_code(summary) == 3
    # A target that breaks the contract is a finding, also where nothing else could be told.
    gated = structs.replace(summary.refused[0], cases=["json-nan"])
    assert exit_code(structs.replace(summary, refused=[gated])) == 1
    assert exit_code(structs.replace(summary, refused=[])) == 3


def test_where_anything_is_valid_there_is_no_such_reason(known: Summary) -> None:
    """One cell with a figure is enough."""
    assert known.nothing_valid is None


SCHEMA_RUN = Truth(
    samples=100, blocks=2, scenarios=("predict@1", "predict@16/protobuf"), modes=("function",), native=False
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A summary's text."""
    return to_json(summarise(read_run(write_run(tmp_path_factory.mktemp("schema") / "run", SCHEMA_RUN))))


def test_the_published_schema_is_that_of_the_types() -> None:
    """After a change of a type `python -m reports.published_schemas` writes it anew."""
    assert SUMMARY.read_text(encoding="utf-8") == schema_texts()[SUMMARY]


def test_a_written_summary_keeps_the_schema(written: str) -> None:
    """A figure that is a word breaks it."""
    schema = json.loads(schema_texts()[SUMMARY])
    document = json.loads(written)
    jsonschema.validate(document, schema)
    document["results"][0]["requests"] = "many"
    with pytest.raises(jsonschema.ValidationError, match="many"):
        jsonschema.validate(document, schema)


def test_what_is_written_is_read_back_to_the_byte(written: str) -> None:
    """Reading through the types and writing again changes nothing."""
    assert to_json(msgspec.json.decode(written, type=Summary)) == written


def test_every_object_of_the_schema_is_described() -> None:
    """Each description is its type's docstring."""
    definitions = json.loads(schema_texts()[SUMMARY])["$defs"]
    assert len(definitions) > 25
    assert all(one["description"] for one in definitions.values())
