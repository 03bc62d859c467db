"""A teacher that answers the project's questions over its corpus: from what a person chose to what is asked and by whom."""

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy import Connection

from finetune_core.jobs.chat_writers import WritingParams, identity, opened_chat, prompt_text, sketched_chat
from finetune_core.jobs.run import JobRun
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.providers.chat import Chat as ChatModel
from finetune_core.providers.chat import Message
from finetune_core.records import Corpus, SplitName, content_id
from finetune_core.storage import database
from finetune_core.storage.examples import Gathered, gather
from finetune_core.synthesis.rag_answers import Exchange, Pipeline, QuestionSubject, RagAnswers
from finetune_core.synthesis.sampling import spread_sample
from finetune_core.synthesis.templates import render
from finetune_core.training.fields import REFERENCE

PROMPT = "rag_answers"
LOCAL_CONTEXT_TOKENS = 4096
SERVICE_CONTEXT_TOKENS = 128_000


class AnswerTask(BaseModel):
    """Which questions are answered, over how many passages, and how they are found."""

    record: Literal["Chat"] = "Chat"
    embedder: str = Field(
        BUNDLED_EMBEDDER,
        min_length=1,
        max_length=500,
        title="Embedding model",
        description="The model that finds the passages. Use the one of your application, or a tuned one.",
        json_schema_extra=REFERENCE,
    )
    top_k: int = Field(4, ge=1, le=50, description="Passages in the prompt.")
    num_questions: int = Field(0, ge=0, description="How many questions, spread over documents; 0 for all.")
    include_pending: bool = Field(False, description="Also questions that nobody has reviewed yet.")
    num_answers: int = Field(1, ge=1, le=8, description="Answers to each question; several can be compared later.")
    answer_tokens: int = Field(512, ge=16, le=8192, description="Longest answer.")


def subjects(connection: Connection, project_id: str, task: AnswerTask, seed: int) -> list[QuestionSubject]:
    """The questions, spread evenly over documents, each once; [] where there is none."""
    gathered = gather(connection, project_id, include_pending=task.include_pending)
    found = {
        one.id: one
        for part, examples in gathered.examples.items()
        for example in examples
        for one in [
            QuestionSubject(
                content_id("rag question", example.query, example.group),
                example.query,
                example.group,
                example.answer or example.evidence,
                part.value,
                part.value if part in gathered.imported else "",
            )
        ]
    }
    return spread_sample(list(found.values()), task.num_questions, seed)


def open_writer(run: JobRun, params: WritingParams, task: AnswerTask) -> RagAnswers:
    """The teacher, ready: the corpus is encoded now, or found in the cache of vectors. Raises ProviderError."""
    from finetune_core.plugins.llama_index_llm import Asking
    from finetune_core.plugins.llama_index_rag import RagPipeline, llama_index_retriever
    from finetune_core.recipes._embedders import open_embedder

    chat = opened_chat(params, LOCAL_CONTEXT_TOKENS)
    embedder = open_embedder(task.embedder, run)
    fill = _fill(run.project_id, params)
    context_tokens = LOCAL_CONTEXT_TOKENS if params.generator == "gguf" else SERVICE_CONTEXT_TOKENS
    asking = Asking(task.answer_tokens, context_tokens, params.seed, params.temperature)

    def pipeline(corpus: Corpus) -> Pipeline:
        run.progress(0.0, f"Searching {len(corpus):,} passages")
        retriever = llama_index_retriever(corpus.passages, embedder, task.top_k, run.checkpoint)
        return RagPipeline(chat, retriever, fill, asking)

    return _writer(chat, run.project_id, params, task, pipeline)


def sketched_writer(project_id: str, params: WritingParams, task: AnswerTask) -> RagAnswers:
    """The same with the same key, but unable to answer: its prompts hold passages of usual length."""
    fill = _fill(project_id, params)
    return _writer(sketched_chat(params), project_id, params, task, lambda corpus: _Sketch(corpus, task.top_k, fill))


class _Sketch:
    """Stands in for a pipeline where only the size of its prompts is asked for."""

    def __init__(self, corpus: Corpus, top_k: int, fill: Callable[[str, str], str]) -> None:
        usual_chars = sum(len(passage.full_text) for passage in corpus) // max(1, len(corpus))
        self._context, self._fill = "x" * (usual_chars * min(top_k, len(corpus))), fill

    def messages(self, question: str) -> list[Message]:
        return [
            {"role": "system", "content": self._fill(self._context, question)},
            {"role": "user", "content": question},
        ]

    def ask(self, *_: object) -> Exchange:
        raise AssertionError("a sketched writer was asked to answer")


def _fill(project_id: str, params: WritingParams) -> Callable[[str, str], str]:
    prompt = prompt_text(project_id, PROMPT, params.prompt_version)
    return lambda passages, question: render(prompt, {"passages": passages, "question": question})


def _writer(
    chat: ChatModel, project_id: str, params: WritingParams, task: AnswerTask, pipeline: Callable[[Corpus], Pipeline]
) -> RagAnswers:
    with database.reading() as connection:
        gathered = gather(connection, project_id, include_pending=task.include_pending)
    prompt = prompt_text(project_id, PROMPT, params.prompt_version)
    key = content_id(identity(params), prompt, task.embedder, str(task.top_k))
    return RagAnswers(chat, _pipelines(gathered, pipeline), key, answer_tokens=task.answer_tokens, seed=params.seed)


def _pipelines(gathered: Gathered, pipeline: Callable[[Corpus], Pipeline]) -> dict[str, Pipeline]:
    """One for each corpus, by the parts that are searched in it."""
    asked = [part for part in SplitName if gathered.examples[part]]
    made: dict[int, Pipeline] = {}
    for part in asked:
        corpus = gathered.corpora[part]
        if id(corpus) not in made:
            made[id(corpus)] = pipeline(corpus)
    return {part.value: made[id(gathered.corpora[part])] for part in asked}
