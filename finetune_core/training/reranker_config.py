"""What a person may choose about tuning a reranker. It is the form, the command line and the validation."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.training.fields import (
    ADVANCED,
    REFERENCE,
    Dropout,
    Epochs,
    Evaluations,
    LearningRate,
    LearningRateSchedule,
    Margin,
    MaxTokens,
    Patience,
    Schedule,
    Seed,
    Warmup,
    WeightDecay,
)


class RerankerLoss(StrEnum):
    """What the model is told is wrong about its scores; the names are those of sentence-transformers' classes."""

    BINARY = "BinaryCrossEntropyLoss"
    LIST_NET = "ListNetLoss"
    LAMBDA = "LambdaLoss"
    MULTIPLE_NEGATIVES = "MultipleNegativesRankingLoss"
    MSE = "MSELoss"
    MARGIN_MSE = "MarginMSELoss"


DISTILLING = frozenset({RerankerLoss.MSE, RerankerLoss.MARGIN_MSE})
ONE_POSITIVE = frozenset({RerankerLoss.MULTIPLE_NEGATIVES, RerankerLoss.MARGIN_MSE})
"""Losses that take one right passage at a time."""


class RerankerConfig(BaseModel):
    """The settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    retriever: str = Field(
        BUNDLED_EMBEDDER,
        title="Retriever",
        description="What finds the passages that are reranked: an embedding model, best the one you use or have tuned.",
        min_length=1,
        json_schema_extra=REFERENCE,
    )
    base_model: str = Field(
        BUNDLED_EMBEDDER,
        title="Model to start from",
        description="A cross-encoder, by its hub name or folder, or an embedding model. An embedding model has never "
        "reranked: it gets a new head, is untrained at first, and reranks only once it is tuned.",
        min_length=1,
        json_schema_extra=REFERENCE,
    )
    epochs: Epochs = 2
    batch_size: int = Field(
        8, ge=1, le=1024, title="Batch size", description="Questions learned from at once, each with all its passages."
    )
    learning_rate: LearningRate = Field(
        1e-4,
        description="How far a step moves the model at its peak. A small embedding model with a new head stands up to 3e-4, a "
        "large cross-encoder wants a tenth of that.",
    )
    loss: RerankerLoss = Field(
        RerankerLoss.LIST_NET,
        title="Loss",
        description="The order of a question's passages (ListNet, Lambda, MultipleNegatives), or each pair right or wrong; "
        "MSE and MarginMSE learn the scores of a teacher.",
    )
    teacher: str = Field(
        "",
        title="Teacher",
        description="For MSE and MarginMSE: whose scores are learned. A stronger cross-encoder (hub name or folder), or "
        '"service:" and the name of a provider of kind Cohere, which charges a search for each training question, once.',
        json_schema_extra=ADVANCED,
    )
    hard_negatives: int = Field(
        1,
        ge=0,
        le=30,
        title="Hard negatives",
        description="Wrong passages that the retriever ranks high, per question.",
    )
    margin: Margin = 0.05
    random_negatives: int = Field(
        1,
        ge=0,
        le=30,
        title="Random negatives",
        description="Wrong passages from anywhere, mixed in for each question. An embedding model that becomes a reranker "
        "learns the first steps from these; from hard ones alone it hardly starts.",
    )
    depth: int = Field(
        20,
        ge=2,
        le=200,
        title="Passages reranked",
        description="How many of the retriever's first passages are put in a new order; each costs time in every query.",
    )
    other_depths: tuple[int, ...] = Field(
        (5, 10),
        title="Other depths compared",
        description="Also scored in a comparison. Depths below the one above cost no further scoring.",
        json_schema_extra=ADVANCED,
    )
    max_tokens: MaxTokens = Field(
        128, title="Longest pair (tokens)", description="Question and passage together; what is longer is cut."
    )
    retriever_max_tokens: MaxTokens = Field(
        256,
        title="Longest text of the retriever (tokens)",
        description="Longer texts are cut before the retriever reads them; a tuned retriever keeps its own limit.",
        json_schema_extra=ADVANCED,
    )
    use_retriever_score: bool = Field(
        True,
        title="Mix in the retriever's score",
        description="Sort by the reranker's score plus a share of the retriever's; the share is chosen on validation.",
        json_schema_extra=ADVANCED,
    )
    stock_service: str = Field(
        "",
        max_length=200,
        title="Stock reranker to compare with",
        description="The name of a provider of kind Cohere from Settings. In comparisons its model reranks the same passages, "
        "a paid search for each test question, once; empty: none is asked.",
        json_schema_extra=ADVANCED,
    )
    warmup: Warmup = 0.1
    schedule: LearningRateSchedule = Schedule.LINEAR
    weight_decay: WeightDecay = 0.0
    dropout: Dropout = Field(0.0, description="Share of activations left out at random in each step.")
    evaluations: Evaluations = 2
    patience: Patience = 3
    seed: Seed = 0

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.loss in DISTILLING) != bool(self.teacher.strip()):
            raise ValueError("MSELoss and MarginMSELoss need a teacher, and the other losses have none")
        if not self.hard_negatives + self.random_negatives:
            raise ValueError("a reranker needs wrong passages: at least 1 hard or random negative")
        if any(depth < 1 for depth in self.other_depths):
            raise ValueError(f"depths must be 1 or more; got {list(self.other_depths)}")
        return self

    @property
    def mined_with(self) -> tuple[str, tuple[str, str], int]:
        """What the candidates for hard negatives depend on: model, prefixes ("" for the model's own), longest text."""
        return self.retriever, ("", ""), self.retriever_max_tokens
