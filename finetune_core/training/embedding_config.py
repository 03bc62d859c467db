"""What a person may choose about tuning an embedding model. It is the form, the command line and the validation."""

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune_core.providers.bundled import BUNDLED_EMBEDDER

ADVANCED: dict[str, Any] = {"advanced": True}
"""Marks a setting that the form keeps behind "Advanced settings"."""


class Loss(StrEnum):
    """What the model is told is wrong about its vectors; the names are those of sentence-transformers' classes."""

    MULTIPLE_NEGATIVES = "MultipleNegativesRankingLoss"
    SYMMETRIC = "MultipleNegativesSymmetricRankingLoss"
    CACHED = "CachedMultipleNegativesRankingLoss"


class Schedule(StrEnum):
    """How the learning rate goes on after the warm-up."""

    LINEAR = "linear"
    COSINE = "cosine"
    CONSTANT = "constant_with_warmup"


class EmbeddingConfig(BaseModel):
    """The settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: str = Field(
        BUNDLED_EMBEDDER,
        title="Base model",
        description="The model to start from: the bundled one, a name on the Hugging Face hub, or a folder.",
        min_length=1,
    )
    epochs: int = Field(3, ge=1, le=50, title="Epochs", description="How often the model sees every training question.")
    batch_size: int = Field(
        32,
        ge=2,
        le=4096,
        title="Batch size",
        description="Passages learned from at once, each with its questions; those of the others are the wrong answers of each.",
    )
    learning_rate: float = Field(
        5e-5, gt=0, le=1e-2, title="Learning rate", description="How far a step moves the model at its peak."
    )
    warmup: float = Field(
        0.1,
        ge=0,
        le=0.9,
        title="Warm-up",
        description="Share of the steps over which the learning rate rises from zero.",
        json_schema_extra=ADVANCED,
    )
    schedule: Schedule = Field(
        Schedule.LINEAR,
        title="Schedule",
        description="How the learning rate goes on after the warm-up.",
        json_schema_extra=ADVANCED,
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Weight decay",
        description="Pulls weights towards zero; 0 switches it off.",
        json_schema_extra=ADVANCED,
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of activations left out at random in each step. 0 makes a step a third faster on a CPU.",
        json_schema_extra=ADVANCED,
    )
    max_tokens: int = Field(
        256,
        ge=16,
        le=32768,
        title="Longest text (tokens)",
        description="Longer texts are cut, in training and in use, for base and tuned alike; never above the model's own limit.",
    )
    loss: Loss = Field(
        Loss.MULTIPLE_NEGATIVES,
        title="Loss",
        description="Ranking against the other passages of the batch; symmetric also ranks questions for each passage; "
        "cached allows very large batches in little memory, slower.",
    )
    scale: float = Field(
        20.0,
        ge=1,
        le=200,
        title="Scale",
        description="Sharpness of the ranking: cosine similarities are multiplied by it.",
        json_schema_extra=ADVANCED,
    )
    hard_negatives: int = Field(
        0,
        ge=0,
        le=15,
        title="Hard negatives",
        description="Wrong passages mined for each question, on top of those of the batch. Each one costs as much as the "
        "right passage does.",
    )
    margin: float = Field(
        0.05,
        ge=0,
        le=0.9,
        title="Margin of hard negatives",
        description="A passage counts as wrong only if the base model scores it at least this share below the right one; "
        "a larger margin keeps fewer and safer ones.",
    )
    matryoshka_dims: tuple[int, ...] = Field(
        (),
        title="Matryoshka sizes",
        description="Train so that vectors cut to these lengths still work; empty switches it off.",
        json_schema_extra=ADVANCED,
    )
    query_prefix: str = Field(
        "",
        max_length=500,
        title="Question prefix",
        description="Put before every question, for base and tuned alike. Empty: the base model's own, if it has one.",
        json_schema_extra=ADVANCED,
    )
    passage_prefix: str = Field(
        "",
        max_length=500,
        title="Passage prefix",
        description="Put before every passage, for base and tuned alike. Empty: the base model's own, if it has one.",
        json_schema_extra=ADVANCED,
    )
    evaluations: int = Field(
        6,
        ge=1,
        le=100,
        title="Validations",
        description="How often the model is measured on validation questions; fewer if that would take over 15 % of the time.",
        json_schema_extra=ADVANCED,
    )
    patience: int = Field(
        3,
        ge=0,
        le=100,
        title="Patience",
        description="Stop early after this many validations in a row without a new best; 0 never stops early.",
        json_schema_extra=ADVANCED,
    )
    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="The same seed gives the same run on the same machine.",
        json_schema_extra=ADVANCED,
    )

    @model_validator(mode="after")
    def _dims_are_positive(self) -> Self:
        if any(size < 1 for size in self.matryoshka_dims):
            raise ValueError(f"Matryoshka sizes must be 1 or more; got {list(self.matryoshka_dims)}")
        return self

    @property
    def mined_with(self) -> tuple[str, tuple[str, str], int]:
        """What the candidates for hard negatives depend on: model, prefixes ("" for the model's own), longest text."""
        return self.base_model, (self.query_prefix, self.passage_prefix), self.max_tokens
