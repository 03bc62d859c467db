"""With a finished run of each recipe that is found: what a run takes, and every page that shows runs and models."""

import math

import pytest

from finetune_core import recipes
from finetune_core.jobs.states import JobState
from finetune_core.jobs.worker import run_queued_here
from finetune_core.providers.bundled import is_bundled_installed
from finetune_core.workspace import comparisons, jobs, model_card, models, runs
from tests.recipe_data import SHARED, FinishedRun, add_project_with_run
from tests.training_fixtures import Trained
from tests.ui.conftest import OpenPage

PAGES = ("train", "runs", "models", "playground")
TRAITS = {
    "cohere_reranker": "Id at the service",
    "cross_encoder": "Passages reranked",
    "embedding": "Loss",
    "embedding_adapter": "Moves",
    "router": "Out of scope",
}


@pytest.fixture
def trained_here(name: str, request: pytest.FixtureRequest) -> Trained:
    """The recipe's own small training, made once for all tests."""
    if not is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    found: Trained = request.getfixturevalue(SHARED[name])
    return found


@pytest.fixture
def finished(name: str, trained_here: Trained, monkeypatch: pytest.MonkeyPatch) -> FinishedRun:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda *_: None)
    return add_project_with_run(name, trained_here)


def test_every_recipe_has_test_data() -> None:
    assert SHARED.keys() == recipes.discover().keys()


@pytest.mark.parametrize("name", sorted(SHARED))
def test_the_pages_show_its_run_its_model_and_its_comparison(
    open_page: OpenPage, name: str, trained_here: Trained, finished: FinishedRun
) -> None:
    for page in PAGES:
        given = {"run": finished.run_id} if page == "runs" else {}
        app = open_page(page, project=finished.project_id, **given)
        assert not app.exception, (page, [f"{error.message} {error.stack_trace}" for error in app.exception])
        assert not app.error, (page, [error.value for error in app.error])
    launched = comparisons.launch(finished.project_id, finished.dataset_id, [finished.model_id])
    run_queued_here()
    assert jobs.get(launched.job_id).state is JobState.DONE, jobs.get(launched.job_id).error
    app = open_page("compare", project=finished.project_id, comparison=launched.comparison_id)
    assert not app.exception, [f"{error.message} {error.stack_trace}" for error in app.exception]
    assert not app.error
    assert app.header[0].value


@pytest.mark.parametrize("name", sorted(SHARED))
def test_facts_and_card_say_what_is_special_about_a_model(
    open_page: OpenPage, name: str, finished: FinishedRun
) -> None:
    recipe, view = recipes.get(name), models.get(finished.model_id)
    traits = models.traits(view)
    assert traits.get(TRAITS.get(name, ""), "–") != "–" or name not in TRAITS
    shown = str([table.value for table in open_page("models", project=finished.project_id).table]).replace("\\", "")
    card = model_card.markdown(finished.model_id)
    for trait, value in traits.items():
        assert trait in shown
        assert value.split()[0] in card.replace("\\", "")
    head = card.split("---")[1].splitlines()
    for line in (f"library_name: {recipe.library}", f"pipeline_tag: {recipe.pipeline_tag}"):
        assert (line in head) == (not line.endswith(" ")), head
    assert f"- {name}" in head


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_a_run_takes_is_foreseen(name: str, trained_here: Trained, finished: FinishedRun) -> None:
    settings = trained_here.config.model_dump(mode="json")
    estimate = runs.estimate(finished.project_id, finished.dataset_id, name, settings)
    if estimate is None:
        assert recipes.get(name).estimate is None
        return
    if estimate.seconds is None:
        assert estimate.charges, "where the time is not known here, a service is at work"
        assert estimate.warnings
    else:
        assert 0 < estimate.seconds < 600
        assert estimate.basis
        assert math.isfinite(estimate.memory_bytes)
        taken = runs.get(finished.run_id).total_steps
        assert taken / 2 <= estimate.num_steps <= 2 * taken, "in tiny data few questions can stand in one batch"
