"""Tune a chat model so that it answers questions to a database in SQL."""

from typing import Any

from pydantic import Field

from finetune_core.evaluation.said import Said
from finetune_core.evaluation.sql import (
    HEADLINE,
    MAX_TOKENS,
    SQL_METRICS,
    ChatWriter,
    SqlWriter,
    TemplateWriter,
    answer_sql,
    evaluate_sql,
    sql_messages,
)
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
    save,
)
from finetune_core.records import Part, Split, SqlQuestion
from finetune_core.training.chat_config import ChatTuningConfig
from finetune_core.training.chat_tuning import TunedChat
from finetune_core.training.conversations import Conversation
from finetune_core.training.fields import ADVANCED


class TextToSqlConfig(ChatTuningConfig):
    """The settings of one run."""

    max_schema_chars: int = Field(
        6000,
        ge=200,
        le=200_000,
        title="Longest schema (characters)",
        description="Of a longer schema, only the tables that the question names most are put into the prompt.",
        json_schema_extra=ADVANCED,
    )
    max_answer_tokens: int = Field(
        MAX_TOKENS,
        ge=8,
        le=4096,
        title="Longest answer (tokens)",
        description="An answer that is longer is cut, and then hardly ever a query that runs.",
        json_schema_extra=ADVANCED,
    )


def train(split: Split[SqlQuestion], config: TextToSqlConfig, run: Run) -> TunedChat:
    """Learn the right queries from the prompt that the model is asked with later."""
    return learned(split, conversations, config, run)


def systems(config: TextToSqlConfig, model: TunedChat | None, run: Run) -> dict[str, SqlWriter]:
    """A template that needs no model, the untuned model, the teacher if one is set, and the tuned model if given."""
    prices = chat_prices(config, run)
    found: dict[str, SqlWriter] = {"template": TemplateWriter()}
    for name, chat in chat_systems(config, model, run).items():
        found[name] = ChatWriter(name, chat, config.max_schema_chars, config.max_answer_tokens, prices[name])
    return found


def evaluate(system: SqlWriter, part: Part[SqlQuestion], config: TextToSqlConfig, run: Run) -> Report:
    """Every question of the part; see `evaluation.sql`."""
    return evaluate_sql(system, part, run)


def answer(system: SqlWriter, example: SqlQuestion, config: TextToSqlConfig, *, run: Run) -> Said:
    """The query for one question, with the rows it gives where there is a database."""
    return answer_sql(system, example, run)


def estimate(outline: Outline, config: TextToSqlConfig, machine: Machine) -> Estimate:
    """From the tokens its steps would read; see `training.chat_estimates`."""
    return foreseen("text_to_sql", outline, conversations, config, machine)


def conversations(question: SqlQuestion, config: TextToSqlConfig) -> list[Conversation]:
    """What is learned from one question: the prompt, and the right query without its semicolon."""
    sql = question.sql.strip().rstrip(";").rstrip()
    response: dict[str, Any] = {"role": "assistant", "content": sql}
    return [Conversation(question.id, sql_messages(question, config.max_schema_chars), response)]


RECIPE = Recipe(
    name="text_to_sql",
    title="Text to SQL",
    summary="Answers questions to a database in SQL; every query is run read-only and held against the right one's rows.",
    source="LlamaIndex, Fine-tuning for text-to-SQL, 2023; Yu et al., Spider: A Large-Scale Human-Labeled Dataset, 2018; "
    "Zhong et al., Semantic Evaluation for Text-to-SQL with Distilled Test Suites, 2020",
    record=SqlQuestion,
    config=TextToSqlConfig,
    headline=HEADLINE,
    metrics=SQL_METRICS,
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
