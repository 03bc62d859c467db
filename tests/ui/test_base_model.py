"""What the base model's widget offers, and what it says about the languages of the corpus."""

import pytest
from sqlalchemy import update

from finetune_core.storage import database, tables
from finetune_core.workspace import jobs, languages, models, providers, runs
from finetune_core.workspace.languages import TextKind
from finetune_core.workspace.runs import Estimate
from tests import filled_project
from tests.cohere_fixtures import CARD_FACTS
from tests.demonstration_data import tiny_call_split
from tests.training_fixtures import add_dataset
from tests.tuned_model import add_tuned_model
from tests.ui.conftest import OpenPage


@pytest.fixture
def project_id(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(runs, "estimate", lambda *_: Estimate(1, "a guess"))
    return filled_project.fill()


def test_an_adapter_can_stand_on_a_tuned_model_or_a_service(open_page: OpenPage, project_id: str) -> None:
    add_tuned_model(project_id, "m7", "My tuned one")
    providers.save(name="vendor", base_url="https://api.example.com/v1", model="embed-small")
    app = open_page("train", project=project_id)
    app.selectbox(key="recipe").set_value("embedding_adapter").run()
    key = "train.embedding_adapter.base_model"
    app.segmented_control(key=f"{key}.kind").set_value("tuned").run()
    app.selectbox(key=f"{key}.tuned").set_value("model:m7").run()
    assert not app.exception
    app.button(key="launch.start").click().run()
    app.segmented_control(key=f"{key}.kind").set_value("service").run()
    assert "Every text is sent there once" in " ".join(caption.value for caption in app.caption)
    app.button(key="launch.start").click().run()
    chosen = {run.config["base_model"] for run in runs.listing(project_id) if run.job.is_live}
    assert chosen == {"model:m7", "service:vendor"}
    for run in runs.listing(project_id):
        if run.job.is_live:
            jobs.cancel(run.id)


def test_a_chat_model_has_its_own_default_and_a_service_is_asked_for_only_where_it_tunes(
    open_page: OpenPage, project_id: str
) -> None:
    providers.save(name="vendor", base_url="https://api.example.com/v1", model="chat-small", kind="openai")
    add_dataset(project_id, tiny_call_split(), "calls", facts=CARD_FACTS)
    app = open_page("train", project=project_id, recipe="function_calling")
    key = "train.function_calling"
    assert app.segmented_control(key=f"{key}.base_model.kind").value == "bundled"
    assert "SmolLM2" in " ".join(caption.value for caption in app.caption)
    assert not [box for box in app.selectbox if box.key == f"{key}.service"]
    app.selectbox(key=f"{key}.tuner").set_value("openai").run()
    app.text_input(key=f"{key}.base_model.at_service").set_value("gpt-base").run()
    assert app.selectbox(key=f"{key}.service").value == "vendor"
    assert not app.exception
    app.button(key="launch.start").click().run()
    [config] = [run.config for run in runs.listing(project_id) if run.job.is_live and run.recipe == "function_calling"]
    assert (config["tuner"], config["base_model"], config["service"]) == ("openai", "gpt-base", "vendor")
    for run in runs.listing(project_id):
        if run.job.is_live:
            jobs.cancel(run.id)


def test_the_embedding_recipe_starts_from_models_only(open_page: OpenPage, project_id: str) -> None:
    app = open_page("train", project=project_id, recipe="embedding")
    options = app.segmented_control(key="train.embedding.base_model.kind").options
    assert len(options) == 3
    assert models.listing(project_id)


def test_a_language_that_the_base_model_has_not_learned_is_told(open_page: OpenPage, project_id: str) -> None:
    def warnings(page: str) -> str:
        app = open_page(page, project=project_id)
        if page == "corpus":
            app.segmented_control(key="view").set_value("settings").run()
        return " ".join(warning.value for warning in app.warning)

    assert "has not learned" not in warnings("train")
    with database.writing() as connection:
        connection.execute(update(tables.document).values(language="tr"))
    (found,) = languages.unknown(project_id, "bundled/all-MiniLM-L6-v2")
    assert (found.language, found.kind) == ("tr", TextKind.DOCUMENT)
    for page in ("train", "corpus"):
        assert f"{found.num} document" in warnings(page)
        assert "Turkish, which bundled/all-MiniLM-L6-v2 has not learned" in warnings(page).replace("\\", "")
    assert languages.unknown(project_id, "intfloat/multilingual-e5-small") == ()


def test_every_form_with_a_base_model_tells_it_of_imports_and_queries_too(open_page: OpenPage, project_id: str) -> None:
    assert languages.unknown(project_id, "bundled/all-MiniLM-L6-v2") == ()
    with database.writing() as connection:
        connection.execute(update(tables.document).values(language="tr"))
    app = open_page("train", project=project_id)
    offered = set(app.selectbox(key="recipe").options)
    for recipe in ("embedding", "embedding_adapter", "cross_encoder"):
        app.selectbox(key="recipe").set_value(recipe).run()
        assert not app.exception, app.exception
        said = " ".join(warning.value for warning in app.warning)
        assert "has not learned" in said, (recipe, offered)


def test_the_limit_of_moved_passages_is_told_before_the_run(open_page: OpenPage, project_id: str) -> None:
    app = open_page("train", project=project_id)
    app.selectbox(key="recipe").set_value("embedding_adapter").run()
    assert "fixed corpus" not in " ".join(warning.value for warning in app.warning)
    app.selectbox(key="train.embedding_adapter.kind").set_value("nudge").run()
    assert "fits a fixed corpus only" in " ".join(warning.value for warning in app.warning)
