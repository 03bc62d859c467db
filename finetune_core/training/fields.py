"""Settings that several recipes have in common: one type for each, with its title, description and bounds.

A recipe's config gives the default: `patience: Patience = 3`. Where a setting means something more there, it is
described anew: `dropout: Dropout = Field(0.0, description="…")`.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

ADVANCED: dict[str, Any] = {"advanced": True}
"""Marks a setting that the form keeps behind "Advanced settings"."""
REFERENCE: dict[str, Any] = {"reference": True}
"""Marks a setting that may name a model of the project."""


class Schedule(StrEnum):
    """How the learning rate goes on after the warm-up."""

    LINEAR = "linear"
    COSINE = "cosine"
    CONSTANT = "constant_with_warmup"


Epochs = Annotated[
    int, Field(ge=1, le=1000, title="Epochs", description="How often the model sees every training question.")
]
LearningRate = Annotated[
    float, Field(gt=0, le=1, title="Learning rate", description="How far a step moves the model at its peak.")
]
LearningRateSchedule = Annotated[
    Schedule,
    Field(
        title="Schedule",
        description="How the learning rate goes on after the warm-up.",
        json_schema_extra=ADVANCED,
    ),
]
Warmup = Annotated[
    float,
    Field(
        ge=0,
        le=0.9,
        title="Warm-up",
        description="Share of the steps over which the learning rate rises from zero.",
        json_schema_extra=ADVANCED,
    ),
]
WeightDecay = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        title="Weight decay",
        description="Pulls weights towards zero; 0 switches it off.",
        json_schema_extra=ADVANCED,
    ),
]
Dropout = Annotated[
    float,
    Field(
        ge=0,
        lt=1,
        title="Dropout",
        description="Share of activations left out at random in each step. 0 makes a step a third faster on a CPU.",
        json_schema_extra=ADVANCED,
    ),
]
Scale = Annotated[
    float,
    Field(
        ge=1,
        le=200,
        title="Scale",
        description="Sharpness of the ranking: cosine similarities are multiplied by it.",
        json_schema_extra=ADVANCED,
    ),
]
Margin = Annotated[
    float,
    Field(
        ge=0,
        le=0.9,
        title="Margin of hard negatives",
        description="A passage counts as wrong only if the retriever scores it at least this share below the right one.",
    ),
]
MaxTokens = Annotated[
    int,
    Field(
        ge=16,
        le=32768,
        title="Longest text (tokens)",
        description="Longer texts are cut, in training and in use, for base and tuned alike; never above the model's own limit.",
    ),
]
Evaluations = Annotated[
    int,
    Field(
        ge=1,
        le=500,
        title="Validations",
        description="How often the model is measured on validation questions.",
        json_schema_extra=ADVANCED,
    ),
]
Patience = Annotated[
    int,
    Field(
        ge=0,
        le=500,
        title="Patience",
        description="Stop early after this many validations in a row without a new best; 0 never stops early.",
        json_schema_extra=ADVANCED,
    ),
]
Seed = Annotated[
    int,
    Field(
        ge=0,
        le=2**31 - 1,
        title="Seed",
        description="The same seed gives the same run on the same machine.",
        json_schema_extra=ADVANCED,
    ),
]
