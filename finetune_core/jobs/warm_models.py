"""The models that answer Playground questions, kept loaded with the vectors of the passages they search.

A contender is named by a text: the id of a tuned model; that id followed by "/base" for the model it was tuned from, with
the same prefixes and limits, or by "/stock" for the stock reranker of a service that it is compared with; or "base" for
the project's base model as the recipe sets it up by default.
"""

import functools
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Any

from sqlalchemy import Connection, case, func, select

from finetune_core.errors import ArtefactError, CorpusError
from finetune_core.evaluation.reranking import RerankedRetriever
from finetune_core.evaluation.routing import RoutingAnswer
from finetune_core.jobs.answering_run import TELL_S, AnsweringRun
from finetune_core.jobs.serving_client import OnProgress, OnSaid
from finetune_core.jobs.states import JobState
from finetune_core.jobs.warm_answers import answered
from finetune_core.records import Corpus, Labelled
from finetune_core.storage import (
    artefacts,
    database,
    datasets,
    documents,
    projects,
)
from finetune_core.storage import models as model_rows
from finetune_core.storage.tables import chunk, document, job

MAX_WARM = 2
BASE = "base"
BASE_OF, STOCK_OF = "/base", "/stock"
DEFAULT_RECIPE = "embedding"


class WarmEmbedder:
    """Keeps the vectors of the passages it encoded last, and asks for questions past the cache on disk."""

    def __init__(self, embedder: Any) -> None:
        self._embedder = embedder
        self._texts: list[str] = []
        self._vectors: Any = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the wrapped embedder."""
        return str(self._embedder.fingerprint)

    def encode_queries(self, texts: Sequence[str], checkpoint: Callable[[], None] | None = None) -> Any:
        """Vectors (Q, D), not kept: what people type is nobody's business afterwards."""
        return getattr(self._embedder, "embedder", self._embedder).encode_queries(texts, checkpoint)

    def encode_passages(self, texts: Sequence[str], checkpoint: Callable[[], None] | None = None) -> Any:
        """Vectors (P, D); from memory if the texts are those of last time."""
        if self._vectors is None or self._texts != list(texts):
            self._vectors = self._embedder.encode_passages(texts, checkpoint)
            self._texts = list(texts)
        return self._vectors


class UnkeptReranker:
    """Asks for the scores of a typed question past the cache on disk."""

    def __init__(self, reranker: Any) -> None:
        self._reranker = reranker

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the wrapped reranker."""
        return str(self._reranker.fingerprint)

    def score(self, query: str, passages: Sequence[str], checkpoint: Callable[[], None] | None = None) -> Any:
        """Scores (P,), not kept."""
        return self._reranker.score_fresh(query, passages, checkpoint)


def warmed(system: Any) -> Any:
    """The same system with what it reads passages by kept in memory, and nothing of a question kept at all."""
    if not is_dataclass(system) or isinstance(system, type):
        return system
    wrap = {"embedder": WarmEmbedder, "retriever": warmed, "reranker": UnkeptReranker}
    return replace(
        system, **{name: make(getattr(system, name)) for name, make in wrap.items() if hasattr(system, name)}
    )


def reading_embedder(system: Any) -> Any:
    """What a system reads passages by, of a reranker that of its retriever; None for one that has none."""
    return getattr(getattr(system, "retriever", system), "embedder", None)


def base_name(manifest: Mapping[str, Any]) -> str:
    """What the untuned contender of a model is called: a reranker's is the retriever alone, not what it was tuned from."""
    return str(manifest.get("config", {}).get("retriever") or manifest.get("base_model", BASE))


def stock_name(manifest: Mapping[str, Any]) -> str:
    """What the stock reranker beside a model is called: its own name, or the service's; "" if there is none."""
    config = manifest.get("config", {})
    return str(config.get("stock_model") or config.get("stock_service") or "")


def model_of(contender_id: str) -> str:
    """The id of the tuned model that a contender is or stands beside; "base" for the project's base model."""
    return contender_id.partition("/")[0]


@dataclass
class _Warm:
    """A loaded contender; whoever uses it holds its lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    name: str = ""
    recipe: Any = None
    config: Any = None
    system: Any = None


@dataclass(frozen=True)
class _Searched:
    corpus: Corpus
    document_names: dict[str, str]
    stamp: tuple[Any, ...]


class WarmModels:
    """At most `MAX_WARM` loaded contenders, the longest unused dropped first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._warm: OrderedDict[tuple[str, str], _Warm] = OrderedDict()
        self._searched: dict[tuple[str, str], _Searched] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """What the loaded contenders are called."""
        return [warm.name for warm in self._warm.values() if warm.system is not None]

    def release(self, model_id: str) -> None:
        """Forget a tuned model and its base. Raises ArtefactError while one of them answers."""
        with self._lock:
            ours = [key for key in self._warm if model_of(key[1]) == model_id]
            if busy := [key for key in ours if self._warm[key].lock.locked()]:
                raise ArtefactError(
                    f"The model {self._warm[busy[0]].name!r} is answering a question in the Playground.",
                    hint="Try again when it has answered, or stop the Playground's process on the Settings page.",
                )
            for key in ours:
                del self._warm[key]

    def prepare(self, project_id: str, contender_ids: Sequence[str]) -> None:
        """Load contenders and read the passages, so that the first question finds all warm."""
        for contender_id in contender_ids:
            run = AnsweringRun(project_id, lambda *_: None)
            with self._borrowed(project_id, contender_id, run) as warm:
                embedder = reading_embedder(warm.system)
                if embedder is not None:
                    searched = self._corpus(project_id, contender_id)
                    embedder.encode_passages([passage.full_text for passage in searched.corpus])
                    embedder.encode_queries(["?"])

    def answer(
        self,
        project_id: str,
        contender_ids: Sequence[str],
        request: dict[str, Any],
        tell: OnProgress,
        say: OnSaid | None = None,
    ) -> list[dict[str, Any]]:
        """What each contender answers, as `{id, name, seconds, num_searched, passages, route}`.

        A passage of a reranker says at which `retrieved_rank` (from 1) its retriever had it, None where nothing reranks.
        `passages` is [] and `route` is `{choices, decision, threshold, score_kind}` for a router; `route` is None otherwise.
        `request` holds `question` and `k`, or an `example` (see `warm_answers`). What a language model says is told to
        `say` as it grows. Raises the FinetuneError of what is missing or damaged.
        """

        def run(contender_id: str) -> AnsweringRun:
            return AnsweringRun(project_id, tell, say and functools.partial(say, contender_id))

        return [self._answer(project_id, contender_id, request, run(contender_id)) for contender_id in contender_ids]

    def _answer(self, project_id: str, contender_id: str, request: dict[str, Any], run: AnsweringRun) -> dict[str, Any]:
        with self._borrowed(project_id, contender_id, run) as warm:
            if "example" in request:
                return {"id": contender_id, **answered(warm, request["example"], run)}
            searched = self._corpus(project_id, contender_id)
            run.progress(0.2, f"{warm.name}: reading {len(searched.corpus):,} passages")
            embedder = reading_embedder(warm.system)
            if embedder is not None:  # once for each corpus; from then on the time shown is that of the question
                embedder.encode_passages([passage.full_text for passage in searched.corpus], run.checkpoint)
            began = time.perf_counter()
            found = warm.recipe.answer(
                warm.system, request["question"], warm.config, corpus=searched.corpus, run=run, k=request["k"]
            )
            seconds = time.perf_counter() - began
            places = _places_before(warm.system, request, searched.corpus, run)
        return {
            "id": contender_id, "name": warm.name, "seconds": seconds, "num_searched": len(searched.corpus),
            **_found(searched, found, places),
        }  # fmt: skip

    @contextmanager
    def _borrowed(self, project_id: str, contender_id: str, run: AnsweringRun) -> Iterator[_Warm]:
        """A loaded contender that nobody else uses meanwhile."""
        key = (project_id, contender_id)
        with self._lock:
            warm = self._warm.setdefault(key, _Warm())
            self._warm.move_to_end(key)
            idle = [old for old, held in self._warm.items() if not held.lock.locked() and old != key]
            for old in idle[: max(0, len(self._warm) - MAX_WARM)]:
                del self._warm[old]
        run.progress(0.0, "Waiting for another question to be answered")
        while not warm.lock.acquire(timeout=TELL_S):
            run.checkpoint()
        try:
            _set_threads()
            if warm.system is None:
                run.progress(0.1, "Loading the model")
                _load(warm, project_id, contender_id, run)
            yield warm
        finally:
            warm.lock.release()

    def _corpus(self, project_id: str, contender_id: str) -> _Searched:
        """What is chosen from: the choices of a router's dataset; else the project's passages, or those of the test set."""
        with database.reading() as connection:
            row = model_rows.find(connection, model_of(contender_id))
            is_router = row is not None and _takes_choices(row.recipe)
            stamp = () if is_router else _stamp(connection, project_id)  # a dataset version never changes
            key = (project_id, row.dataset_id if row else "")
            searched = self._searched.get(key)
            if searched is None or searched.stamp != stamp:
                searched = (
                    _Searched(datasets.load_split(*key).test.corpus, {}, stamp)
                    if is_router
                    else _searched(connection, project_id, key[1], stamp)
                )
                self._searched = {**self._searched, key: searched}
        return searched


def _load(warm: _Warm, project_id: str, contender_id: str, run: AnsweringRun) -> None:
    from finetune_core import recipes

    if contender_id == BASE:
        with database.reading() as connection:
            project = projects.find(connection, project_id=project_id)
        assert project is not None, project_id
        warm.recipe = recipes.get(DEFAULT_RECIPE)
        warm.config = warm.recipe.config(base_model=project.base_model)
        warm.name = project.base_model
        system = warm.recipe.systems(warm.config, None, run)["base"]
    else:
        with database.reading() as connection:
            row = model_rows.find(connection, model_of(contender_id))
        if row is None:
            raise ArtefactError("This model was deleted.", hint="Choose another one.")
        folder = model_rows.folder(row.project_id, row.id)
        is_tuned = contender_id == row.id
        manifest = artefacts.verify(folder) if is_tuned else artefacts.read_manifest(folder)
        warm.recipe = recipes.get(row.recipe)
        warm.config = warm.recipe.config.model_validate(manifest["config"])
        system_name, warm.name = _which(contender_id, row.name, manifest)
        # The untuned router decides with a threshold chosen on validation, which lies with the tuned one.
        model = warm.recipe.load(folder, run) if is_tuned or _takes_choices(row.recipe) else None
        system = warm.recipe.systems(warm.config, model, run)[system_name]
    warm.system = warmed(system)


def _which(contender_id: str, name: str, manifest: Mapping[str, Any]) -> tuple[str, str]:
    """The system of the recipe that a contender is, and what it is called."""
    if contender_id.endswith(STOCK_OF):
        return "stock", stock_name(manifest)
    return ("base", base_name(manifest)) if contender_id.endswith(BASE_OF) else ("tuned", name)


def _places_before(system: Any, request: Mapping[str, Any], corpus: Corpus, run: AnsweringRun) -> dict[str, int]:
    """Passage id to its place from 1 in the retriever's own order; {} for a system that does not rerank."""
    if not isinstance(system, RerankedRetriever):
        return {}
    found = system.retriever.rank([request["question"]], corpus, max(system.depth, request["k"]), run)
    return {passage: place for place, passage in enumerate(found.ids[0], start=1)}


def _searched(connection: Connection, project_id: str, dataset_id: str, stamp: tuple[Any, ...]) -> _Searched:
    chunks = documents.included_chunks(connection, project_id)
    names = dict(
        connection.execute(select(document.c.id, document.c.name).where(document.c.project_id == project_id)).all()
    )
    corpus = Corpus(tuple(found.passage for found in chunks))
    if not len(corpus) and dataset_id:
        corpus = datasets.load_split(project_id, dataset_id).test.corpus
    if not len(corpus):
        raise CorpusError("There are no passages to search in this project.", hint="Add documents on the Corpus page.")
    return _Searched(corpus, names, stamp)


def _stamp(connection: Connection, project_id: str) -> tuple[Any, ...]:
    """Changes whenever chunks are added, excluded or included; costs one pass over the project's chunks."""
    chunks = select(
        func.count(), func.max(chunk.c.seq), func.sum(case((chunk.c.excluded, chunk.c.seq), else_=0))
    ).where(chunk.c.project_id == project_id)
    excluded = (
        select(document.c.id).where(document.c.project_id == project_id, document.c.excluded).order_by(document.c.id)
    )
    return (*connection.execute(chunks).one(), *connection.execute(excluded).scalars())


def _takes_choices(recipe: str) -> bool:
    from finetune_core import recipes

    return recipes.get(recipe).record is Labelled


def _found(searched: _Searched, found: Any, places: Mapping[str, int]) -> dict[str, Any]:
    """An answer as plain values, told apart by what it is."""
    if not isinstance(found, RoutingAnswer):
        ranked = zip(found.ids[0], found.scores[0], strict=True)
        passages = [{**_shown(searched, *passage), "retrieved_rank": places.get(passage[0])} for passage in ranked]
        return {"passages": passages, "route": None}
    choices = [asdict(choice) for choice in found.ranked]
    kept = {name: getattr(found, name) for name in ("decision", "threshold", "score_kind")}
    return {"passages": [], "route": {"choices": choices, **kept}}


def _shown(searched: _Searched, passage_id: str, score: float) -> dict[str, Any]:
    passage = searched.corpus[passage_id]
    return {
        "id": passage.id,
        "score": float(score),
        "title": passage.title,
        "text": passage.text,
        "document": searched.document_names.get(passage.document, passage.document),
    }


def _set_threads() -> None:
    """All cores while nothing trains; else one, which for one question is as fast and waits for no other."""
    import torch

    with database.reading() as connection:
        busy = connection.execute(
            select(func.count()).select_from(job).where(job.c.heavy, job.c.state == JobState.RUNNING)
        ).scalar_one()
    torch.set_num_threads(1 if busy else os.cpu_count() or 1)
