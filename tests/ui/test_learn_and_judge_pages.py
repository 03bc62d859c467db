"""What the Train, Playground and Models pages do when somebody uses them."""

from dataclasses import replace

import pytest
from sqlalchemy import insert, update

from finetune_core import recipes
from finetune_core.errors import ProviderError
from finetune_core.storage import database, tables
from finetune_core.workspace import jobs, mining, models, playground, projects, runs
from finetune_core.workspace.mining import MinedCounts, MinedQuestion, ScoredPassage
from finetune_core.workspace.playground import Answer, FoundPassage, Route, ScoredChoice
from finetune_core.workspace.runs import Estimate
from tests import filled_project
from tests.tuned_model import add_tuned_model
from tests.ui.conftest import OpenPage


@pytest.fixture
def project_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """A project with a dataset version; what a run takes is given, since its files are not there to be counted."""
    estimate = Estimate(
        150, "a probe of this machine's speed", 12, 2_000_000_000, 900_000_000, warnings=("Only 20 pairs.",)
    )
    monkeypatch.setattr(runs, "estimate", lambda *_: estimate)
    return filled_project.fill()


def _text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.info])


def test_train_says_what_a_run_takes_and_what_the_test_set_can_show(open_page: OpenPage, project_id: str) -> None:
    app = open_page("train", project=project_id)
    assert not app.exception
    assert "gain of **0.040 nDCG@10**" in _text(app)
    assert "model's 0.570" in _text(app)
    assert "Only 20 pairs" in _text(app)
    assert "about 2 min 30 s" in str(app.table[0].value)


def test_start_pressed_twice_is_one_run_with_the_settings_shown(open_page: OpenPage, project_id: str) -> None:
    app = open_page("train", project=project_id)
    app.number_input(key="train.embedding.epochs").set_value(3)
    app.run()
    app.button(key="launch.start").click().run()
    app.button(key="launch.start").click().run()
    live = [run for run in runs.listing(project_id) if run.job.is_live]
    assert len(live) == 1
    assert (live[0].config["epochs"], live[0].config["base_model"]) == (3, "bundled/all-MiniLM-L6-v2")
    assert "queued" in app.success[0].value
    assert not app.info, "a person's own run is no other training"


def test_a_setting_that_is_not_allowed_switches_the_button_off(open_page: OpenPage, project_id: str) -> None:
    app = open_page("train", project=project_id)
    app.text_input(key="train.embedding.matryoshka_dims").input("0").run()
    assert app.button(key="launch.start").disabled
    assert any("Matryoshka sizes must be 1 or more" in error.value for error in app.error)


def test_another_training_is_named_before_one_queues_behind_it(open_page: OpenPage, project_id: str) -> None:
    other = projects.create("Other").id
    values = {"id": "busy", "project_id": other, "kind": "train", "title": "Tune the other", "heavy": True}
    with database.writing() as connection:
        connection.execute(insert(tables.job).values(**values, state="queued", params={}, created_at=1.0))
    app = open_page("train", project=project_id)
    assert "“Tune the other” is at work" in app.info[0].value


def test_a_problem_at_the_launch_is_shown_with_its_hint(
    open_page: OpenPage, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise ProviderError("The disk is full.", hint="Free some space.")

    monkeypatch.setattr(runs, "launch", full)
    app = open_page("train", project=project_id)
    app.button(key="launch.start").click().run()
    assert "The disk is full" in app.error[0].value
    assert "Free some space" in app.error[0].value


def test_hard_negatives_show_live_counts_or_the_job_that_finds_them(
    open_page: OpenPage, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def counts(_project: str, _dataset: str, _recipe: str, config: dict) -> MinedCounts | None:
        seen.append(config["margin"])
        return MinedCounts(20, int(20 * (1 - config["margin"])), 200, 90, {0.0: 20, 0.05: 19, 0.1: 18})

    found = MinedQuestion("p", "<b>Why?</b>", ScoredPassage("right", 0.5), (ScoredPassage("wrong", 0.6),))
    sent: list[tuple] = []
    monkeypatch.setattr(mining, "counts", counts)
    monkeypatch.setattr(mining, "sample", lambda *_: (found,))
    monkeypatch.setattr(mining, "suspicious", lambda *_: (found,))
    monkeypatch.setattr(mining, "send_to_review", lambda _project, questions: sent.append(questions) or 1)
    app = open_page("train", project=project_id)
    assert not seen, "nothing is counted while no hard negatives are wanted"
    app.number_input(key="train.embedding.hard_negatives").set_value(2).run()
    assert "19 of 20 questions have 2 hard negatives" in _text(app)
    app.slider(key="train.embedding.margin").set_value(0.5).run()
    assert "10 of 20 questions" in _text(app)
    assert [text.value for text in app.text].count("<b>Why?</b>") == 2
    app.button(key="train.negatives.send").click().run()
    assert sent == [(found,)]
    monkeypatch.setattr(mining, "counts", lambda *_: None)
    app.run()
    app.button(key="train.negatives.mine").click().run()
    assert [job.kind for job in jobs.listing(project_id, ("mine",))] == ["mine"]
    assert not app.exception


def test_a_reranker_looks_for_candidates_with_its_retriever(open_page: OpenPage, project_id: str) -> None:
    app = open_page("train", project=project_id)
    app.selectbox(key="recipe").set_value("cross_encoder").run()
    app.button(key="train.negatives.mine").click().run()
    assert not app.exception
    (job,) = jobs.listing(project_id, ("mine",))
    assert job.params["recipe"] == "cross_encoder"
    assert job.params["config"]["retriever"]


def _answer(name: str, *ids: str) -> Answer:
    found = (FoundPassage(rank, key, 0.9 - rank / 10, "", f"text of {key}", "doc") for rank, key in enumerate(ids, 1))
    return Answer(name, name, 0.02, 18, tuple(found))


def test_playground_shows_both_models_with_what_moved(
    open_page: OpenPage, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple] = []

    def answer(project: str, ids: tuple, question: str, k: int, on_progress: object) -> list[Answer]:
        asked.append((tuple(ids), question, k))
        return [_answer("base", "a", "b", "c"), _answer("tuned", "b", "a", "d")]

    monkeypatch.setattr(playground, "answer", answer)
    app = open_page("playground", project=project_id)
    app.text_input(key="playground.typed").input("Where is it?")
    next(button for button in app.button if button.label == "Ask").click().run()
    model = filled_project.MODEL_ID
    assert asked == [((f"{model}/base", model), "Where is it?", 5)]
    assert [text.value for text in app.text if text.value.startswith("text of")] == [
        f"text of {key}" for key in ("a", "b", "c", "b", "a", "d")
    ]
    badges = [element.value for element in app.markdown if "badge" in element.value]
    assert [badge for badge in badges if "arrow_upward" in badge and "1" in badge]
    assert [badge for badge in badges if "arrow_downward" in badge]
    assert [badge for badge in badges if "new" in badge]
    app.run()
    assert len(asked) == 1, "running the page again asks nothing again"


def test_playground_marks_a_reranker_against_its_own_retriever(
    open_page: OpenPage, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, tuned = _answer("stock", "d", "b", "a"), _answer("tuned", "c", "a", "b")
    places = {"c": 7, "a": 1, "b": 3}
    reranked = tuple(replace(passage, retrieved_rank=places[passage.id]) for passage in tuned.passages)
    monkeypatch.setattr(playground, "answer", lambda *_: [base, replace(tuned, passages=reranked)])
    app = open_page("playground", project=project_id)
    app.text_input(key="playground.typed").input("Where is it?")
    next(button for button in app.button if button.label == "Ask").click().run()
    assert not app.exception
    badges = " ".join(element.value for element in app.markdown if "badge" in element.value)
    assert "arrow_upward: 6 from 7" in badges, badges
    assert "arrow_downward: 1 from 1" in badges
    assert "new" not in badges, "that the other model does not show it is not what counts here"
    assert "how far the reranker moved" in _text(app)


def test_playground_shows_a_crash_and_asks_again(
    open_page: OpenPage, project_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> list[Answer]:
        raise ProviderError("The Playground's process ended before it had answered.", hint="Ask again.")

    monkeypatch.setattr(playground, "answer", crash)
    app = open_page("playground", project=project_id)
    app.text_input(key="playground.typed").input("Where is it?")
    next(button for button in app.button if button.label == "Ask").click().run()
    assert "ended before" in app.error[0].value
    monkeypatch.setattr(playground, "answer", lambda *_: [_answer("base", "a"), _answer("tuned", "a")])
    next(button for button in app.button if button.label == "Ask").click().run()
    assert not app.error
    assert "text of a" in [text.value for text in app.text]


def test_models_shows_facts_and_card_and_makes_a_zip(open_page: OpenPage) -> None:
    project = projects.create("p").id
    add_tuned_model(project)
    app = open_page("models", project=project)
    assert not app.exception
    assert "Embedding model" in str(app.table[0].value)
    app.session_state["part"] = "Use it"
    app.run()
    assert any("class TunedEmbedding(BaseEmbedding)" in code.value for code in app.code)
    app.button(key="use.zip").click().run()
    assert [job.params["model_id"] for job in jobs.listing(project, ("export",))] == ["m1"]
    app.session_state["part"] = "Model card"
    app.run()
    assert any("# Tuned no. 1" in code.value for code in app.code)


def test_a_model_is_deleted_only_after_the_box_is_ticked(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    project = filled_project.fill()
    with database.writing() as connection:
        connection.execute(update(tables.model).values(name="Old one"))
    app = open_page("models", project=project)
    app.button(key="delete.open").click().run()
    next(button for button in app.button if button.label == "Delete for good").click().run()
    assert models.listing(project)
    app.button(key="delete.open").click().run()
    app.checkbox[0].check()
    next(button for button in app.button if button.label == "Delete for good").click().run()
    assert models.listing(project) == []
    assert not app.exception


@pytest.mark.parametrize("decision", ["billing", ""])
def test_a_router_shows_its_decision_and_scores(
    open_page: OpenPage, project_id: str, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    choices = (ScoredChoice("billing", "Billing", 1.5), ScoredChoice("travel", "Travel", -0.5))

    def answer(project_id: str, ids: tuple[str, ...], *_: object) -> list[Answer]:
        return [Answer(found, found, 0.01, 2, (), Route(choices, decision, 0.25, "logit")) for found in ids]

    monkeypatch.setattr(playground, "answer", answer)
    app = open_page("playground", project=project_id)
    app.text_input(key="playground.typed").input("Where is my invoice?")
    next(button for button in app.button if button.label == "Ask").click().run()
    assert not app.exception
    assert ("Goes to **Billing**" if decision else "**Out of scope**") in _text(app)
    assert "Below a score of 0.250" in _text(app)


@pytest.mark.parametrize("recipe", recipes.discover())
def test_the_form_of_every_recipe_opens(open_page: OpenPage, project_id: str, recipe: str) -> None:
    app = open_page("train", project=project_id)
    app.selectbox(key="recipe").set_value(recipe).run()
    assert not app.exception
    assert recipes.get(recipe).summary in _text(app).replace("\\", "")
    has_form = any(
        (widget.key or "").startswith(f"train.{recipe}.")
        for widget in [*app.number_input, *app.text_input, *app.selectbox]
    )
    assert has_form or "This project has none yet." in _text(app), (
        "a project without such examples says what is missing"
    )
    if recipes.get(recipe).notice:
        assert any(recipes.get(recipe).notice[:20] in warning.value for warning in app.warning)
