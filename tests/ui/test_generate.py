"""The Generate page and the provider form, from the reader's side."""

import pytest

from finetune_core.jobs.worker import run_queued_here
from finetune_core.workspace import generation, providers
from tests.generation_fixtures import corpus
from tests.ui.conftest import OpenPage


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetune_core.jobs.supervisor.ensure_worker", lambda: None)


def labels(app) -> list[str]:
    return [button.label for button in app.main.button]


def test_from_choice_to_questions_to_filters_and_back(open_page: OpenPage) -> None:
    project_id = corpus()
    app = open_page("generate", project=project_id)
    app.segmented_control(key="writer_kind").set_value("extractive").run()
    app.number_input(key="bounds_questions").set_value(1).run()
    assert "Write 12 questions" in labels(app)
    app.button(key="start_go").click().run()
    assert not app.error
    assert run_queued_here() == 1
    app.run()
    assert "Write 0 questions" in labels(app)
    assert any("question" in text.value and "12" in text.value for text in app.markdown)
    cards = {card.name: card for card in generation.filter_cards(project_id)}
    num_aside = sum(card.num_set_aside for card in cards.values())
    app.button(key="filters_run").click().run()
    assert not app.error
    run_queued_here()
    app.run()
    name = next((card.name for card in cards.values() if card.num_set_aside), None)
    if name:
        app.button(key=f"filters_{name}_undo").click().run()
        after = sum(card.num_set_aside for card in generation.filter_cards(project_id))
        assert after < num_aside


def test_a_prompt_that_cannot_work_is_refused_in_words(open_page: OpenPage) -> None:
    app = open_page("generate", project=corpus())
    app.segmented_control(key="writer_kind").set_value("endpoint").run()
    (area,) = app.text_area
    area.set_value("Ask anything.").run()
    app.button(key="prompt_save").click().run()
    assert any("never uses passage" in error.value for error in app.error)


def test_a_missing_key_shows_the_line_to_add(open_page: OpenPage) -> None:
    providers.save(name="Mine", base_url="http://127.0.0.1:9/v1", model="m", key_variable="MINE_API_KEY")
    app = open_page("generate", project=corpus())
    app.segmented_control(key="writer_kind").set_value("endpoint").run()
    assert "MINE_API_KEY=your-key" in [code.value for code in app.code]
    app.button(key="start_go").click().run()
    run_queued_here()
    app.run()
    assert any("MINE" in error.value for error in app.error), "the failed job says what is missing"


def test_settings_adds_tests_and_deletes_a_provider(open_page: OpenPage) -> None:
    app = open_page("settings")
    for name, value in (("name", "Mine"), ("model", "m"), ("openai_base_url", "http://127.0.0.1:9/v1")):
        app.text_input(key=f"Providers_new_{name}").set_value(value)
    (submit,) = [button for button in app.main.button if button.label == "Save"]
    submit.click().run()
    (view,) = providers.listing()
    assert view.provider.name == "Mine"
    app.button(key=f"Providers_{view.provider.id}_test").click().run()
    assert any("cannot be reached" in error.value for error in app.error)
    app.button(key=f"Providers_{view.provider.id}_delete").click().run()
    assert providers.listing() == []
