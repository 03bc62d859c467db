"""The comparison job: what it keeps, that it goes on where it was killed, and what it refuses."""

import dataclasses
import signal

import pytest
from sqlalchemy import update

from finetune_core import recipes
from finetune_core.evaluation import retrieval
from finetune_core.jobs import queue
from finetune_core.jobs.executors import compare
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.metrics.bootstrap import paired_interval
from finetune_core.records import Labelled, Part, Split, SplitName
from finetune_core.storage import artefacts, comparisons, database, tables
from finetune_core.workspace import comparisons as comparisons_done
from finetune_core.workspace import jobs
from tests import example_comparison
from tests.example_comparison import RECIPE, Example
from tests.warm_python import WarmPython

compared = example_comparison.compared
words_recipe = example_comparison.words_recipe


def run_compare(example: Example, *models: str, dataset_id: str = "") -> jobs.JobView:
    params = {"dataset_id": dataset_id or example.dataset_id, "model_ids": list(models)}
    job_id = jobs.submit(example.project_id, "compare", params, start=False)
    run_queued_here()
    return jobs.get(job_id)


def summary(job: jobs.JobView) -> dict:
    with database.reading() as connection:
        row = comparisons.find(connection, job.result["comparison_id"])
    assert row is not None
    return row.result


def test_base_is_scored_once_and_each_run_against_it(compared: Example) -> None:
    job = run_compare(compared, compared.good, compared.bad)
    assert job.state is JobState.DONE, job.error
    found = summary(job)
    assert [(system["role"], system["name"]) for system in found["systems"]] == [
        ("floor", "BM25"),
        ("base", "base"),
        ("tuned", "careful"),
        ("tuned", "careless"),
    ]
    assert (found["num_questions"], found["num_groups"], found["num_searched"]) == (36, 12, 45)
    good, bad = (difference["metrics"]["ndcg@10"] for difference in found["differences"])
    assert good["low"] > 0 > bad["high"]
    assert found["dataset"] == {"id": compared.dataset_id, "name": "v1"}
    assert any("7 of 45" in caveat for caveat in found["verdict"]["caveats"])


def test_runs_of_several_recipes_share_their_baselines(compared: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = []

    def evaluate(system, part, config, run):
        scored.append(system.name)
        return RECIPE.evaluate(system, part, config, run)

    def systems(config, model, run):
        start = retrieval.DenseRetriever("base", example_comparison.WordEmbedder((1.0, 0.5, 1.0, 1.0)))
        return {**RECIPE.systems(config, model, run), "base": start}

    words = dataclasses.replace(RECIPE, evaluate=evaluate)
    other = dataclasses.replace(words, name="other", title="Other", systems=systems)
    monkeypatch.setattr(recipes, "get", lambda name: {"words": words, "other": other}[name])
    with database.writing() as connection:
        connection.execute(update(tables.model).where(tables.model.c.id == compared.bad).values(recipe="other"))
    job = run_compare(compared, compared.good, compared.bad)
    assert job.state is JobState.DONE, job.error
    assert scored == ["BM25", "base", "tuned", "base", "tuned"]
    found = summary(job)
    names = {system["key"]: system["name"] for system in found["systems"]}
    assert {names[each["system"]]: names[each["against"]] for each in found["differences"]} == {
        "careful": "base of careful",
        "careless": "base of careless",
    }
    assert found["recipes"] == ["words", "other"]
    assert found["verdict"]["is_corrected"]


def test_recipes_that_learn_from_different_examples_are_refused(
    compared: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(RECIPE, name="other", title="Other", record=Labelled)
    monkeypatch.setattr(recipes, "get", lambda name: {"words": RECIPE, "other": other}[name])
    with database.writing() as connection:
        connection.execute(update(tables.model).where(tables.model.c.id == compared.bad).values(recipe="other"))
    job = run_compare(compared, compared.good, compared.bad)
    assert job.state is JobState.FAILED
    assert "Words and Other learn from different kinds of example" in job.error


def test_numbers_are_those_of_the_rows(compared: Example) -> None:
    job = run_compare(compared, compared.good)
    found = summary(job)
    folder = comparisons.folder(compared.project_id, job.result["comparison_id"])
    base, tuned = (comparisons.read_report(folder / f"{found['systems'][i]['key']}.parquet") for i in (1, 2))
    interval = paired_interval(base.columns, tuned.columns, base.groups, RECIPE.metrics["mrr@10"])
    assert found["differences"][0]["metrics"]["mrr@10"]["low"] == interval.low
    assert found["systems"][2]["metrics"]["mrr@10"]["value"] == tuned.columns["mrr@10"].mean()
    assert found["differences"][0]["metrics"]["id_based_context_recall"]["num_rows"] == 36
    assert artefacts.verify(folder)["summary"]["verdict"] == found["verdict"]


def test_killed_it_goes_on_with_the_next_system(compared: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = []

    def evaluate(system, part, config, run):
        scored.append(system.name)
        if len(scored) == 2:
            raise RuntimeError("the power went out")
        return RECIPE.evaluate(system, part, config, run)

    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(RECIPE, evaluate=evaluate))
    job = run_compare(compared, compared.good)
    assert job.state is JobState.FAILED
    with database.writing() as connection:
        queue.requeue(connection, job.id)
    run_queued_here()
    assert jobs.get(job.id).state is JobState.DONE
    assert scored == ["BM25", "base", "base", "tuned"]


KILLED = """
import dataclasses, os, signal, sys
from finetune_core import recipes
from finetune_core.jobs.worker import run_queued_here
from tests.example_comparison import RECIPE
names = []
def evaluate(system, part, config, run):
    names.append(system.name)
    if len(names) == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return RECIPE.evaluate(system, part, config, run)
recipes.get = lambda name: dataclasses.replace(RECIPE, evaluate=evaluate)
run_queued_here()
"""


def test_sigkill_at_any_system_gives_the_same_result(compared: Example, warm_ayar: WarmPython) -> None:
    params = {"dataset_id": compared.dataset_id, "model_ids": [compared.good]}
    job_id = jobs.submit(compared.project_id, "compare", params, start=False)
    for at in (2, 2):  # the first attempt dies at the base, the second, which goes on there, at the tuned model
        assert warm_ayar.run(KILLED, str(at)).returncode == -signal.SIGKILL
        with database.writing() as connection:
            connection.execute(update(tables.job).values(lease_expires_at=0))
    run_queued_here()
    done = jobs.get(job_id)
    assert done.state is JobState.DONE, done.error
    assert done.attempt == 3
    survived = summary(done)
    comparisons_done.delete(compared.project_id, done.result["comparison_id"])
    undisturbed = summary(run_compare(compared, compared.good))
    assert survived["differences"] == undisturbed["differences"]
    assert survived["verdict"] == undisturbed["verdict"]


def test_written_twice_is_kept_once(compared: Example) -> None:
    first = run_compare(compared, compared.good)
    again = run_compare(compared, compared.good)
    assert again.state is JobState.DONE
    assert summary(first) == summary(again)


def test_a_dataset_without_test_questions_is_refused(compared: Example) -> None:
    whole = example_comparison.split()
    empty = Split(whole.train, whole.validation, Part(SplitName.TEST, (), whole.test.corpus), "e" * 16)
    job = run_compare(
        compared, compared.good, dataset_id=example_comparison.add_dataset(compared.project_id, empty, "v2")
    )
    assert job.state is JobState.FAILED
    assert "no test questions" in job.error


def test_a_model_of_another_project_is_refused(compared: Example) -> None:
    other = dataclasses.replace(compared, project_id=example_comparison.projects.create("Other").id)
    assert "There is no model" in run_compare(other, compared.good).error


def test_an_altered_model_is_refused(compared: Example) -> None:
    folder = example_comparison.models.folder(compared.project_id, compared.good)
    (folder / "weights.json").write_text("[1, 1, 1, 2]")
    assert "was altered" in run_compare(compared, compared.good).error


def test_a_run_that_learned_from_the_test_questions_is_called_out(compared: Example) -> None:
    whole = example_comparison.split()
    swapped = Split(
        Part(SplitName.TRAIN, whole.test.examples, whole.test.corpus),
        whole.validation,
        Part(SplitName.TEST, whole.train.examples, whole.train.corpus),
        "s" * 16,
    )
    other = example_comparison.add_dataset(compared.project_id, swapped, "v2")
    cheat = example_comparison.add_model(compared.project_id, other, "cheat", (1, 1, 1, 0.5), "run-cheat")
    found = summary(run_compare(compared, cheat))
    assert found["systems"][2]["num_leaking"] == 36
    assert any("Do not rely" in caveat for caveat in found["verdict"]["caveats"])


def test_what_the_leakage_report_found_stands_with_the_verdict(compared: Example) -> None:
    leakage = {
        "is_leaking": True,
        "sentences": ["All is well.", "2 questions stand in train and test: that is leakage."],
    }
    whole = dataclasses.replace(example_comparison.split(), fingerprint="l" * 16)
    shorter = dataclasses.replace(whole, train=Part(SplitName.TRAIN, whole.train.examples[:-1], whole.train.corpus))
    leaking = example_comparison.add_dataset(
        compared.project_id, shorter, "v3", leakage=leakage, split_rule="section", num_never_reviewed=0
    )
    caveats = summary(run_compare(compared, compared.good, dataset_id=leaking))["verdict"]["caveats"]
    assert caveats[0] == "2 questions stand in train and test: that is leakage."
    assert any("cut into sections" in caveat for caveat in caveats)


def test_the_same_question_has_the_same_id() -> None:
    assert compare.comparison_id("d", ["b", "a", "a"]) == compare.comparison_id("d", ["a", "b"])
    assert compare.comparison_id("d", ["a"]) != compare.comparison_id("e", ["a"])
