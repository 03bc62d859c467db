"""Distil a strong language model into a small one: learn its recorded answers, and show how close the small one comes."""

from pathlib import Path

from pydantic import Field

from finetune_core.evaluation.answering import (
    ANSWER_METRICS,
    HEADLINE,
    Answerer,
    Copier,
    Recorded,
    System,
    answer_chat,
    evaluate_answers,
)
from finetune_core.evaluation.correctness_grades import JUDGED_METRICS
from finetune_core.evaluation.ragas_answers import RAGAS_ANSWER_METRICS
from finetune_core.evaluation.said import Said
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.providers.portable_template import TAGGED
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._chats import (
    EXPORTS,
    EXTRAS,
    VALIDATION_LOSS,
    chat_prices,
    chat_systems,
    chat_traits,
    foreseen,
    learned,
    load,
    save_with_functions,
)
from finetune_core.recipes._chats import save as save_plain
from finetune_core.recipes._embedders import open_embedder
from finetune_core.recipes._grading import check_judge, graded
from finetune_core.records import Chat, Part, Split
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_tuning import TunedChat
from finetune_core.training.conversations import Conversation
from finetune_core.training.fields import ADVANCED, REFERENCE


class DistillationConfig(ChatTuningConfig):
    """The settings of one run."""

    answer_tokens: int = Field(
        256,
        ge=1,
        le=8192,
        title="Longest answer (tokens)",
        description="Answers are cut there when systems are compared, for base, tuned and teacher alike.",
    )
    judge: str = Field(
        "",
        title="Judge",
        description="A model that grades answers by ragas' metrics when systems are compared, such as service:NAME; empty for "
        "none. It is asked about ten times for each answer. A correctness judge that was tuned here (model:ID) gives one "
        "grade for each answer; it has to be compared first, so that its own errors are known.",
        max_length=200,
        json_schema_extra=REFERENCE,
    )
    judged_answers: int = Field(
        50,
        ge=1,
        le=10_000,
        title="Answers to judge",
        description="At most this many answers of each system are graded by the judge; the same ones for all.",
    )
    embedder: str = Field(
        BUNDLED_EMBEDDER,
        title="Embedder for similarity",
        description="The embedding model that measures how close two answers are in meaning.",
        min_length=1,
        json_schema_extra={**ADVANCED, **REFERENCE},
    )


def train(split: Split[Chat], config: DistillationConfig, run: Run) -> TunedChat:
    """Learn the recorded answers. Raises ArtefactError before that, if the judge is a tuned one without calibration."""
    check_judge(config.judge, run)
    return learned(split, conversations, config, run)


def systems(config: DistillationConfig, model: TunedChat | None, run: Run) -> dict[str, System]:
    """The first passage, the recorded answers, the untuned model, the teacher if one is set, and the tuned if given."""
    prices = chat_prices(config, run)
    chats = {
        name: Answerer(name, chat, config.answer_tokens, prices[name], is_teacher=name == "teacher")
        for name, chat in chat_systems(config, model, run).items()
    }
    return {"copier": Copier(), "recorded": Recorded(), **chats}


def evaluate(system: System, part: Part[Chat], config: DistillationConfig, run: Run) -> Report:
    """Every example of the part; with a judge, also by ragas' metrics, or by a tuned judge's grades."""
    embedder = open_embedder(config.embedder, run)
    report = evaluate_answers(system, part, embedder, run)
    if not config.judge:
        return report
    return graded(report, part, config.judge, embedder, run, max_answers=config.judged_answers)


def answer(system: System, example: Chat, config: DistillationConfig, *, run: Run) -> Said:
    """The answer to one conversation."""
    return answer_chat(system, example, run)


def conversations(example: Chat, config: DistillationConfig) -> list[Conversation]:
    """What is learned from one example: its answer, and where it is known the worse one."""
    return [Conversation(example.id, example.messages, example.response, example.tools, example.rejected or None)]


def save(model: TunedChat, path: Path) -> None:
    """Write the model into the empty folder `path`, with its template for functions where it learned to call some."""
    if model.facts.get("has_tools"):
        save_with_functions(model, path, TAGGED)
    else:
        save_plain(model, path)


def estimate(outline: Outline, config: DistillationConfig, machine: Machine) -> Estimate:
    """From the tokens its steps would read; see `training.chat_estimates`."""
    return foreseen("distillation", outline, conversations, config, machine)


RECIPE = Recipe(
    name="distillation",
    title="Distillation",
    summary="Teaches a small model the answers of a strong one, and shows how much of the gap between them it closes.",
    source="LlamaIndex, Fine-tuning GPT-3.5 on GPT-4 answers, 2023; Kim and Rush, Sequence-Level Knowledge Distillation, 2016; "
    "Es et al., RAGAS, 2023",
    record=Chat,
    config=DistillationConfig,
    headline=HEADLINE,
    metrics={**ANSWER_METRICS, **RAGAS_ANSWER_METRICS, **JUDGED_METRICS},
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
