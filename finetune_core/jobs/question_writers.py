"""From what a person chose on the Generate page to the calls that are still to be made."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from finetune_core.errors import CorpusError, ProviderError
from finetune_core.providers import bundled
from finetune_core.providers.chat import Reply
from finetune_core.providers.prices import Prices
from finetune_core.records import Passage, ServiceKind, content_id
from finetune_core.storage import database, documents, generations
from finetune_core.storage import providers as provider_rows
from finetune_core.storage.providers import Provider
from finetune_core.synthesis.chat_questions import LocalQuestions, ServiceQuestions
from finetune_core.synthesis.extractive_questions import ExtractiveQuestions
from finetune_core.synthesis.questions import MIN_CHARS, QuestionWriter
from finetune_core.synthesis.sampling import spread_sample
from finetune_core.synthesis.templates import shipped_prompt

GeneratorKind = Literal["endpoint", "gguf", "extractive"]
PROMPT_OF = {"endpoint": "questions", "gguf": "local_questions"}
LOCAL_SLOTS = 4


class GenerationParams(BaseModel):
    """What to write: by which generator, over how many chunks, within which bounds."""

    generator: GeneratorKind
    provider: str = Field("", description="Name of the provider, for the generator `endpoint`.")
    gguf_path: str = Field("", description="A GGUF file, for the generator `gguf`; empty for the bundled one.")
    language: str = Field("English", min_length=2, max_length=60)
    questions_per_chunk: int = Field(1, ge=1, le=20)
    num_chunks: int = Field(0, ge=0, description="How many chunks to ask about; 0 for all.")
    num_parallel: int = Field(4, ge=1, le=64)
    temperature: float = Field(0.7, ge=0, le=2)
    timeout_s: float = Field(60, gt=0, le=600)
    max_attempts: int = Field(5, ge=1, le=10)
    max_tokens: int | None = Field(None, ge=1, description="Hard cap on tokens, input and output together.")
    max_cost_usd: float | None = Field(None, gt=0, description="Hard cap on money.")
    prompt_version: int = Field(0, ge=0, description="0 for the shipped prompt, else the project's edition.")
    filters: list[str] = Field(default_factory=lambda: ["form", "evidence", "too_close", "duplicate"])
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """Questions of one chunk that one call is to write."""

    passage: Passage
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is still to do; `num_done` of `num_questions` were answered before and are not asked again."""

    calls: tuple[Call, ...]
    num_chunks: int
    num_questions: int
    num_done: int


def open_writer(project_id: str, params: GenerationParams) -> QuestionWriter:
    """The generator, ready to write: the key is read and the model file checked and loaded now. Raises ProviderError."""
    if params.generator == "extractive":
        return ExtractiveQuestions(params.language)
    prompt = prompt_text(project_id, params)
    if params.generator == "gguf":
        from finetune_core.providers.gguf_chat import LocalGgufChat

        path = gguf_path(params)
        local = LocalGgufChat(path, num_parallel=LOCAL_SLOTS)
        return LocalQuestions(local, _gguf_identity(path), prompt, params.language, seed=params.seed)
    from finetune_core.providers.openai_chat import open_chat

    provider = _provider(params)
    chat = open_chat(
        provider.base_url,
        provider.model,
        provider.key_variable,
        num_parallel=params.num_parallel,
        timeout_s=params.timeout_s,
        max_attempts=params.max_attempts,
    )
    return ServiceQuestions(
        chat, _identity(provider), prompt, params.language, seed=params.seed, temperature=params.temperature
    )


class _NoChat:
    """Stands in for a chat where only the key and the size of calls are asked for."""

    name = ""

    def __init__(self, num_parallel: int) -> None:
        self.num_parallel = num_parallel

    def complete(self, *_: Any, **__: Any) -> Reply:
        raise AssertionError("a sketched writer was asked to write")

    def close(self) -> None:
        """Nothing is held."""


def sketched_writer(project_id: str, params: GenerationParams) -> QuestionWriter:
    """The same generator with the same key, but unable to write: for estimates, without loading or calling anything."""
    if params.generator == "extractive":
        return ExtractiveQuestions(params.language)
    prompt = prompt_text(project_id, params)
    if params.generator == "gguf":
        return LocalQuestions(_NoChat(LOCAL_SLOTS), _gguf_identity(gguf_path(params)), prompt, params.language)
    chat = _NoChat(params.num_parallel)
    return ServiceQuestions(chat, _identity(_provider(params)), prompt, params.language)


def plan(connection: Connection, project_id: str, params: GenerationParams, writer: QuestionWriter) -> Plan:
    """The calls that are missing, in the order of the sample. Raises CorpusError if there is no chunk to ask about."""
    passages = sampled_passages(connection, project_id, params)
    asked = generations.numbers_asked(connection, project_id, writer.key)
    calls = []
    num_done = 0
    for passage in passages:
        missing = [number for number in range(params.questions_per_chunk) if number not in asked.get(passage.id, ())]
        num_done += params.questions_per_chunk - len(missing)
        calls += [
            Call(passage, tuple(missing[start : start + writer.num_per_call]))
            for start in range(0, len(missing), writer.num_per_call)
        ]
    return Plan(tuple(calls), len(passages), len(passages) * params.questions_per_chunk, num_done)


def sampled_passages(connection: Connection, project_id: str, params: GenerationParams) -> list[Passage]:
    """The chunks to ask about, spread evenly over documents.

    Included, long enough, in no held-out document, and no near-duplicate: the answer to a question about one of two
    passages that say the same would stand in both.
    """
    held_out = documents.held_out_documents(connection, project_id)
    eligible = [
        chunk.passage
        for chunk in documents.included_chunks(connection, project_id)
        if chunk.document_id not in held_out and not chunk.near_duplicate_of and len(chunk.text) >= MIN_CHARS
    ]
    if not eligible:
        raise CorpusError(
            f"There is no chunk to ask about: none is included and at least {MIN_CHARS} characters long.",
            hint="Add documents on the Corpus page first.",
        )
    return spread_sample(eligible, params.num_chunks, params.seed)


def prompt_text(project_id: str, params: GenerationParams) -> str:
    """The prompt of the chosen version. Raises ProviderError if the project does not have that one."""
    name = PROMPT_OF[params.generator]
    if not params.prompt_version:
        return shipped_prompt(name)[1]
    with database.reading() as connection:
        own = generations.own_prompt(connection, project_id, name, params.prompt_version)
    if own is None:
        raise ProviderError(
            f"This project has no version {params.prompt_version} of the prompt {name!r}.",
            hint="Open the prompt editor on the Generate page and save one.",
        )
    return own[1]


def prices(params: GenerationParams) -> Prices:
    """What the chosen generator's tokens cost; nothing on this machine. Raises ProviderError for an unknown provider."""
    return _provider(params).prices if params.generator == "endpoint" else Prices(0.0, 0.0)


def gguf_path(params: GenerationParams) -> Path:
    """The model file: the named one, or the bundled one after checking its hash. Raises ProviderError if it is not there."""
    if not params.gguf_path:
        return bundled.locate(bundled.BUNDLED_CHAT)
    path = Path(params.gguf_path).expanduser()
    if not path.is_file():
        raise ProviderError(f"There is no model file {path}.", hint="Give the path of a GGUF file.")
    return path


def _provider(params: GenerationParams) -> Provider:
    with database.reading() as connection:
        found = provider_rows.get(connection, params.provider)
    if found.kind is not ServiceKind.OPENAI:
        raise ProviderError(
            f"{found.name} reranks or embeds and writes no questions.", hint="Choose an OpenAI-compatible provider."
        )
    return found


def _identity(provider: Provider) -> str:
    return content_id(provider.base_url, provider.model)


def _gguf_identity(path: Path) -> str:
    return content_id(path.name, str(path.stat().st_size))
