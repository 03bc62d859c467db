"""What a person may choose about tuning an embedding model. It is the form, the command line and the validation."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.training.fields import (
    ADVANCED,
    Dropout,
    Epochs,
    Evaluations,
    LearningRate,
    LearningRateSchedule,
    Margin,
    MaxTokens,
    Patience,
    Scale,
    Schedule,
    Seed,
    Warmup,
    WeightDecay,
)


class Loss(StrEnum):
    """What the model is told is wrong about its vectors; the names are those of sentence-transformers' classes."""

    MULTIPLE_NEGATIVES = "MultipleNegativesRankingLoss"
    SYMMETRIC = "MultipleNegativesSymmetricRankingLoss"
    CACHED = "CachedMultipleNegativesRankingLoss"


class EmbeddingConfig(BaseModel):
    """The settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: str = Field(
        BUNDLED_EMBEDDER,
        title="Base model",
        description="The model to start from: the bundled one, a name on the Hugging Face hub, or a folder.",
        min_length=1,
    )
    epochs: Epochs = 3
    batch_size: int = Field(
        32,
        ge=2,
        le=4096,
        title="Batch size",
        description="Passages learned from at once, each with its questions; those of the others are the wrong answers of each.",
    )
    learning_rate: LearningRate = 5e-5
    warmup: Warmup = 0.1
    schedule: LearningRateSchedule = Schedule.LINEAR
    weight_decay: WeightDecay = 0.0
    dropout: Dropout = 0.0
    max_tokens: MaxTokens = 256
    loss: Loss = Field(
        Loss.MULTIPLE_NEGATIVES,
        title="Loss",
        description="Ranking against the other passages of the batch; symmetric also ranks questions for each passage; "
        "cached allows very large batches in little memory, slower.",
    )
    scale: Scale = 20.0
    hard_negatives: int = Field(
        0,
        ge=0,
        le=15,
        title="Hard negatives",
        description="Wrong passages mined for each question, on top of those of the batch. Each one costs as much as the "
        "right passage does.",
    )
    margin: Margin = Field(
        0.05,
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
    evaluations: Evaluations = Field(
        6,
        description="How often the model is measured on validation questions; fewer if that would take over 15 % of the time.",
    )
    patience: Patience = 3
    seed: Seed = 0

    @model_validator(mode="after")
    def _dims_are_positive(self) -> Self:
        if any(size < 1 for size in self.matryoshka_dims):
            raise ValueError(f"Matryoshka sizes must be 1 or more; got {list(self.matryoshka_dims)}")
        return self

    @property
    def mined_with(self) -> tuple[str, tuple[str, str], int]:
        """What the candidates for hard negatives depend on: model, prefixes ("" for the model's own), longest text."""
        return self.base_model, (self.query_prefix, self.passage_prefix), self.max_tokens
