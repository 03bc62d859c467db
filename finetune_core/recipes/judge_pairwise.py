"""Tune a chat model so that it prefers the answers that a strong judge, or people, prefer."""

from dataclasses import dataclass

from pydantic import Field

from finetune_core.evaluation.judging import (
    PAIRWISE_METRICS,
    ChatJudge,
    Raters,
    answer_pairwise,
    constant_pairwise,
    evaluate_pairwise,
    pairwise_answer,
    pairwise_messages,
    rater_pairwise,
    swapped,
)
from finetune_core.evaluation.said import Said
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._chats import EXPORTS, EXTRAS, VALIDATION_LOSS, chat_traits, foreseen, learned, load, save
from finetune_core.recipes._judges import chat_judges
from finetune_core.records import Comparison, Part, Preference, Split
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_tuning import TunedChat
from finetune_core.training.conversations import Conversation


class PairwiseConfig(ChatTuningConfig):
    """The settings of one run."""

    with_feedback: bool = Field(
        False,
        title="Give reasons",
        description="Learn to write the reason before the verdict. Takes several times as long; examples need reasons to learn "
        "from.",
    )
    both_orders: bool = Field(
        True,
        title="Learn both orders",
        description="Show every pair in both orders, so that the place of an answer teaches nothing. Twice the steps.",
    )


@dataclass(frozen=True)
class Longer:
    """Prefers the longer answer: what many judges secretly do."""

    name: str = "the longer answer"


Judge = ChatJudge | Longer | Raters


def train(split: Split[Comparison], config: PairwiseConfig, run: Run) -> TunedChat:
    """Learn the verdicts from the prompt that the judge is asked with later."""
    return learned(split, conversations, config, run)


def systems(config: PairwiseConfig, model: TunedChat | None, run: Run) -> dict[str, Judge]:
    """The longer answer, human raters among themselves, the untuned judge, the teacher if set, the tuned if given."""
    return {"longer": Longer(), "raters": Raters(seed=config.seed), **chat_judges(config, model, run)}


def evaluate(system: Judge, part: Part[Comparison], config: PairwiseConfig, run: Run) -> Report:
    """Every pair of the part, in both orders; see `evaluation.judging`."""
    if isinstance(system, Longer):
        return constant_pairwise(system.name, part, longer)
    if isinstance(system, Raters):
        return rater_pairwise(system.name, part, system.seed)
    return evaluate_pairwise(system, part, run)


def answer(system: Judge, example: Comparison, config: PairwiseConfig, *, run: Run) -> Said:
    """Which of two answers is better."""
    return answer_pairwise(system, example, run) if isinstance(system, ChatJudge) else Said(longer(example))


def longer(example: Comparison) -> Preference:
    """The longer of the two answers, a tie if they are equally long."""
    difference = len(example.first) - len(example.second)
    return Preference.TIE if not difference else Preference.FIRST if difference > 0 else Preference.SECOND


def conversations(example: Comparison, config: PairwiseConfig) -> list[Conversation]:
    """What is learned from one pair: its verdict, in both orders if wanted."""
    orders = [example, swapped(example)] if config.both_orders else [example]
    return [
        Conversation(
            f"{example.id}-{number}" if number else example.id,
            pairwise_messages(one, with_feedback=config.with_feedback),
            {"role": "assistant", "content": pairwise_answer(one, with_feedback=config.with_feedback)},
        )
        for number, one in enumerate(orders)
    ]


def estimate(outline: Outline, config: PairwiseConfig, machine: Machine) -> Estimate:
    """From the tokens its steps would read; see `training.chat_estimates`."""
    return foreseen("judge_pairwise", outline, conversations, config, machine)


RECIPE = Recipe(
    name="judge_pairwise",
    title="Pairwise judge",
    summary="Has a small model prefer the answers that a strong judge or people prefer, whatever their order.",
    source="LlamaIndex, Fine-tuning a pairwise judge, 2023; Wang et al., PandaLM, 2023; Zheng et al., Judging LLM-as-a-Judge, "
    "2023",
    record=Comparison,
    config=PairwiseConfig,
    headline="agreement",
    metrics=PAIRWISE_METRICS,
    train=train,
    systems=systems,
    evaluate=evaluate,
    answer=answer,
    save=save,
    load=load,
    exports=EXPORTS,
    extras=EXTRAS,
    estimate=estimate,
    traits=chat_traits,
    loss=VALIDATION_LOSS,
    library="peft",
    pipeline_tag="text-generation",
)
