"""Run filters over the pairs nobody has judged yet, and write what each says of each pair."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from finetune_core.storage import database, documents, pairs
from finetune_core.storage.pairs import Pair, PairFilter, PairSource, PairState
from finetune_core.storage.projects import find
from finetune_core.synthesis import question_filters
from finetune_core.synthesis.question_filters import FILTERS, Candidate, Outcome

if TYPE_CHECKING:
    from finetune_core.jobs.run import JobRun
    from finetune_core.storage.documents import Chunk
    from finetune_core.synthesis.question_filters import Neighbours

_JUDGED = (PairState.PENDING, PairState.ACCEPTED, PairState.ASIDE)
NEAR_THRESHOLD = 0.7


@dataclass(frozen=True)
class _Material:
    """What filters look at: pairs in the order of who stays among duplicates, and the chunks they are searched against."""

    pairs: list[Pair]
    candidates: list[Candidate]
    chunks: "list[Chunk]"


def run_filters(run: "JobRun", names: Sequence[str]) -> dict[str, int]:
    """Apply the filters in their fixed order; filter name to the number of pairs it set aside now.

    Generated pairs that are pending are judged, and looked at beside accepted ones. What an earlier filter set aside
    is not judged again by a later one. Running a filter twice changes nothing.
    """
    set_aside = {}
    ordered = [name for name in FILTERS if name in names]
    for position, name in enumerate(ordered):
        run.progress(position / len(ordered), FILTERS[name].title)
        material = _material(run.project_id)
        outcomes = _outcomes(name, run, material)
        own = {
            pair.id: {"passed": outcome.passed, "score": outcome.score, "detail": outcome.detail}
            for pair, outcome in zip(material.pairs, outcomes, strict=True)
            if pair.state is PairState.PENDING and pair.source == PairSource.GENERATED
        }
        set_aside[name] = _record(run, name, own)
        run.say(f"{FILTERS[name].title}: {set_aside[name]} of {len(own)} set aside.")
    return set_aside


def _record(run: "JobRun", name: str, outcomes: dict[str, dict[str, Any]]) -> int:
    num_aside = 0
    for portion in database.portions(outcomes.items()):
        run.checkpoint()
        with run.writing() as connection:
            num_aside += pairs.record_outcomes(connection, run.project_id, name, dict(portion))
    return num_aside


def _material(project_id: str) -> _Material:
    with database.reading() as connection:
        chunks = documents.included_chunks(connection, project_id)
        text_of = {chunk.id: chunk.text for chunk in chunks}
        found = [
            pair
            for state in (PairState.ACCEPTED, PairState.PENDING)  # what a person accepted stays among duplicates
            for pair in pairs.each(connection, project_id, PairFilter(state=state))
            if pair.chunk_id in text_of
        ]
    candidates = [Candidate(pair.question, text_of[pair.chunk_id], pair.evidence, pair.document_id) for pair in found]
    return _Material(found, candidates, chunks)


def _outcomes(name: str, run: "JobRun", material: _Material) -> list[Outcome]:
    if not material.pairs:
        return []
    simple: dict[str, Callable[[Sequence[Candidate]], list[Outcome]]] = {
        "form": question_filters.form,
        "evidence": question_filters.evidence,
        "too_close": question_filters.too_close,
    }
    if name in simple:
        return simple[name](material.candidates)
    if name == "duplicate":
        from finetune_core.corpus.near_duplicates import find_near_duplicates

        near = functools.partial(find_near_duplicates, threshold=NEAR_THRESHOLD, checkpoint=run.checkpoint)
        return question_filters.duplicate(material.candidates, near)
    near_chunks = _neighbours(run, material)
    if name == "ambiguous":
        return question_filters.ambiguous(
            material.candidates, near_chunks, [chunk.full_text for chunk in material.chunks]
        )
    return question_filters.round_trip(near_chunks)


def _neighbours(run: "JobRun", material: _Material) -> "Neighbours":
    import numpy as np

    from finetune_core.training.contrastive import base_embedder
    from finetune_core.training.embedding_config import EmbeddingConfig

    with database.reading() as connection:
        project = find(connection, project_id=run.project_id)
    assert project is not None, "the job outlived its project"
    # The recipe's own base system, so that a training finds these vectors in the cache.
    embedder = base_embedder(EmbeddingConfig(base_model=project.base_model), run.cache)
    places = {chunk.id: place for place, chunk in enumerate(material.chunks)}
    twins = np.array([places.get(chunk.near_duplicate_of or chunk.id, places[chunk.id]) for chunk in material.chunks])
    passage_PD = embedder.encode_passages([chunk.full_text for chunk in material.chunks], run.checkpoint)
    query_QD = embedder.encode_queries([pair.question for pair in material.pairs], run.checkpoint)
    own_Q = np.array([places[pair.chunk_id] for pair in material.pairs], dtype=np.int64)
    return question_filters.neighbours(query_QD, passage_PD, own_Q, twins, run.checkpoint)
