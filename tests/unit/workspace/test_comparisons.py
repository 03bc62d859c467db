"""Launching, reading back, and question by question."""

import contextlib
import csv
import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from finetune_core import commands
from finetune_core.errors import ArtefactError, DatasetError
from finetune_core.jobs import supervisor
from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import comparisons, jobs
from finetune_core.workspace.comparisons import Change, Length, OutcomeFilter
from tests import example_comparison
from tests.example_comparison import Example

compared = example_comparison.compared
words_recipe = example_comparison.words_recipe


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)


@pytest.fixture
def view(compared: Example) -> comparisons.ComparisonView:
    launched = comparisons.launch(compared.project_id, "v1", ["run-good", "careless"])
    run_queued_here()
    return comparisons.get(compared.project_id, launched.comparison_id)


def test_launch_joins_and_reuses(compared: Example) -> None:
    first = comparisons.launch(compared.project_id, "v1", ["run-good"])
    assert comparisons.launch(compared.project_id, compared.dataset_id, [compared.good]).job_id == first.job_id
    assert not first.is_finished
    run_queued_here()
    again = comparisons.launch(compared.project_id, "v1", ["careful"])
    assert again.is_finished
    assert again.comparison_id == first.comparison_id
    assert len(jobs.listing(compared.project_id, ["compare"])) == 1
    assert [view.id for view in comparisons.listing(compared.project_id)] == [first.comparison_id]


def test_what_is_missing_is_named(compared: Example) -> None:
    with pytest.raises(DatasetError, match="'v9'"):
        comparisons.launch(compared.project_id, "v9", ["run-good"])
    with pytest.raises(ArtefactError, match="careful"):
        comparisons.launch(compared.project_id, "v1", ["nobody"])
    with pytest.raises(ArtefactError, match="No run"):
        comparisons.launch(compared.project_id, "v1", [])
    with pytest.raises(ArtefactError, match="no comparison 'x'"):
        comparisons.get(compared.project_id, "x")


def test_outcomes_agree_with_the_ranks(view: comparisons.ComparisonView) -> None:
    key = next(system["key"] for system in view.tuned if system["name"] == "careless")
    page = comparisons.outcomes(view, key, OutcomeFilter(), limit=1000)
    assert page.num_matching == sum(page.counts.values()) == 36
    assert page.counts[Change.LOST] > page.counts[Change.WON]
    harms = [outcome.harm for outcome in page.outcomes]
    assert harms == sorted(harms, reverse=True)
    for outcome in page.outcomes:
        before, after = outcome.rank_before or 101, outcome.rank_after or 101
        expected = Change.LOST if after > before else Change.WON if after < before else Change.UNCHANGED
        assert outcome.change is expected


def test_filters_and_pages(view: comparisons.ComparisonView) -> None:
    key = view.tuned[0]["key"]
    everything = comparisons.outcomes(view, key, OutcomeFilter(), limit=1000)
    pages = [comparisons.outcomes(view, key, OutcomeFilter(), offset=at, limit=10).outcomes for at in range(0, 36, 10)]
    assert sum(pages, ()) == everything.outcomes
    one = comparisons.outcomes(view, key, OutcomeFilter(document="doc3"))
    assert {outcome.document for outcome in one.outcomes} == {"doc3"}
    assert one.num_matching == 3
    short = comparisons.outcomes(view, key, OutcomeFilter(length=Length.SHORT), limit=1000)
    assert all(len(outcome.query.split()) <= 6 for outcome in short.outcomes)
    assert 0 < short.num_matching < 36
    won = comparisons.outcomes(view, key, OutcomeFilter(change=Change.WON), limit=1000)
    assert won.num_matching == won.counts[Change.WON] > 0
    assert won.outcomes[0].harm == min(outcome.harm for outcome in everything.outcomes)
    assert "doc3" in comparisons.documents(view)


def test_both_lists_with_the_right_passage_marked(view: comparisons.ComparisonView) -> None:
    key = view.tuned[0]["key"]
    outcome = next(
        each for each in comparisons.outcomes(view, key, OutcomeFilter(), limit=1000).outcomes if each.rank_after == 1
    )
    pair = comparisons.side_by_side(view, key, outcome.question_id)
    assert pair.after[0].is_right
    assert pair.after[0].passage == pair.right[0]
    assert len(pair.before) == 10
    assert [shown.score for shown in pair.before] == sorted((shown.score for shown in pair.before), reverse=True)


def test_downloads_hold_every_row(view: comparisons.ComparisonView) -> None:
    rows = list(csv.DictReader(io.StringIO(comparisons.as_csv(view).decode("utf-8-sig"))))
    assert len(rows) == 4 * 36
    assert {row["system"] for row in rows} == {"BM25", "base", "careful", "careless"}
    whole = json.loads(comparisons.as_json(view))
    assert whole["summary"]["num_questions"] == 36
    assert whole["rows"][0]["question_id"] == rows[0]["question_id"]


def test_a_cell_cannot_become_a_formula() -> None:
    assert comparisons._cell("=1+1") == "'=1+1"
    assert comparisons._cell(-1.5) == -1.5


def test_delete_keeps_the_models(view: comparisons.ComparisonView, compared: Example) -> None:
    comparisons.delete(compared.project_id, view.id)
    assert comparisons.listing(compared.project_id) == []
    assert comparisons.models.get(compared.good).name == "careful"


def test_the_command_prints_what_scripts_need(view: comparisons.ComparisonView) -> None:
    arguments = ["compare", "--project", "Library", "--dataset", "v1", "--out-of-domain", "none"]
    arguments += ["--runs", "run-good,run-bad"]
    result = CliRunner().invoke(commands.build(), [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["num_questions"], said["num_searched"]) == (36, 45)
    assert set(said["runs"]) == {"run-good", "run-bad"}
    good = said["runs"]["run-good"]
    gain = good["metrics"]["ndcg@10"] - said["base"]["metrics"]["ndcg@10"]
    assert good["differences"]["ndcg@10"]["difference"] == pytest.approx(gain)
    assert good["differences"]["ndcg@10"]["low"] < gain < good["differences"]["ndcg@10"]["high"]
    assert said["verdict"]
    text = CliRunner().invoke(commands.build(), [*arguments[:-1], "run-good", "--runs", "run-bad"]).stdout
    assert "careless" in text, "the first of two --runs was dropped"
    assert "nDCG@10" in text
    assert "45 passages" in text


def test_the_command_takes_foreign_questions_by_name(compared: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    far = example_comparison.projects.create("Far").id
    example_comparison.add_dataset(far, example_comparison.foreign_split(), "far")
    waited = jobs.wait

    def wait(job_id: str, **options: Any) -> jobs.JobView:
        with contextlib.redirect_stdout(io.StringIO()):  # the job's log, which would have a file of its own
            run_queued_here()
        return waited(job_id, **options)

    monkeypatch.setattr(jobs, "wait", wait)
    arguments = ["compare", "--project", "Library", "--dataset", "v1", "--runs", "run-good", "--out-of-domain"]
    result = CliRunner().invoke(commands.build(), [*arguments, "Far/far", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    found = said["runs"]["run-good"]["out_of_domain"]
    assert found["outcome"] == "worse"
    assert found["interval"]["high"] < 0
    assert said["caveats"][0].startswith("It pays for the gain elsewhere.")
    text = CliRunner().invoke(commands.build(), [*arguments, "Far/far"]).stdout
    assert f"careful: {found['sentence']}" in text
    refused = CliRunner().invoke(commands.build(), [*arguments, "Near"])
    assert isinstance(refused.exception, DatasetError)
    assert "there are: demo, v1, Far/far, none" in str(refused.exception)
