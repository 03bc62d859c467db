"""A recipe with something to know first says it on Train, and hands over to another on the same data."""

import dataclasses

import pytest

from finetune_core import recipes
from finetune_core.recipes import cohere_reranker
from finetune_core.workspace import projects
from tests.cohere_fixtures import CARD_FACTS
from tests.training_fixtures import add_dataset, tiny_split
from tests.ui.conftest import OpenPage


def test_the_notice_names_the_day_and_the_other_recipe_takes_the_same_data(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_over = dataclasses.replace(cohere_reranker.RECIPE, alternative="embedding")
    known = recipes.discover() | {"cohere_reranker": handed_over}
    monkeypatch.setattr(recipes, "discover", lambda: known)
    project = projects.create("p").id
    add_dataset(project, tiny_split(), facts=CARD_FACTS)
    app = open_page("train", project=project)
    app.selectbox(key="recipe").set_value("cohere_reranker").run()
    assert any("15 September 2025" in warning.value for warning in app.warning)
    app.button(key="recipe_instead").click().run()
    assert app.selectbox(key="recipe").value == "embedding"
    assert app.selectbox(key="dataset").value == "v1"
    assert not app.exception
