"""Tuning by preference from chats whose answers were edited: what is learned from, and what is said where there is nothing."""

from dataclasses import replace
from pathlib import Path

import pytest

from finetune_core import recipes
from finetune_core.errors import DatasetError
from finetune_core.recipe import Outline
from finetune_core.records import Part, Split, SplitName
from finetune_core.training.chat_config import TuningMethod
from tests.demonstration_data import tiny_chat_split
from tests.training_fixtures import RecordedRun
from tests.unit.training.test_chat_estimates import FakeMachine

SETTINGS = {"method": TuningMethod.DPO, "epochs": 2, "batch_size": 4, "learning_rate": 1e-3, "evaluations": 1}


def split(num_rejected: int) -> Split:
    """The tiny chats, of which that many have a rejected answer: that of the next one."""
    examples = tiny_chat_split().train.examples
    edited = tuple(
        replace(one, rejected=dict(other.response)) if at < num_rejected else one
        for at, (one, other) in enumerate(zip(examples, examples[1:] + examples[:1], strict=True))
    )
    return Split(*(Part(part, edited) for part in SplitName), fingerprint=f"preferences {num_rejected}")


def test_only_examples_with_a_rejected_answer_are_learned_from(tiny_chat: str, tmp_path: Path) -> None:
    recipe, run = recipes.get("distillation"), RecordedRun(tmp_path, seed=1)
    config = recipe.config(base_model=tiny_chat, **SETTINGS)
    model = recipe.train(split(12), config, run)
    assert (model.facts["num_rows"], model.facts["num_without_rejected"]) == (12, 4)
    losses = [value for _, value in run.metrics["validation_loss"]]
    assert losses[0] == pytest.approx(0.693, abs=0.01), "log 2: the untuned model prefers neither"
    assert losses[-1] < losses[0]


def test_without_rejected_answers_it_says_what_to_do(tiny_chat: str, tmp_path: Path) -> None:
    recipe = recipes.get("distillation")
    config = recipe.config(base_model=tiny_chat, **SETTINGS)
    with pytest.raises(DatasetError, match="None of the 16 examples to learn from has a rejected answer") as caught:
        recipe.train(split(0), config, RecordedRun(tmp_path))
    assert "supervised" in caught.value.hint


@pytest.mark.parametrize("num_rejected", [12, 0])
def test_the_estimate_says_how_many_examples_count(num_rejected: int, tiny_chat: str) -> None:
    recipe, part = recipes.get("distillation"), split(num_rejected).train
    config = recipe.config(base_model=tiny_chat, **SETTINGS)
    outline = Outline(160, 16, 16, 0, part)
    assert recipe.estimate is not None
    found = recipe.estimate(outline, config, FakeMachine((400.0, 1)))
    about = 10 * num_rejected
    assert found.warnings[0] == (
        f"The method dpo learns from examples with a rejected answer alone: about {about} of 160."
    )
    assert found.num_steps == 2 * about / 4
    supervised = recipe.estimate(outline, config.model_copy(update={"method": TuningMethod.SUPERVISED}), FakeMachine())
    assert not any("rejected" in one for one in supervised.warnings)
