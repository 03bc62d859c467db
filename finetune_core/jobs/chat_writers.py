"""The chat that writes examples, as a person chose it: a model service, or a GGUF file on this machine."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from finetune_core.errors import ProviderError
from finetune_core.providers import bundled
from finetune_core.providers.chat import Chat, Reply
from finetune_core.providers.prices import Prices
from finetune_core.records import ServiceKind, content_id
from finetune_core.storage import database, generations
from finetune_core.storage import providers as provider_rows
from finetune_core.storage.providers import Provider
from finetune_core.synthesis.templates import shipped_prompt

LOCAL_SLOTS = 4
LOCAL_CONTEXT_TOKENS = 2048


class WritingParams(BaseModel):
    """Who writes, in which language, and within which bounds; what is written, each kind of example adds."""

    generator: str
    provider: str = Field("", description="Name of the provider, for the generator `endpoint`.")
    gguf_path: str = Field("", description="A GGUF file, for the generator `gguf`; empty for the bundled one.")
    language: str = Field("English", min_length=2, max_length=60)
    num_parallel: int = Field(4, ge=1, le=64)
    temperature: float = Field(0.7, ge=0, le=2)
    timeout_s: float = Field(60, gt=0, le=600)
    max_attempts: int = Field(5, ge=1, le=10)
    max_tokens: int | None = Field(None, ge=1, description="Hard cap on tokens, input and output together.")
    max_cost_usd: float | None = Field(None, gt=0, description="Hard cap on money.")
    prompt_version: int = Field(0, ge=0, description="0 for the shipped prompt, else the project's edition.")
    seed: int = 0


def is_heavy(params: WritingParams) -> bool:
    """Whether the job that writes needs the machine to itself: only with a local model."""
    return params.generator == "gguf"


class _NoChat:
    """Stands in for a chat where only the key and the size of calls are asked for."""

    name = fingerprint = ""

    def __init__(self, num_parallel: int) -> None:
        self.num_parallel = num_parallel

    def complete(self, *_: Any, **__: Any) -> Reply:
        raise AssertionError("a sketched writer was asked to write")

    def close(self) -> None:
        """Nothing is held."""


def sketched_chat(params: WritingParams) -> Chat:
    """As many calls at once as the chosen chat takes, but unable to answer: for estimates, without loading anything."""
    return _NoChat(LOCAL_SLOTS if params.generator == "gguf" else params.num_parallel)


def opened_chat(params: WritingParams, context_tokens: int = LOCAL_CONTEXT_TOKENS) -> Chat:
    """The chosen chat, ready: the key is read and the model file checked and loaded now. Raises ProviderError.

    `context_tokens` are what a local model may read and write in one call.
    """
    if params.generator == "gguf":
        from finetune_core.providers.gguf_chat import LocalGgufChat

        return LocalGgufChat(gguf_path(params), num_parallel=LOCAL_SLOTS, context_tokens=context_tokens)
    from finetune_core.providers.openai_chat import open_chat

    provider = _provider(params)
    return open_chat(
        provider.base_url,
        provider.model,
        provider.key_variable,
        num_parallel=params.num_parallel,
        timeout_s=params.timeout_s,
        max_attempts=params.max_attempts,
    )


def identity(params: WritingParams) -> str:
    """What a writer's key stands on: base URL and model name, or the file's name and size. Raises ProviderError."""
    if params.generator == "gguf":
        path = gguf_path(params)
        return content_id(path.name, str(path.stat().st_size))
    provider = _provider(params)
    return content_id(provider.base_url, provider.model)


def prompt_text(project_id: str, name: str, version: int) -> str:
    """The project's edition `version` of a prompt, the shipped text for 0. Raises ProviderError for an edition it has not."""
    if not version:
        return shipped_prompt(name)[1]
    with database.reading() as connection:
        own = generations.own_prompt(connection, project_id, name, version)
    if own is None:
        raise ProviderError(
            f"This project has no version {version} of the prompt {name!r}.",
            hint="Open the prompt editor on the Generate page and save one.",
        )
    return own[1]


def prices(params: WritingParams) -> Prices:
    """What the chosen generator's tokens cost; nothing on this machine. Raises ProviderError for an unknown provider."""
    return _provider(params).prices if params.generator == "endpoint" else Prices(0.0, 0.0)


def check_cap(params: WritingParams) -> None:
    """Raise ProviderError if a cap on money cannot be kept, because the prices are not known."""
    if params.max_cost_usd is not None and not prices(params).are_known:
        raise ProviderError(
            f"A cap of {params.max_cost_usd} dollars cannot be kept: the prices of {params.provider} are not known.",
            hint="Enter them on the Settings page, or set a cap in tokens.",
        )


def gguf_path(params: WritingParams) -> Path:
    """The model file: the named one, or the bundled one after checking its hash. Raises ProviderError if it is not there."""
    if not params.gguf_path:
        return bundled.locate(bundled.BUNDLED_CHAT)
    path = Path(params.gguf_path).expanduser()
    if not path.is_file():
        raise ProviderError(f"There is no model file {path}.", hint="Give the path of a GGUF file.")
    return path


def _provider(params: WritingParams) -> Provider:
    with database.reading() as connection:
        found = provider_rows.get(connection, params.provider)
    if found.kind is not ServiceKind.OPENAI:
        raise ProviderError(
            f"{found.name} reranks or embeds and writes nothing.", hint="Choose an OpenAI-compatible provider."
        )
    return found
