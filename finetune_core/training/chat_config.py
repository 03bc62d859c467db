"""What a person may choose about tuning a chat model, whatever the task. Recipes add their own settings to these."""

import json
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from finetune_core.providers.bundled import BUNDLED_CHAT
from finetune_core.training.fields import (
    ADVANCED,
    REFERENCE,
    Epochs,
    Evaluations,
    LearningRate,
    LearningRateSchedule,
    Patience,
    Schedule,
    Seed,
    Warmup,
    WeightDecay,
)


class Tuner(StrEnum):
    """Where the tuning happens."""

    LOCAL = "local"
    OPENAI = "openai"
    MODAL = "modal"


class TuningMethod(StrEnum):
    """What is learned from: right answers, or a better and a worse one."""

    SUPERVISED = "supervised"
    DPO = "dpo"


HERE = frozenset(
    {
        "learning_rate", "lora_rank", "lora_alpha", "lora_dropout", "max_tokens", "warmup", "schedule", "weight_decay",
        "four_bit", "gradient_checkpointing", "evaluations", "patience",
    }
)  # fmt: skip
"""Settings of Ayar's own training, here or at Modal; a service that tunes chooses its own."""
AT_SERVICE = frozenset({"service", "extra_fields", "poll_s"})
UNUSED = {Tuner.LOCAL: AT_SERVICE | {"gpu"}, Tuner.OPENAI: HERE | {"gpu"}, Tuner.MODAL: AT_SERVICE}


class ChatTuningConfig(BaseModel):
    """The settings of one run; a recipe's own class of settings is made from this one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_model: str = Field(
        BUNDLED_CHAT,
        title="Base model",
        description="The model to start from: the bundled one, a name on the Hugging Face hub, or a folder; where a service "
        "tunes, the service's name for the model.",
        min_length=1,
    )
    tuner: Tuner = Field(
        Tuner.LOCAL,
        title="Tuner",
        description="Where it is tuned: on this machine, by a service that speaks OpenAI's fine-tuning API, or on a GPU that "
        "Modal rents out.",
    )
    service: str = Field(
        "",
        title="Service",
        description="The service of the Settings page that tunes the model; only for the tuner openai.",
    )
    teacher: str = Field(
        "",
        title="Teacher",
        description="A stronger model to compare with, such as service:NAME for a service of the Settings page; empty for none.",
        max_length=200,
        json_schema_extra=REFERENCE,
    )
    method: TuningMethod = Field(
        TuningMethod.SUPERVISED,
        title="Method",
        description="Learn the right answers (supervised), or to prefer the better of two answers (dpo).",
        json_schema_extra=ADVANCED,
    )
    epochs: Epochs = Field(3, description="How often the model sees every training example.")
    batch_size: int = Field(
        16,
        ge=1,
        le=1024,
        title="Batch size",
        description="Examples learned from at once; does not change the memory needed.",
    )
    learning_rate: LearningRate = Field(
        2e-4, description="How far a step moves the adapter at its peak. A service that tunes chooses its own."
    )
    lora_rank: int = Field(
        16,
        ge=1,
        le=512,
        title="LoRA rank",
        description="Size of the adapter: how many directions it adds to each layer. More can learn more and overfits "
        "sooner. A service that tunes chooses its own.",
    )
    lora_alpha: int = Field(
        32,
        ge=1,
        le=2048,
        title="LoRA alpha",
        description="How strongly the adapter counts: its output is multiplied by alpha divided by rank.",
        json_schema_extra=ADVANCED,
    )
    lora_dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="LoRA dropout",
        description="Share of the adapter's inputs left out at random in each step; helps against overfitting on few examples.",
        json_schema_extra=ADVANCED,
    )
    max_tokens: int = Field(
        1024,
        ge=32,
        le=131072,
        title="Longest example (tokens)",
        description="Examples that are longer, with their answer, are left out of the training and counted; nothing is cut.",
    )
    warmup: Warmup = 0.1
    schedule: LearningRateSchedule = Schedule.COSINE
    weight_decay: WeightDecay = 0.0
    dpo_beta: float = Field(
        0.1,
        gt=0,
        le=10,
        title="DPO beta",
        description="How strongly the model is held near the base model while it learns preferences; only for the method dpo.",
        json_schema_extra=ADVANCED,
    )
    four_bit: bool = Field(
        False,
        title="4-bit weights",
        description="Hold the base model in 4 bits while tuning: a quarter of the memory. Needs a GPU and bitsandbytes.",
        json_schema_extra=ADVANCED,
    )
    gradient_checkpointing: bool = Field(
        False,
        title="Recompute activations",
        description="Compute parts of each step twice instead of keeping them: less memory, a third slower.",
        json_schema_extra=ADVANCED,
    )
    extra_fields: str = Field(
        "",
        title="Further fields",
        description="A JSON object that is sent along with the job as it is, for what one service takes beyond OpenAI's API; "
        "only for the tuner openai.",
        max_length=10_000,
        json_schema_extra=ADVANCED,
    )
    poll_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        title="Seconds between looks",
        description="How often the service is asked how far the job is; only for the tuner openai.",
        json_schema_extra=ADVANCED,
    )
    gpu: str = Field(
        "A10G",
        title="GPU",
        description="The GPU that Modal rents out for the run; only for the tuner modal.",
        min_length=1,
        max_length=40,
        json_schema_extra=ADVANCED,
    )
    evaluations: Evaluations = Field(
        6, description="How often the loss on validation examples is measured; it chooses the step that is kept."
    )
    patience: Patience = 3
    seed: Seed = 0

    @classmethod
    def unused(cls, tuner: str) -> frozenset[str]:
        """The settings that say nothing where that tuner works; a form need not ask for them."""
        return UNUSED[Tuner(tuner)]

    @model_validator(mode="after")
    def _service_is_named(self) -> Self:
        if self.tuner is Tuner.OPENAI and not self.service:
            raise ValueError("the tuner openai needs the name of a service")
        return self

    @field_validator("extra_fields")
    @classmethod
    def _is_an_object(cls, value: str) -> str:
        if value.strip():
            try:
                found = json.loads(value)
            except ValueError as error:
                raise ValueError(f"further fields are no JSON: {error}") from error
            if not isinstance(found, dict):
                raise ValueError('further fields are a JSON object, such as {"priority": "low"}')
        return value.strip()
