"""Comparisons that also score questions the models were not tuned for, and what may come in between."""

import dataclasses
from pathlib import Path

import pytest
from sqlalchemy import update

from finetune_core import recipes
from finetune_core.errors import ProviderError
from finetune_core.jobs import out_of_domain, queue
from finetune_core.jobs.out_of_domain import Choice
from finetune_core.jobs.states import JobState, Request
from finetune_core.jobs.worker import run_queued_here
from finetune_core.metrics.bootstrap import paired_interval
from finetune_core.providers.prices import Prices
from finetune_core.records import Corpus, Part, Passage, QueryPassages, ServiceKind, Split, SplitName
from finetune_core.storage import comparisons, database, datasets, models, providers, tables
from finetune_core.workspace import comparisons as done
from finetune_core.workspace import jobs, projects
from tests import example_comparison
from tests.example_comparison import RECIPE, Example, WordEmbedder
from tests.training_fixtures import RecordedRun, Trained, add_dataset, add_finished_run, tiny_split

compared = example_comparison.compared
words_recipe = example_comparison.words_recipe


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)


def foreign_choice(to_services: bool = False) -> Choice:
    far = projects.create("Far").id
    dataset_id = example_comparison.add_dataset(far, example_comparison.foreign_split(), "far")
    return Choice(project_id=far, dataset_id=dataset_id, to_services=to_services)


def run_compare(example: Example, choice: Choice | None, *names: str) -> done.ComparisonView:
    launched = done.launch(example.project_id, "v1", names or ["run-good"], choice)
    run_queued_here()
    job = jobs.get(launched.job_id)
    assert job.state in (JobState.DONE, JobState.STOPPED), job.error
    return done.get(example.project_id, launched.comparison_id)


def told(view: done.ComparisonView, position: int = 0) -> dict:
    return list(view.out_of_domain().values())[position]


def test_a_gain_that_is_paid_for_elsewhere_says_so_beside_the_verdict(compared: Example, tmp_path: Path) -> None:
    view = run_compare(compared, foreign_choice())
    found, part = told(view), example_comparison.foreign_split().test
    step = out_of_domain.Portion(RecordedRun(tmp_path), 0, 1)
    base, tuned = (
        RECIPE.evaluate(RECIPE.systems(None, model, step)[name], part, None, step)
        for name, model in (("base", None), ("tuned", WordEmbedder((1.0, 1.0, 1.0, 0.5))))
    )
    interval = paired_interval(base.columns, tuned.columns, base.groups, RECIPE.metrics["ndcg@10"])
    assert (found["before"], found["after"]) == (base.columns["ndcg@10"].mean(), tuned.columns["ndcg@10"].mean())
    assert (found["interval"]["low"], found["interval"]["high"]) == (interval.low, interval.high)
    assert interval.high < 0
    assert view.result["verdict"]["outcome"] == "better"
    assert view.result["verdict"]["caveats"][0] == f"It pays for the gain elsewhere. {found['sentence']}"
    assert "far of Far, 40 questions" in found["sentence"]
    assert found["lost"]


def test_a_shared_base_is_scored_once_and_each_model_has_its_own_answer(
    compared: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = []

    def evaluate(system, part, config, run):
        scored.append((system.name, len(part)))
        return RECIPE.evaluate(system, part, config, run)

    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(RECIPE, evaluate=evaluate))
    view = run_compare(compared, foreign_choice(), "run-good", "run-bad")
    assert [name for name, num in scored if num == 40] == ["base", "tuned", "tuned"]
    outcomes = {system["name"]: told(view, position)["outcome"] for position, system in enumerate(view.tuned)}
    assert outcomes == {"careful": "worse", "careless": "better"}


def test_nobody_asked_for_it(compared: Example) -> None:
    view = run_compare(compared, None)
    assert view.result["out_of_domain"] is None
    assert view.out_of_domain() == {}
    with_it = run_compare(compared, foreign_choice())
    assert with_it.id != view.id, "the answer without it would hide the one with it"


def test_what_is_not_foreign_is_not_scored(compared: Example) -> None:
    same = run_compare(compared, Choice(project_id=compared.project_id, dataset_id=compared.dataset_id))
    assert "the very version" in told(same)["note"]
    whole = example_comparison.split()
    renamed = Corpus(tuple(dataclasses.replace(passage, id=f"x{passage.id}") for passage in whole.test.corpus))
    test = (QueryPassages("x", "alpha?", {"xp1": 1}, "doc"),)
    again = Split(*(Part(name, test if name == "test" else (), renamed) for name in SplitName), "r" * 16)
    other = projects.create("Other").id
    view = run_compare(compared, Choice(project_id=other, dataset_id=example_comparison.add_dataset(other, again)))
    assert "45 of its 45 passages" in told(view)["note"]
    assert "sentence" not in told(view)
    assert not any("elsewhere" in caveat for caveat in view.result["verdict"]["caveats"])


def test_the_comparison_finishes_where_the_set_cannot_be_scored_and_tries_again_when_asked(
    compared: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(system, part, config, run):
        if len(part) == 40:
            raise ProviderError("Far Inc. is down.", hint="Try later.")
        return RECIPE.evaluate(system, part, config, run)

    choice = foreign_choice()
    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(RECIPE, evaluate=evaluate))
    view = run_compare(compared, choice)
    assert view.result["verdict"]["outcome"] == "better"
    assert told(view)["note"] == "Not scored: Far Inc. is down. Try later."
    monkeypatch.setattr(recipes, "get", lambda name: RECIPE)
    again = run_compare(compared, choice)
    assert again.id == view.id
    assert told(again)["outcome"] == "worse"
    assert len(done.listing(compared.project_id)) == 1
    assert done.launch(compared.project_id, "v1", ["run-good"], choice).is_finished
    gone = run_compare(compared, Choice(project_id="p", dataset_id="gone"))
    assert "'gone' is gone" in told(gone)["note"]


@pytest.mark.parametrize("request_", [Request.STOP, Request.CANCEL])
def test_asked_to_stop_it_keeps_the_comparison_asked_to_cancel_it_does_not(
    compared: Example, monkeypatch: pytest.MonkeyPatch, request_: Request
) -> None:
    def evaluate(system, part, config, run):
        if len(part) == 40:
            with database.writing() as connection:
                queue.request(connection, jobs.listing(compared.project_id)[0].id, request_)
            monkeypatch.setattr("finetune_core.jobs.run.FLUSH_S", 0.0)
        return RECIPE.evaluate(system, part, config, run)

    choice = foreign_choice()
    monkeypatch.setattr(recipes, "get", lambda name: dataclasses.replace(RECIPE, evaluate=evaluate))
    launched = done.launch(compared.project_id, "v1", ["run-good", "run-bad"], choice)
    run_queued_here()
    job = jobs.get(launched.job_id)
    if request_ is Request.CANCEL:
        assert job.state is JobState.CANCELLED
        assert done.listing(compared.project_id) == []
        return
    assert job.state is JobState.STOPPED, job.error
    view = done.get(compared.project_id, launched.comparison_id)
    assert {told(view, position)["note"] for position in (0, 1)} == {out_of_domain.STOPPED}
    monkeypatch.setattr(recipes, "get", lambda name: RECIPE)
    jobs.resume(job.id)
    run_queued_here()
    assert jobs.get(job.id).state is JobState.DONE
    assert "sentence" in told(done.get(compared.project_id, launched.comparison_id), 1)


def test_nothing_is_sent_to_a_service_unasked(compared: Example) -> None:
    with database.writing() as connection:
        prices = Prices(input_usd_per_million=0.1)
        providers.save(connection, "", "House", ServiceKind.OPENAI, "http://127.0.0.1:9", "embedder", "", prices)
        row = models.find(connection, compared.good)
        assert row is not None
        for model_id, base in ((compared.bad, "service:House"), (compared.good, f"model:{compared.bad}")):
            manifest = {**row.manifest, "config": {"base_model": base}}
            connection.execute(update(tables.model).where(tables.model.c.id == model_id).values(manifest=manifest))
        assert out_of_domain.services(connection, {"teacher": "service:House", "base_model": "m"}) == {}
        assert out_of_domain.services(connection, {"service": "House", "base_model": "m"}) == {"House": True}
    choice = foreign_choice()
    note = told(run_compare(compared, choice))["note"]
    assert "House would be sent 40 questions, 40 passages" in note
    assert "US dollars" in note
    allowed = run_compare(compared, choice.model_copy(update={"to_services": True}))
    assert told(allowed)["outcome"] == "worse"


def test_a_real_model_is_judged_on_passages_that_are_encoded_once(trained: Trained) -> None:
    project_id, far = projects.create("Tiny").id, projects.create("Far").id
    _, model_id = add_finished_run(project_id, add_dataset(project_id, tiny_split()), trained)
    texts = (
        "The moon has no air.",
        "Salt melts ice on roads.",
        "Bees dance to show the way.",
        "Glass is made of sand.",
    )
    corpus = Corpus(tuple(Passage(f"p{i}", text, f"d{i}") for i, text in enumerate(texts)))
    asked = ("Can one breathe up there?", "Why do they salt streets?", "How do bees talk?", "What is glass made of?")
    test = tuple(QueryPassages(f"q{i}", text, {f"p{i}": 1}, f"d{i}") for i, text in enumerate(asked))
    split = Split(*(Part(name, test if name == "test" else (), corpus) for name in SplitName), "t" * 16)
    choice = Choice(project_id=far, dataset_id=add_dataset(far, split))
    launched = done.launch(project_id, "v1", [model_id], choice)
    run_queued_here()
    assert jobs.get(launched.job_id).state is JobState.DONE, jobs.get(launched.job_id).error
    found = told(done.get(project_id, launched.comparison_id))
    assert found["before"] == 1.0, "the untuned model knows such things"
    assert found["interval"]["num_groups"] == 4
    with database.reading() as connection:
        assert datasets.find(connection, far, choice.dataset_id)
        assert comparisons.of_project(connection, far) == []
