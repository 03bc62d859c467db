"""From the queries a person wants for each choice to the calls that are still to be made."""

from itertools import zip_longest
from typing import Literal

from pydantic import Field
from sqlalchemy import Connection

from finetune_core.errors import DatasetError
from finetune_core.jobs.chat_writers import WritingParams, identity, opened_chat, prompt_text, sketched_chat
from finetune_core.jobs.writing import Call, Plan, missing_calls
from finetune_core.providers.chat import Chat
from finetune_core.records import OUT_OF_SCOPE, Passage, content_id
from finetune_core.storage import documents, generations, labelled
from finetune_core.storage.labelled import Choice
from finetune_core.synthesis.choice_queries import MAX_OTHERS, LocalQueries, ServiceQueries, Topic
from finetune_core.synthesis.questions import MIN_CHARS
from finetune_core.synthesis.sampling import spread_sample

QueryGeneratorKind = Literal["endpoint", "gguf"]
QueryFilterName = Literal["form", "duplicate"]
QueryWriter = ServiceQueries | LocalQueries
PROMPT_OF = {"endpoint": "choice_queries", "gguf": "local_choice_queries"}
MAX_EXCERPTS = 100


class QueryGenerationParams(WritingParams):
    """What to write: by which generator, how many queries for which choices, within which bounds."""

    generator: QueryGeneratorKind
    queries_per_choice: int = Field(
        10, ge=0, le=200, description="Queries for each choice, other wordings not counted."
    )
    num_wordings: int = Field(1, ge=1, le=5, description="Wordings of each query, itself included.")
    num_out_of_scope: int = Field(0, ge=0, le=500, description="Queries that none of the choices is for.")
    choices: list[str] = Field(default_factory=list, description="Labels of the choices to write for; all if empty.")
    filters: list[QueryFilterName] = Field(default=["form", "duplicate"])


def open_writer(project_id: str, params: QueryGenerationParams) -> QueryWriter:
    """The generator, ready to write: the key is read and the model file checked and loaded now. Raises ProviderError."""
    return _writer(opened_chat(params), project_id, params)


def sketched_writer(project_id: str, params: QueryGenerationParams) -> QueryWriter:
    """The same generator with the same key, but unable to write: for estimates, without loading or calling anything."""
    return _writer(sketched_chat(params), project_id, params)


def _writer(chat: Chat, project_id: str, params: QueryGenerationParams) -> QueryWriter:
    prompt = prompt_text(project_id, PROMPT_OF[params.generator], params.prompt_version)
    writer = LocalQueries if params.generator == "gguf" else ServiceQueries
    return writer(
        chat, identity(params), prompt, params.language,
        num_wordings=params.num_wordings, seed=params.seed, temperature=params.temperature,
    )  # fmt: skip


def plan(connection: Connection, project_id: str, params: QueryGenerationParams, writer: QueryWriter) -> Plan[Topic]:
    """The calls that are missing; topics take turns, so that a later call of one sees what its earlier ones wrote.

    Raises DatasetError without a choice, and for a label that no choice has.
    """
    asked = generations.numbers_asked(connection, project_id, writer.key)
    by_topic: list[list[Call[Topic]]] = []
    num_wanted, found = 0, topics(connection, project_id, params)
    for topic in found:
        num = params.num_out_of_scope if topic.is_out_of_scope else params.queries_per_choice
        by_topic.append(missing_calls(topic, num, asked.get(topic.id, ()), writer.num_per_call))
        num_wanted += num
    calls = tuple(call for turn in zip_longest(*by_topic) for call in turn if call is not None)
    num_choices = sum(not topic.is_out_of_scope for topic in found)
    return Plan(calls, num_choices, num_wanted, num_wanted - sum(len(call.numbers) for call in calls))


def topics(connection: Connection, project_id: str, params: QueryGenerationParams) -> list[Topic]:
    """What queries are to be written for: the chosen choices in their order, then out of scope if that is wanted."""
    known = labelled.choices(connection, project_id)
    if not known:
        raise DatasetError(
            "There is no choice to write queries for.", hint="Add choices on the Review page, or import them."
        )
    wanted = set(params.choices)
    if unknown := wanted - {one.id for one in known}:
        raise DatasetError(f"There is no choice {min(unknown)!r}.", hint="Add it first, or choose another one.")
    passages = _passages(connection, project_id, known)
    found = [_topic(one, known, passages) for one in known if not wanted or one.id in wanted]
    if params.num_out_of_scope:
        described = tuple(f"{one.name}: {one.description}" if one.description else one.name for one in known)
        name, key = "none of the choices", content_id("out of scope", *described)
        found.append(Topic(key, OUT_OF_SCOPE, name, "", described))
    return found


def _topic(one: Choice, known: list[Choice], passages: dict[str, list[Passage]]) -> Topic:
    others = tuple(other.name for other in known if other.id != one.id)[:MAX_OTHERS]
    own = [passage for document in one.documents for passage in passages.get(document, ())]
    excerpts = tuple(passage.full_text for passage in spread_sample(own, MAX_EXCERPTS))
    key = content_id("choice", one.id, one.name, one.description, *one.documents)
    return Topic(key, one.id, one.name, one.description, others, excerpts)


def _passages(connection: Connection, project_id: str, known: list[Choice]) -> dict[str, list[Passage]]:
    """Document id to its passages that can be asked about, for the documents that choices name."""
    wanted = {document for one in known for document in one.documents}
    if not wanted:
        return {}
    wanted -= documents.held_out_documents(connection, project_id)
    found: dict[str, list[Passage]] = {document: [] for document in wanted}
    for chunk in documents.included_chunks(connection, project_id):
        if chunk.document_id in wanted and len(chunk.text) >= MIN_CHARS:
            found[chunk.document_id].append(chunk.passage)
    return found
