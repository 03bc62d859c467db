"""One question to two models side by side, answered by a process of its own that is started on demand."""

import functools
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from finetune_core.errors import CorpusError, FinetuneError
from finetune_core.evaluation.said import Said, answer_text, question_text
from finetune_core.jobs import serving_client
from finetune_core.jobs.serving_client import OnProgress, OnSaid, stop
from finetune_core.jobs.warm_models import BASE, BASE_OF, MAX_WARM, STOCK_OF, base_name, stock_name
from finetune_core.providers.database import ResultTable
from finetune_core.storage import database, datasets
from finetune_core.storage import models as model_rows
from finetune_core.storage.demonstrations import KINDS, content_of
from finetune_core.storage.models import ModelRow
from finetune_core.workspace import demonstration_fields, projects

__all__ = ["OnProgress", "OnSaid", "stop"]

MAX_QUESTION_CHARACTERS = 2000
MAX_K = 50
MAX_EXAMPLE_CHARACTERS = 110


@dataclass(frozen=True, slots=True)
class Contender:
    """A model that can answer; `base_id` is the contender it was tuned from, "" for a base and for a service's stock one.

    `kind` is the kind of demonstration that it answers, "" for one that searches passages or chooses among choices.
    """

    id: str
    name: str
    base_id: str = ""
    is_stock: bool = False
    kind: str = ""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage a model found. `rank` starts at 1; `score` orders passages within one model only; `title` may be "".

    `retrieved_rank` is where the retriever of a reranker had it, None for a model that does not rerank.
    """

    rank: int
    id: str
    score: float
    title: str
    text: str
    document: str
    retrieved_rank: int | None = None


@dataclass(frozen=True, slots=True)
class ScoredChoice:
    """A choice of a router with its score; what a score means, `Route.score_kind` says."""

    id: str
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Route:
    """What a router makes of a question: its choices, best first, and the id it decides for, "" for none of them.

    `threshold` is the score below which it says none, None if it never does; `score_kind` is "similarity" (-1 to 1),
    "logit" (any number) or "choice" (1 for the one named).
    """

    choices: tuple[ScoredChoice, ...]
    decision: str
    threshold: float | None
    score_kind: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model found; `seconds` is the time for the question alone, its model and passages being loaded.

    A router gives a `route` and no passages; `num_searched` counts its choices then. `route` is None for all others. A
    language model's answer is `said`, which is None for all others.
    """

    id: str
    name: str
    seconds: float
    num_searched: int
    passages: tuple[FoundPassage, ...]
    route: Route | None = None
    said: Said | None = None


@dataclass(frozen=True, slots=True)
class PlaygroundExample:
    """An example of a test part to ask: its fields as texts (see `demonstration_fields`), and what is right for it."""

    label: str
    texts: dict[str, str]
    expected: str


@dataclass(frozen=True, slots=True)
class PlaygroundStatus:
    """The process that answers: since when, with which models, idle for how long; it leaves after `leaves_after_s`."""

    pid: int
    started_at: float
    models: tuple[str, ...]
    num_answers: int
    idle_s: float
    leaves_after_s: float


def contenders(project_id: str) -> list[Contender]:
    """The models that can answer in this project: each tuned one, newest first, then the base models, then stock ones."""
    with database.reading() as connection:
        rows = model_rows.of_project(connection, project_id)
    tuned = [Contender(row.id, row.name, row.id + BASE_OF, kind=_kind(row)) for row in rows]
    bases = [Contender(row.id + BASE_OF, base_name(row.manifest), kind=_kind(row)) for row in rows]
    stock = [Contender(row.id + STOCK_OF, name, is_stock=True) for row in rows if (name := stock_name(row.manifest))]
    return [*tuned, *bases, *stock] or [Contender(BASE, projects.get(project_id).base_model)]


def answer(
    project_id: str, model_ids: Sequence[str], question: str, k: int = 5, on_progress: OnProgress | None = None
) -> list[Answer]:
    """What each contender finds for a question, in the order asked; starts the process if need be.

    Blocks: some seconds the first time, well under one later. `on_progress(fraction, message)` is called meanwhile. Raises
    CorpusError for a question or k out of bounds, ArtefactError for a damaged model, ProviderError if the process died.
    """
    question = question.strip()
    if not 1 <= len(question) <= MAX_QUESTION_CHARACTERS:
        raise CorpusError(
            f"A question has 1 to {MAX_QUESTION_CHARACTERS} characters; this one has {len(question)}.",
            hint="Type a question, or choose an example.",
        )
    if not 1 <= k <= MAX_K:
        raise CorpusError(f"{k} passages cannot be shown; 1 to {MAX_K} can.", hint="Choose another number.")
    if not 1 <= len(model_ids) <= MAX_WARM:
        raise CorpusError(
            f"{len(model_ids)} models were chosen; 1 to {MAX_WARM} can answer side by side.", hint="Choose fewer."
        )
    replies = serving_client.call(
        "answer",
        on_progress=on_progress,
        project_id=project_id,
        model_ids=list(model_ids),
        input={"question": question, "k": k},
    )
    return [_answer(reply) for reply in replies]


def ask(
    project_id: str,
    model_ids: Sequence[str],
    kind: str,
    texts: Mapping[str, str],
    on_progress: OnProgress | None = None,
    on_said: OnSaid | None = None,
) -> list[Answer]:
    """What each contender says to an example of that kind, whose fields are given as texts; else as `answer`.

    `on_said(id, text)` is called with all that a contender has said so far, as the model writes it: it may break off or be
    begun anew, and the answer may say it in another form. Raises DatasetError for a field that is missing or wrong.
    """
    example = demonstration_fields.wire(demonstration_fields.asked(kind, texts))
    replies = serving_client.call(
        "answer",
        on_progress=on_progress,
        on_said=on_said,
        project_id=project_id,
        model_ids=list(model_ids),
        input={"example": example},
    )
    return [_answer(reply) for reply in replies]


def prepare(project_id: str, model_ids: Sequence[str]) -> None:
    """Have models and passages loaded in the background, so that the first question is answered sooner. Never raises."""

    def ask() -> None:
        with suppress(FinetuneError):  # what is wrong is told to whoever asks a question
            serving_client.call("prepare", project_id=project_id, model_ids=list(model_ids))

    threading.Thread(target=ask, name="prepare-playground", daemon=True).start()


def moved(before: Answer, after: Answer) -> dict[str, int | None]:
    """How far each passage of `after` rose against `before` (negative: fell); None where `before` did not show it."""
    ranks = {passage.id: passage.rank for passage in before.passages}
    return {passage.id: ranks[passage.id] - passage.rank if passage.id in ranks else None for passage in after.passages}


def reordered(answer: Answer) -> dict[str, int]:
    """How far each passage rose against the order of the reranker's own retriever (negative: fell); {} without one."""
    return {
        passage.id: passage.retrieved_rank - passage.rank
        for passage in answer.passages
        if passage.retrieved_rank is not None
    }


def example_questions(project_id: str, limit: int = 6) -> list[str]:
    """Short questions of the test part of the newest version that is searched, spread evenly over it; [] without one."""
    with database.reading() as connection:
        every = datasets.of_project(connection, project_id)
    versions = [row for row in every if row.manifest.get("record") not in KINDS]
    with suppress(FinetuneError):  # a damaged dataset shows where it is used; here it only means no examples
        return list(_examples(project_id, versions[0].id, limit)) if versions else []
    return []


def examples(project_id: str, kind: str, limit: int = 6) -> list[PlaygroundExample]:
    """Examples of the newest version of that kind, spread evenly over its test part; [] without one."""
    with database.reading() as connection:
        versions = [row for row in datasets.of_project(connection, project_id) if row.manifest.get("record") == kind]
    with suppress(FinetuneError):  # as above
        return list(_demonstrations(project_id, versions[0].id, limit)) if versions else []
    return []


def status() -> PlaygroundStatus | None:
    """The process that answers, or None if there is none now."""
    address = serving_client.living()
    with suppress(FinetuneError):
        reply = serving_client.call("status", start=False)
        if address and reply:
            return PlaygroundStatus(pid=address.pid, **(reply | {"models": tuple(reply["models"])}))
    return None


@functools.lru_cache(maxsize=8)
def _examples(project_id: str, dataset_id: str, limit: int) -> tuple[str, ...]:
    examples = datasets.load_split(project_id, dataset_id).test.examples
    short = [example.query for example in examples if len(example.query) <= MAX_EXAMPLE_CHARACTERS]
    step = max(1, len(short) // limit)
    return tuple(dict.fromkeys(short[::step][:limit]))


@functools.lru_cache(maxsize=8)
def _demonstrations(project_id: str, dataset_id: str, limit: int) -> tuple[PlaygroundExample, ...]:
    known = datasets.load_split(project_id, dataset_id).test.examples
    return tuple(_shown(one) for one in known[:: max(1, len(known) // limit)][:limit])


def _shown(example: Any) -> PlaygroundExample:
    label = " ".join(question_text(example).split())
    short = label if len(label) <= MAX_EXAMPLE_CHARACTERS else f"{label[:MAX_EXAMPLE_CHARACTERS]}…"
    texts = demonstration_fields.texts(type(example).__name__, content_of(example))
    return PlaygroundExample(short, texts, answer_text(example))


def _kind(row: ModelRow) -> str:
    from finetune_core import recipes

    record = recipes.discover()[row.recipe].record.__name__ if row.recipe in recipes.discover() else ""
    return record if record in KINDS else ""


def _answer(reply: dict[str, Any]) -> Answer:
    passages = tuple(FoundPassage(rank, **passage) for rank, passage in enumerate(reply.pop("passages"), start=1))
    route = reply.pop("route")
    if route is not None:
        route = Route(tuple(ScoredChoice(**choice) for choice in route.pop("choices")), **route)
    said = reply.pop("said", None)
    if said is not None:
        table = said["table"] and _table(said["table"])
        said = Said(said["text"], said["note"], table)
    return Answer(**reply, passages=passages, route=route, said=said)


def _table(given: dict[str, Any]) -> ResultTable:
    rows = tuple(tuple(row) for row in given["rows"])
    return ResultTable(tuple(given["columns"]), rows, given["is_cut"], given["seconds"])
