"""What a person may choose about tuning an adapter. It is the form, the command line and the validation."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.training.fields import (
    ADVANCED,
    REFERENCE,
    Evaluations,
    MaxTokens,
    Patience,
    Scale,
    Seed,
    Warmup,
    WeightDecay,
)


class Kind(StrEnum):
    """How vectors are moved."""

    LINEAR = "linear"
    TWO_LAYER = "two_layer"
    LOW_RANK = "low_rank"
    NUDGE = "nudge"
    CUSTOM = "custom"


class Side(StrEnum):
    """Whose vectors are moved."""

    QUERY = "query"
    DOCUMENT = "document"
    BOTH = "both"

    @property
    def parts(self) -> tuple[str, ...]:
        """The sides one by one."""
        return ("query", "document") if self is Side.BOTH else (self.value,)


class NudgeNorm(StrEnum):
    """Whether a passage that was moved keeps its length."""

    NUDGE_N = "NUDGE-N"
    NUDGE_M = "NUDGE-M"


class AdapterConfig(BaseModel):
    """The settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: str = Field(
        BUNDLED_EMBEDDER,
        title="Base model",
        description="Whose vectors are moved; it stays as it is. The bundled model, a name on the Hugging Face hub, a folder, "
        "another tuned model, or an embedding service.",
        min_length=1,
        json_schema_extra=REFERENCE,
    )
    kind: Kind = Field(
        Kind.LINEAR,
        title="Adapter",
        description="Linear, two layers or low rank: a small layer for all vectors. Nudge: moves the vectors of the passages "
        "themselves towards their training questions. That fits a fixed corpus only: passages that no training question is "
        "about, and those added or changed later, are not moved, so on documents without training questions it cannot help.",
    )
    side: Side = Field(
        Side.QUERY,
        title="Side",
        description="Whose vectors are moved. With questions only, an index that exists stays as it is. Nudge always moves "
        "passages.",
    )
    custom: str = Field(
        "",
        max_length=100,
        title="Adapter of your own",
        description="For the adapter “custom”: its name in a module that AYAR_PLUGINS lists.",
        json_schema_extra=ADVANCED,
    )
    rank: int = Field(
        32, ge=1, le=4096, title="Rank", description="Of the low-rank adapter.", json_schema_extra=ADVANCED
    )
    hidden_size: int = Field(
        512, ge=1, le=16384, title="Hidden size", description="Of the two-layer adapter.", json_schema_extra=ADVANCED
    )
    nudge_norm: NudgeNorm = Field(
        NudgeNorm.NUDGE_N,
        title="Length of moved passages",
        description="NUDGE-N keeps them at length 1. NUDGE-M does not: search by dot product, never by cosine.",
        json_schema_extra=ADVANCED,
    )
    epochs: int = Field(
        60, ge=1, le=2000, title="Epochs", description="How often the adapter sees every training question, at most."
    )
    batch_size: int = Field(
        256,
        ge=2,
        le=65536,
        title="Batch size",
        description="Questions learned from at once, each against every passage that answers a training question.",
    )
    learning_rates: tuple[float, ...] = Field(
        (3e-4, 1e-3, 3e-3, 1e-2),
        min_length=1,
        max_length=12,
        title="Learning rates",
        description="Each is tried for a quarter of the steps; the best on validation is used. One alone is used untried.",
    )
    warmup: Warmup = Field(
        0.1,
        description="Share of the steps over which the learning rate rises from zero; then it falls to zero like a cosine.",
    )
    weight_decay: WeightDecay = Field(0.01, description="Pulls the adapter towards doing nothing; 0 switches it off.")
    scale: Scale = 20.0
    max_tokens: MaxTokens = Field(
        256,
        description="Longer texts are cut, for base and tuned alike; never above the model's own limit. A tuned model keeps "
        "its limit, a service its own.",
        json_schema_extra=ADVANCED,
    )
    evaluations: Evaluations = Field(30, description="How often the adapter is measured on validation questions.")
    patience: Patience = 8
    seed: Seed = 0

    @property
    def caution(self) -> str:
        """What a person should know before a run with these settings; "" where there is nothing."""
        if self.kind is not Kind.NUDGE:
            return ""
        return (
            "Nudge fits a fixed corpus only. It moves the passages that training questions are about; passages without one, "
            "and those added or changed later, stay where they are and can lose to those that moved."
        )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if any(not 0 < rate <= 1 for rate in self.learning_rates):
            raise ValueError(f"learning rates must be above 0 and at most 1; got {list(self.learning_rates)}")
        if self.kind is Kind.CUSTOM and not self.custom:
            raise ValueError("name the adapter of your own under “Adapter of your own”")
        return self
