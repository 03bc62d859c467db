"""From what a person chose on the Generate page to the calls that are still to be made."""

from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from finetune_core.errors import CorpusError
from finetune_core.jobs.chat_writers import WritingParams, identity, opened_chat, prompt_text, sketched_chat
from finetune_core.jobs.writing import Plan, planned
from finetune_core.providers.chat import Chat
from finetune_core.records import Passage
from finetune_core.storage import documents
from finetune_core.synthesis.chat_questions import LocalQuestions, ServiceQuestions
from finetune_core.synthesis.extractive_questions import ExtractiveQuestions
from finetune_core.synthesis.questions import MIN_CHARS, QuestionWriter
from finetune_core.synthesis.sampling import spread_sample

GeneratorKind = Literal["endpoint", "gguf", "extractive"]
PROMPT_OF = {"endpoint": "questions", "gguf": "local_questions"}


class GenerationParams(WritingParams):
    """What to write: by which generator, over how many chunks, within which bounds."""

    generator: GeneratorKind
    questions_per_chunk: int = Field(1, ge=1, le=20)
    num_chunks: int = Field(0, ge=0, description="How many chunks to ask about; 0 for all.")
    filters: list[str] = Field(default_factory=lambda: ["form", "evidence", "too_close", "duplicate"])


def open_writer(project_id: str, params: GenerationParams) -> QuestionWriter:
    """The generator, ready to write: the key is read and the model file checked and loaded now. Raises ProviderError."""
    if params.generator == "extractive":
        return ExtractiveQuestions(params.language)
    return _chat_writer(opened_chat(params), project_id, params)


def sketched_writer(project_id: str, params: GenerationParams) -> QuestionWriter:
    """The same generator with the same key, but unable to write: for estimates, without loading or calling anything."""
    if params.generator == "extractive":
        return ExtractiveQuestions(params.language)
    return _chat_writer(sketched_chat(params), project_id, params)


def _chat_writer(chat: Chat, project_id: str, params: GenerationParams) -> QuestionWriter:
    prompt = prompt_text(project_id, PROMPT_OF[params.generator], params.prompt_version)
    if params.generator == "gguf":
        return LocalQuestions(chat, identity(params), prompt, params.language, seed=params.seed)
    return ServiceQuestions(
        chat, identity(params), prompt, params.language, seed=params.seed, temperature=params.temperature
    )


def plan(connection: Connection, project_id: str, params: GenerationParams, writer: QuestionWriter) -> Plan[Passage]:
    """The calls that are missing, in the order of the sample. Raises CorpusError if there is no chunk to ask about."""
    passages = sampled_passages(connection, project_id, params)
    return planned(connection, project_id, passages, params.questions_per_chunk, writer)


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
