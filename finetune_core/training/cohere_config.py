"""What a person may choose about a custom reranker at Cohere. It is the form, the command line and the validation."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.training.fields import ADVANCED, Margin, MaxTokens, Seed


class Negatives(StrEnum):
    """Which wrong passages go with each question, as in LlamaIndex's guide."""

    NONE = "none"
    RANDOM = "random"
    COSINE = "cosine"


class CohereConfig(BaseModel):
    """The settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = Field(
        "",
        max_length=130,
        title="Service",
        description="The provider of kind Cohere on Settings: Cohere itself, or a service that speaks its API.",
    )
    base_model: str = Field(
        BUNDLED_EMBEDDER,
        title="Retriever",
        description="The embedding model that finds the passages to rerank, and the hard negatives of kind cosine: the "
        'bundled one, a name on the Hugging Face hub, a folder, or "model:" and the id of a model tuned here.',
        min_length=1,
    )
    language: str = Field(
        "english",
        title="Vendor's base model",
        description="The reranker that the vendor tunes: english, multilingual, or another name your service knows.",
        min_length=1,
        max_length=100,
    )
    stock_model: str = Field(
        "rerank-v3.5",
        title="Stock reranker",
        description="The reranker of the same service that the custom one is compared with.",
        min_length=1,
        max_length=200,
    )
    hard_negatives: Negatives = Field(
        Negatives.COSINE,
        title="Hard negatives",
        description="Wrong passages sent along with each question: none, random ones, or the ones the retriever ranks "
        "highest.",
    )
    num_negatives: int = Field(
        5, ge=1, le=20, title="Hard negatives for a question", description="The vendor recommends about five."
    )
    cosine_margin: Margin = Field(
        0.05,
        description="For cosine: a passage counts as wrong only if the retriever scores it at least this share below the "
        "right one.",
    )
    depth: int = Field(
        50,
        ge=2,
        le=1000,
        title="Passages to rerank",
        description="How many of the retriever's passages are put into a new order for each question; up to a hundred cost "
        "the same.",
    )
    max_tokens: MaxTokens = Field(
        256, description="Longer texts are cut by the retriever; never above its own limit.", json_schema_extra=ADVANCED
    )
    validation_queries: int = Field(
        100,
        ge=0,
        le=10_000,
        title="Validation questions",
        description="How many validation questions are reranked when the custom model is ready; each is a paid search.",
        json_schema_extra=ADVANCED,
    )
    poll_s: float = Field(
        10.0,
        ge=0.01,
        le=600,
        title="Seconds between looks",
        description="How often the service is asked how far it is.",
        json_schema_extra=ADVANCED,
    )
    seed: Seed = Field(0, description="Decides the random negatives.")
