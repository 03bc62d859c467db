"""The panel of answers: two retrieval systems, one language model, with and without a judge, capped, killed and refused."""

import signal

import numpy as np
import pytest
from sqlalchemy import update

from finetune_core.errors import ArtefactError, DatasetError, ProviderError
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.metrics.bootstrap import holm, paired_interval
from finetune_core.metrics.ranking import Mean
from finetune_core.storage import comparisons as comparison_rows
from finetune_core.storage import database, generations, tables
from finetune_core.storage import panels as panel_rows
from finetune_core.workspace import comparisons, jobs, panels
from finetune_core.workspace.comparisons import ComparisonView
from finetune_core.workspace.panels import Change, PanelView
from tests import example_comparison, panel_fixtures
from tests.panel_fixtures import JUDGE, answer, compared_project, panel_params, services
from tests.warm_python import WarmPython

words_recipe = example_comparison.words_recipe
answered = panel_fixtures.answered
tuned_judge = panel_fixtures.tuned_judge


def run_panel(view: ComparisonView, **values) -> tuple[jobs.JobView, PanelView | None]:
    job_id = panels.launch(view.project_id, panel_params(view, **values))
    run_queued_here()
    found = panels.listing(comparisons.get(view.project_id, view.id))
    return jobs.get(job_id), found[0] if found else None


def last_texts(view: ComparisonView, key: str) -> list[str]:
    """The text of what a system put fifth for each question."""
    corpus = example_comparison.corpus()
    report = comparison_rows.read_report(comparisons.folder_of(view) / f"{key}.parquet")
    return [corpus[detail["ids"][4]].text for detail in report.details]


def test_without_a_judge_answers_are_held_against_the_true_ones(answered: ComparisonView) -> None:
    with services() as vendor:
        job, panel = run_panel(answered, num_questions=100)
    assert job.state is JobState.DONE, job.error
    assert vendor.violations == []
    assert panel is not None
    assert list(panel.summary["metrics"]) == ["similarity", "rouge_l", "chrf", "bleu"]
    embedder, right = (
        example_comparison.WordEmbedder(),
        [one.answer for one in panel_fixtures.answered_split().test.examples],
    )
    groups = [one.group for one in panel_fixtures.answered_split().test.examples]
    columns = []
    for system, key in ((panel.before, panel.params.before), (panel.after, panel.params.after)):
        said = last_texts(answered, key)
        cosines = (embedder.encode_passages(said) * embedder.encode_passages(right)).sum(axis=1)
        assert system["metrics"]["similarity"]["value"] == pytest.approx(cosines.mean(), abs=1e-6)
        columns.append({"x": cosines.astype(float)})
    interval = paired_interval(*columns, groups, Mean("x"))
    found = panel.summary["metrics"]["similarity"]
    assert found["interval"]["low"] == pytest.approx(interval.low, abs=1e-6)
    p_values = [one["interval"]["p_value"] for one in panel.summary["metrics"].values()]
    assert [one["p_value"] for one in panel.summary["metrics"].values()] == holm(p_values)
    distinct = {str(request.body["messages"]) for request in vendor.requests}
    assert len(vendor.requests) == len(distinct) == 72 - panel.summary["num_same_passages"]
    assert all(request.body["temperature"] == 0 and request.body["seed"] == 0 for request in vendor.requests)
    assert panel.before["facts"]["latency_ms"] > 0
    page = panels.answers(panel, limit=100)
    assert sum(page.counts.values()) == page.num_matching == 36
    moved = [row.score_after - row.score_before for row in page.rows]
    assert moved == sorted(moved)
    assert [len(row.passages_after) for row in page.rows] == [5] * 36
    assert {row.change for row in panels.answers(panel, Change.BETTER, limit=100).rows} == {Change.BETTER}


def test_a_judge_grades_both_and_nothing_is_asked_twice(answered: ComparisonView) -> None:
    with services(input_usd_per_million=1.0, output_usd_per_million=2.0) as vendor:
        seen = panels.estimate(
            answered.project_id, panel_params(answered, num_questions=2, top_k=2, judge=f"service:{JUDGE}")
        )
        job, panel = run_panel(answered, num_questions=2, top_k=2, judge=f"service:{JUDGE}")
        assert job.state is JobState.DONE, job.error
        num_asked = len(vendor.requests)
        assert job.result["num_asked_now"] == num_asked
        assert 0.5 < seen.num_calls / num_asked < 2.5
        _, again = run_panel(answered, num_questions=2, top_k=2, judge=f"service:{JUDGE}")
        assert len(vendor.requests) == num_asked
        run_panel(answered, num_questions=3, top_k=2, judge=f"service:{JUDGE}")
        assert num_asked < len(vendor.requests) < 2 * num_asked
    assert vendor.violations == []
    assert panel is not None
    assert again is not None
    assert again.summary["metrics"] == panel.summary["metrics"]
    metrics = panel.summary["metrics"]
    assert {"faithfulness", "context_precision", "context_recall", "factual_correctness"} < set(metrics)
    assert metrics["faithfulness"]["before"] == metrics["faithfulness"]["after"] == 1.0
    assert metrics["faithfulness"]["outcome"] == "no_difference"
    assert panel.judge is not None
    assert panel.judge["num_judged"] == 4
    assert panel.judge["noise"]["faithfulness"] == 0.0
    grades = {grade.metric: grade for grade in panels.answers(panel).rows[0].after.grades}
    assert (grades["faithfulness"].value, grades["faithfulness"].said[0].is_met) == (1.0, True)
    assert len(grades["context_precision"].said) == 2
    with database.reading() as connection:
        assert generations.spent(connection, job_id=job.id).cost_usd == pytest.approx(
            panel.summary["spent"]["cost_usd"]
        )


def test_a_judge_nobody_can_read_is_counted_and_shown_apart(answered: ComparisonView) -> None:
    def silent(body) -> str:
        return "no" if body["model"] == "judge-1" else answer(body)

    with services(silent):
        _, panel = run_panel(answered, num_questions=2, top_k=1, judge=f"service:{JUDGE}")
    assert panel is not None
    assert "faithfulness" in panel.summary["not_scored"]
    assert panel.judge is not None
    assert panel.judge["num_unreadable"] > 0
    page = panels.answers(panel, is_ungraded=True)
    assert page.num_ungraded == page.num_matching == 2
    assert page.rows[0].score_after is not None, "the similarity is told where grades are not"


def test_the_cap_holds_and_a_higher_one_goes_on_from_there(answered: ComparisonView) -> None:
    with services() as vendor:
        job, panel = run_panel(answered, num_questions=20, max_tokens=4000, judge=f"service:{JUDGE}")
        assert job.state is JobState.DONE, job.error
        assert panel is not None
        spent = panel.summary["spent"]
        assert 0 < spent["input_tokens"] + spent["output_tokens"] <= 4000
        assert panel.summary["is_capped"]
        missing = [side["facts"]["num_not_asked"] for side in (panel.before, panel.after)]
        assert sum(missing) > 0
        # A question fails if either answer is missing; which ones the cap left out, the threads decide.
        assert max(missing) <= panel.summary["metrics"]["similarity"]["num_failed"] <= sum(missing)
        num_first = len(vendor.requests)
        _, panel = run_panel(answered, num_questions=20)
        assert panel is not None
        assert not panel.summary["is_capped"]
        writers = [str(one.body["messages"]) for one in vendor.requests if one.body["model"] == "writer-1"]
        assert len(writers) == len(set(writers)), "asked twice"
        assert len(vendor.requests) > num_first
        job, _ = run_panel(answered, num_questions=9, top_k=2, max_tokens=10)
        assert job.state is JobState.FAILED
        assert "cap left no question" in job.error


KILLED = """
import os, signal
from finetune_core.evaluation.asking import KeptAnswers
from finetune_core.jobs.worker import run_queued_here
take = KeptAnswers.take
def dying(kept, key, answer):
    take(kept, key, answer)
    if len(kept.known) == 10:
        os.kill(os.getpid(), signal.SIGKILL)
KeptAnswers.take = dying
run_queued_here()
"""


def test_killed_it_goes_on_where_it_was(answered: ComparisonView, warm_ayar: WarmPython) -> None:
    with services() as vendor:
        job_id = panels.launch(answered.project_id, panel_params(answered, num_questions=20))
        assert warm_ayar.run(KILLED).returncode == -signal.SIGKILL
        with database.writing() as connection:
            connection.execute(update(tables.job).values(lease_expires_at=0))
        run_queued_here()
        assert jobs.get(job_id).state is JobState.DONE
        assert len(panels.listing(comparisons.get(answered.project_id, answered.id))) == 1
        asked = [str(one.body["messages"]) for one in vendor.requests if one.body]  # one may be cut by the kill
    assert len(asked) - len(set(asked)) <= 4, "only what was on its way is asked again"


def test_a_tuned_judge_grades_only_with_what_is_known_of_it(answered: ComparisonView, tuned_judge: str) -> None:
    with services():
        job, panel = run_panel(answered, num_questions=36, judge=tuned_judge)
    assert job.state is JobState.DONE, job.error
    assert panel is not None
    report = comparison_rows.read_report(
        panel_rows.folder(answered.project_id, answered.id, panel.id) / panel_rows.AFTER_FILE
    )
    expected = [
        np.nan if said.count("delta") == 3 else 0.75 if "beta" in said else 0.25
        for said in last_texts(answered, panel.params.after)
    ]
    assert np.array_equal(report.columns["judged_correctness"], expected, equal_nan=True)
    assert np.isnan(expected).any()
    judge = panel.after["facts"]["judge"]
    assert judge["num_unreadable"] == np.isnan(expected).sum()
    calibration = judge["calibration"]
    assert (calibration["num_examples"], calibration["dataset"]) == (12, "v1")
    assert calibration["metrics"]["bias"]["value"] == pytest.approx(10 * 0.25 / 12), "two answers have full marks"
    assert calibration["metrics"]["mean_absolute_error"]["low"] > 0
    [offer] = panels.tuned_judges(answered.project_id)
    assert (offer.reference, offer.problem) == (tuned_judge, "")
    with database.writing() as connection:
        comparison_rows.remove(connection, "c-judge")
    [offer] = panels.tuned_judges(answered.project_id)
    assert "Compare it first" in offer.problem
    with pytest.raises(ArtefactError, match="never compared"):
        panels.launch(answered.project_id, panel_params(answered, num_questions=5, judge=tuned_judge))


def test_what_makes_no_sense_is_refused_before_anything_is_asked(answered: ComparisonView) -> None:
    bare = compared_project(num_answered=0, name="Bare")
    with services() as vendor:
        with pytest.raises(DatasetError, match="without a judge nothing can be measured"):
            panels.launch(bare.project_id, panel_params(bare))
        assert panels.estimate(bare.project_id, panel_params(bare, judge=f"service:{JUDGE}")).num_with_answer == 0
        with pytest.raises(ProviderError, match="prices of Writer are not known"):
            panels.launch(answered.project_id, panel_params(answered, max_cost_usd=1.0))
        with pytest.raises(ArtefactError, match="two systems of this comparison"):
            panels.launch(answered.project_id, panel_params(answered, after=panel_params(answered).before))
        with pytest.raises(ArtefactError, match="never compared"):
            panels.launch(answered.project_id, panel_params(answered, judge="model:nobody"))
        with pytest.raises(ArtefactError, match="cannot grade answers") as refused:
            panels.launch(answered.project_id, panel_params(answered, judge="model:m-run-Panels"))
        assert "model service" in refused.value.hint
    assert not vendor.requests


def test_a_panel_goes_with_its_comparison(answered: ComparisonView) -> None:
    with services():
        _, panel = run_panel(answered, num_questions=4)
    assert panel is not None
    folder = panel_rows.folder_of_all(answered.project_id, answered.id)
    assert (folder / panel.id / "manifest.json").is_file()
    panels.delete(panel)
    assert panels.listing(comparisons.get(answered.project_id, answered.id)) == []
    comparisons.delete(answered.project_id, answered.id)
    assert not folder.exists()
    assert np.isfinite(panel.summary["created_at"])
