"""What a person may choose about tuning a router. It is the form, the command line and the validation."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.training.fields import ADVANCED, REFERENCE, Epochs, LearningRate, MaxTokens, Seed


class Method(StrEnum):
    """What learns: a small classifier over frozen vectors, or the embedding model that compares queries and choices."""

    HEAD = "head"
    CHOICES = "choices"


class RoutingConfig(BaseModel):
    """The settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = Field(
        Method.HEAD,
        title="Method",
        description="head: a small classifier over the vectors of a frozen embedding model, in seconds. choices: tunes the "
        "embedding model so that queries lie near the description of their choice, in minutes; a choice added later can be "
        "chosen by its description.",
    )
    base_model: str = Field(
        BUNDLED_EMBEDDER,
        title="Base model",
        description="The embedding model that reads the queries: the bundled one, a name on the Hugging Face hub, a folder, "
        "another tuned model, or an embedding service.",
        min_length=1,
        json_schema_extra=REFERENCE,
    )
    strengths: tuple[float, ...] = Field(
        (1.0, 10.0, 100.0),
        title="Regularisation strengths (C)",
        description="For the method head: each is tried and the one with the best macro-F1 on validation is kept. Greater "
        "values fit the training queries more closely.",
        min_length=1,
        max_length=12,
    )
    kept_in_scope: float = Field(
        1.0,
        ge=0.5,
        le=1,
        title="Kept in scope",
        description="Matters where no query of training or validation is labelled out of scope: the share of validation "
        "queries that must still get a choice. 1: nothing is ever out of scope. With such queries, the threshold with the "
        "best macro-F1 on validation is taken instead.",
        json_schema_extra=ADVANCED,
    )
    epochs: Epochs = Field(
        3,
        description="For the method choices: how often the model sees every training query.",
        json_schema_extra=ADVANCED,
    )
    batch_size: int = Field(
        32,
        ge=2,
        le=4096,
        title="Batch size",
        description="For the method choices: choices learned from at once, each with its queries; those of the others are "
        "the wrong choices of each query.",
        json_schema_extra=ADVANCED,
    )
    learning_rate: LearningRate = Field(
        5e-5,
        description="For the method choices: how far a step moves the model at its peak.",
        json_schema_extra=ADVANCED,
    )
    max_tokens: MaxTokens = Field(
        256,
        description="Longer texts are cut, for base and tuned alike; never above the model's own limit.",
        json_schema_extra=ADVANCED,
    )
    llm_service: str = Field(
        "",
        max_length=200,
        title="Language model to compare with",
        description="The name of a model service from Settings. In comparisons it routes test queries too, with its cost for "
        "each; empty: none is asked.",
        json_schema_extra=ADVANCED,
    )
    llm_queries: int = Field(
        200,
        ge=1,
        le=100_000,
        title="Queries for the language model",
        description="The most test queries it is asked, as each one costs; the same ones in every comparison.",
        json_schema_extra=ADVANCED,
    )
    seed: Seed = 0

    @model_validator(mode="after")
    def _strengths_are_positive(self) -> Self:
        if any(not 1e-6 <= strength <= 1e6 for strength in self.strengths):
            raise ValueError(f"Strengths must lie between 0.000001 and 1,000,000; got {list(self.strengths)}")
        return self
