"""What a model card says, gathered: the manifest, the dataset it learned from, and the last comparison with its base."""

import functools
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from finetune_core.errors import FinetuneError
from finetune_core.plugins import model_card as card
from finetune_core.plugins.model_card import CardFacts, DocumentShare, MetricPair
from finetune_core.records import Corpus, Labelled, QueryPassages
from finetune_core.storage import comparisons, database, datasets, documents
from finetune_core.wording import metric_title
from finetune_core.workspace import models, out_of_domain

__all__ = ["DocumentShare"]

MAX_DOCUMENTS = 20
_NOUNS: dict[type, str] = {QueryPassages: "questions", Labelled: "queries"}


@dataclass(frozen=True)
class Lineage:
    """Where a model came from: its run, the dataset version with its counts, and the documents behind its training pairs.

    `documents` are sorted by number of pairs, most first; empty if the dataset is gone or damaged.
    """

    run_id: str
    base_model: str
    dataset_name: str
    dataset_hash: str
    num_train: int
    num_validation: int
    num_test: int
    documents: tuple[DocumentShare, ...]


def lineage(model_id: str) -> Lineage:
    """Where a model came from. Raises ArtefactError if there is no such model."""
    model = models.get(model_id)
    dataset = _dataset(model)
    return Lineage(
        run_id=model.run_id,
        base_model=str(model.manifest.get("base_model", "")),
        dataset_name=str(dataset.get("name", "")),
        dataset_hash=str(dataset.get("hash", model.dataset_id)),
        num_train=int(dataset.get("num_train", 0)),
        num_validation=int(dataset.get("num_validation", 0)),
        num_test=int(dataset.get("num_test", 0)),
        documents=_documents(model.project_id, model.dataset_id),
    )


def markdown(model_id: str) -> str:
    """The model card. Raises ArtefactError if there is no such model."""
    from finetune_core import recipes

    model = models.get(model_id)
    manifest, recipe, dataset, come_from = model.manifest, recipes.get(model.recipe), _dataset(model), lineage(model_id)
    facts, (query_prefix, passage_prefix) = manifest.get("facts", {}), models.prefixes(model)
    return card.model_card(
        CardFacts(
            name=model.name,
            recipe=model.recipe,
            recipe_title=recipe.title,
            summary=recipe.summary,
            library=recipe.library,
            pipeline_tag=recipe.pipeline_tag,
            traits=models.traits(model),
            noun=_NOUNS.get(recipe.record, "examples"),
            base_model=come_from.base_model,
            made=time.strftime("%Y-%m-%d", time.gmtime(model.created_at)),
            run_id=model.run_id,
            dataset={
                "name": come_from.dataset_name or model.dataset_id,
                "hash": come_from.dataset_hash,
                "split_rule": dataset.get("split_rule", "document"),
                "num_train": come_from.num_train,
                "num_validation": come_from.num_validation,
                "num_test": come_from.num_test,
                "num_never_reviewed": int(dataset.get("num_never_reviewed", 0)),
            },
            config=manifest.get("config", {}),
            libraries=manifest.get("libraries", {}),
            headline=metric_title(recipe.headline),
            snippet=_snippet(model_id),
            best_step=facts.get("best_step"),
            base_value=facts.get("base_validation"),
            best_value=facts.get("best_validation"),
            query_prefix=query_prefix,
            passage_prefix=passage_prefix,
            documents=come_from.documents[:MAX_DOCUMENTS],
            num_more_documents=max(0, len(come_from.documents) - MAX_DOCUMENTS),
            out_of_domain=" ".join(
                said["sentence"] for said in out_of_domain.of_model(model.project_id, model.id).values()
            ),
            warnings=tuple(map(str, dataset.get("warnings", []))),
            **_judgement(model),
        )
    )


def _snippet(model_id: str) -> str:
    """The shortest code that uses the model: sentence-transformers where it can, "" where nothing can without Ayar."""
    found = {snippet.framework: snippet.code for snippet in models.snippets(model_id, "path/to/this/folder")}
    return found.get("sentence-transformers") or next(iter(found.values()), "")


def _judgement(model: models.ModelView) -> dict[str, Any]:
    """Verdict, metrics and number of questions of the newest comparison of this model with its base; {} without one."""
    with database.reading() as connection:
        for row in comparisons.of_project(connection, model.project_id):
            systems = {system["key"]: system for system in row.result["systems"]}
            tuned = next((one for one in systems.values() if one.get("model_id") == model.id), None)
            if tuned is None or tuned["against"] not in systems:
                continue
            said = next(one for one in row.result["differences"] if one["system"] == tuned["key"])
            before = systems[tuned["against"]]["metrics"]
            return {
                "verdict": said["verdict"]["sentence"],
                "num_questions": row.result["num_questions"],
                "metrics": tuple(
                    MetricPair(metric_title(name), _number(before[name]["value"]), _number(value["value"]))
                    for name, value in tuned["metrics"].items()
                ),
            }
    return {}


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _dataset(model: models.ModelView) -> dict[str, Any]:
    with database.reading() as connection:
        row = datasets.find(connection, model.project_id, model.dataset_id)
    return {**row.manifest, "name": row.name} if row else {}


@functools.lru_cache(maxsize=16)
def _num_pairs_of(project_id: str, dataset_id: str) -> tuple[tuple[str, int], ...]:
    part = datasets.load_split(project_id, dataset_id).train
    names = [_source(example, part.corpus) for example in part.examples]
    return tuple(Counter(names).most_common())


def _source(example: QueryPassages | Labelled, corpus: Corpus) -> str:
    """What an example is counted under: its document, or the name of its choice."""
    if not isinstance(example, Labelled):
        return example.group
    if example.label not in corpus.positions:
        return "out of scope"
    return corpus[example.label].title or example.label


def _documents(project_id: str, dataset_id: str) -> tuple[DocumentShare, ...]:
    with suppress(FinetuneError):  # a damaged dataset is told where it is used; a model can still be shown without it
        counts = _num_pairs_of(project_id, dataset_id)
        with database.reading() as connection:
            names = {group: documents.name_of(connection, project_id, group) or group for group, _ in counts}
        return tuple(DocumentShare(names[group], num) for group, num in counts)
    return ()
