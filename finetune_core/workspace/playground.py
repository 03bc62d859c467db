"""One question to two models side by side, answered by a process of its own that is started on demand."""

import functools
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from finetune_core.errors import CorpusError, FinetuneError
from finetune_core.jobs import serving_client
from finetune_core.jobs.serving_client import OnProgress, stop
from finetune_core.jobs.warm_models import BASE, BASE_OF, MAX_WARM, STOCK_OF, base_name, stock_name
from finetune_core.storage import database, datasets
from finetune_core.storage import models as model_rows
from finetune_core.workspace import projects

__all__ = ["OnProgress", "stop"]

MAX_QUESTION_CHARACTERS = 2000
MAX_K = 50
MAX_EXAMPLE_CHARACTERS = 110


@dataclass(frozen=True, slots=True)
class Contender:
    """A model that can answer; `base_id` is the contender it was tuned from, "" for a base and for a service's stock one."""

    id: str
    name: str
    base_id: str = ""
    is_stock: bool = False


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

    A router gives a `route` and no passages; `num_searched` counts its choices then. `route` is None for all others.
    """

    id: str
    name: str
    seconds: float
    num_searched: int
    passages: tuple[FoundPassage, ...]
    route: Route | None = None


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
    tuned = [Contender(row.id, row.name, row.id + BASE_OF) for row in rows]
    bases = [Contender(row.id + BASE_OF, base_name(row.manifest)) for row in rows]
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
    """Short questions of the newest dataset's test part, spread evenly over it; [] without a dataset."""
    with database.reading() as connection:
        versions = datasets.of_project(connection, project_id)
    with suppress(FinetuneError):  # a damaged dataset shows where it is used; here it only means no examples
        return list(_examples(project_id, versions[0].id, limit)) if versions else []
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


def _answer(reply: dict[str, Any]) -> Answer:
    passages = tuple(FoundPassage(rank, **passage) for rank, passage in enumerate(reply.pop("passages"), start=1))
    route = reply.pop("route")
    if route is not None:
        route = Route(tuple(ScoredChoice(**choice) for choice in route.pop("choices")), **route)
    return Answer(**reply, passages=passages, route=route)
