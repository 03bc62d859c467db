"""Tune a chat model so that it grades answers as a strong judge, or people, grade them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field

from finetune_core.evaluation.judging import (
    CORRECTNESS_METRICS,
    LEARNED_SCALE,
    ChatJudge,
    Raters,
    answer_correctness,
    constant_correctness,
    correctness_answer,
    correctness_messages,
    evaluate_correctness,
    rater_correctness,
)
from finetune_core.evaluation.said import Said
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._chats import EXPORTS, EXTRAS, VALIDATION_LOSS, chat_traits, foreseen, learned, load, save
from finetune_core.recipes._judges import chat_judges
from finetune_core.records import Judgement, Part, Split
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_tuning import TunedChat
from finetune_core.training.conversations import Conversation


class CorrectnessConfig(ChatTuningConfig):
    """The settings of one run."""

    with_feedback: bool = Field(
        False,
        title="Give reasons",
        description="Learn to write the reason before the grade. Takes several times as long; examples need reasons to learn "
        "from.",
    )


@dataclass(frozen=True)
class Middle:
    """Gives every answer the middle of its scale: the floor."""

    name: str = "always the middle"


Judge = ChatJudge | Middle | Raters


def train(split: Split[Judgement], config: CorrectnessConfig, run: Run) -> TunedChat:
    """Learn the grades from the prompt that the judge is asked with later; the model notes the scale of most of them."""
    model = learned(split, conversations, config, run)
    [(scale, _)] = Counter((one.lowest, one.highest) for one in split.train.examples).most_common(1)
    return replace(model, facts={**model.facts, LEARNED_SCALE: list(scale)})


def systems(config: CorrectnessConfig, model: TunedChat | None, run: Run) -> dict[str, Judge]:
    """The middle of the scale, human raters among themselves, the untuned judge, the teacher if set, the tuned if given."""
    return {"middle": Middle(), "raters": Raters(seed=config.seed), **chat_judges(config, model, run)}


def evaluate(system: Judge, part: Part[Judgement], config: CorrectnessConfig, run: Run) -> Report:
    """Every answer of the part; see `evaluation.judging`."""
    if isinstance(system, Middle):
        return constant_correctness(system.name, part, 0.5)
    if isinstance(system, Raters):
        return rater_correctness(system.name, part, system.seed)
    return evaluate_correctness(system, part, run)


def answer(system: Judge, example: Judgement, config: CorrectnessConfig, *, run: Run) -> Said:
    """The grade of one answer."""
    if isinstance(system, ChatJudge):
        return answer_correctness(system, example, run)
    return Said(f"{(example.lowest + example.highest) / 2:g}")


def conversations(example: Judgement, config: CorrectnessConfig) -> list[Conversation]:
    """What is learned from one grade."""
    response = {"role": "assistant", "content": correctness_answer(example, with_feedback=config.with_feedback)}
    return [Conversation(example.id, correctness_messages(example, with_feedback=config.with_feedback), response)]


def estimate(outline: Outline, config: CorrectnessConfig, machine: Machine) -> Estimate:
    """From the tokens its steps would read; see `training.chat_estimates`."""
    return foreseen("judge_correctness", outline, conversations, config, machine)


def traits(manifest: Mapping[str, Any]) -> dict[str, str]:
    """How it was tuned, and the scale that it grades on."""
    scale = manifest["facts"].get(LEARNED_SCALE)
    return {**chat_traits(manifest), **({"Grades": f"{scale[0]:g} to {scale[1]:g}"} if scale else {})}


RECIPE = Recipe(
    name="judge_correctness",
    title="Correctness judge",
    summary="Has a small model grade answers as a strong judge or people do, and says how far to trust it.",
    source="LlamaIndex, Knowledge distillation for a correctness judge, 2023; Kim et al., Prometheus, 2023",
    record=Judgement,
    config=CorrectnessConfig,
    headline="weighted_kappa",
    metrics=CORRECTNESS_METRICS,
    train=train,
    systems=systems,
    evaluate=evaluate,
    answer=answer,
    save=save,
    load=load,
    exports=EXPORTS,
    extras=EXTRAS,
    estimate=estimate,
    traits=traits,
    loss=VALIDATION_LOSS,
    library="peft",
    pipeline_tag="text-generation",
)
