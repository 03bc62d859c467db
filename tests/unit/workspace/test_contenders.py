"""Who competes on a dataset version, and what was not tried there."""

import dataclasses

import pytest

from finetune_core import recipes
from finetune_core.jobs import supervisor
from finetune_core.records import Labelled
from finetune_core.training.embedding_config import EmbeddingConfig
from finetune_core.workspace import contenders, runs
from tests import example_comparison
from tests.example_comparison import RECIPE, Example

compared = example_comparison.compared
words_recipe = example_comparison.words_recipe


@pytest.fixture
def known(compared: Example, monkeypatch: pytest.MonkeyPatch) -> Example:
    """Beside the recipe of both models: another of the kind, one advised against, and one of another kind."""
    made = {
        "words": RECIPE,
        "other": dataclasses.replace(RECIPE, name="other", config=EmbeddingConfig),
        "retired": dataclasses.replace(RECIPE, name="retired", notice="Gone."),
        "labels": dataclasses.replace(RECIPE, name="labels", record=Labelled),
    }
    monkeypatch.setattr(recipes, "get", made.__getitem__)
    monkeypatch.setattr(recipes, "discover", lambda: made)
    monkeypatch.setattr(supervisor, "ensure_worker", lambda: None)
    return compared


def test_all_models_of_the_version_and_what_was_not_tried(known: Example) -> None:
    found = contenders.contenders(known.project_id, known.dataset_id)
    assert set(found.model_ids) == {known.good, known.bad}
    assert [recipe.name for recipe in found.missing] == ["other"]


def test_what_is_under_way_is_not_started_again(known: Example) -> None:
    started = contenders.train_missing(known.project_id, known.dataset_id)
    assert [runs.get(run).recipe for run in started] == ["other"]
    assert contenders.contenders(known.project_id, known.dataset_id).missing == ()
    assert contenders.train_missing(known.project_id, known.dataset_id) == []


def test_nobody_competes_where_nothing_learned(known: Example) -> None:
    assert contenders.contenders(known.project_id, "unknown") == contenders.Contenders((), ())
