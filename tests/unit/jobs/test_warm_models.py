"""What the Playground keeps in memory, and that nothing of a typed question reaches the disk."""

from pathlib import Path
from typing import Any

import pytest

from finetune_core import recipes
from finetune_core.jobs.warm_models import WarmModels, base_name, reading_embedder, warmed
from finetune_core.workspace import projects
from tests.training_fixtures import RecordedRun, Trained
from tests.tuned_model import add_passages


def kept_bytes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["base", "tuned"])
def test_a_question_to_a_reranker_leaves_nothing_on_the_disk(
    trained_cross_encoder: Trained, tmp_path: Path, name: str
) -> None:
    recipe, run = recipes.get("cross_encoder"), RecordedRun(tmp_path)
    config, corpus = trained_cross_encoder.config, trained_cross_encoder.split.test.corpus
    plain = recipe.systems(config, trained_cross_encoder.model, run)[name]
    system = warmed(recipe.systems(config, trained_cross_encoder.model, run)[name])
    reading_embedder(system).encode_passages([passage.full_text for passage in corpus])
    before = kept_bytes(run.cache)
    assert before, "passages are kept"
    found = recipe.answer(system, "Is a quokka a zorble?", config, corpus=corpus, run=run, k=5)
    assert kept_bytes(run.cache) == before
    expected = recipe.answer(plain, "Is a quokka a zorble?", config, corpus=corpus, run=run, k=5)
    assert found.ids == expected.ids
    assert found.scores[0] == pytest.approx(expected.scores[0], abs=1e-4)
    assert kept_bytes(run.cache) != before, "what is not warmed does keep them, so this test can fail"


def test_the_untuned_contender_of_a_reranker_is_its_retriever() -> None:
    manifest: dict[str, Any] = {"base_model": "start", "config": {"retriever": "finder"}}
    assert base_name(manifest) == "finder"
    assert base_name({"base_model": "start", "config": {}}) == "start"


def test_asked_in_this_process_it_answers_without_a_warning() -> None:
    project = projects.create("p")
    add_passages(project.id)
    request = {"question": "How does dough rise?", "k": 2}
    answers = WarmModels().answer(project.id, ["base"], request, lambda *_: None)
    assert len(answers[0]["passages"]) == 2
