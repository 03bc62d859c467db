"""Tune an embedding model so that the right passages come first."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.evaluation.hybrid import retrieval_baselines
from finetune_core.evaluation.retrieval import (
    HEADLINE,
    NUM_RANKS,
    RETRIEVAL_METRICS,
    DenseRetriever,
    Ranking,
    Retriever,
    evaluate_retrieval,
)
from finetune_core.providers.embedder import LocalEmbedder
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Resources, Run
from finetune_core.records import Corpus, Part, QueryPassages, Split
from finetune_core.training import estimates
from finetune_core.training.contrastive import base_embedder, prefixes, train_embedder
from finetune_core.training.embedding_config import EmbeddingConfig
from finetune_core.wording import counted

SETTINGS_FILE = "ayar.json"


@dataclass(frozen=True)
class EmbeddingModel:
    """A tuned embedding model: its folder, and what has to be the same wherever it is used.

    The prefixes stand in the folder's own configuration as well, as the prompts "query" and "document", so that
    sentence-transformers' `encode_query` and `encode_document` apply them without Ayar.
    """

    folder: Path
    query_prefix: str
    passage_prefix: str
    max_tokens: int
    facts: dict[str, Any] = field(default_factory=dict)

    def embedder(self) -> LocalEmbedder:
        """The model, ready to encode; it loads at the first text."""
        return LocalEmbedder(self.folder, self.query_prefix, self.passage_prefix, self.max_tokens)


def train(split: Split[QueryPassages], config: EmbeddingConfig, run: Run) -> EmbeddingModel:
    """Tune; see `training.contrastive.train_embedder`."""
    trained = train_embedder(split, config, run)
    return EmbeddingModel(trained.folder, *prefixes(config), config.max_tokens, trained.facts)


def systems(config: EmbeddingConfig, model: EmbeddingModel | None, run: Run) -> dict[str, Retriever]:
    """BM25, the base model, both fused and, if given, the tuned one: same prefixes, same token limit, vectors cached."""
    found = retrieval_baselines(base_embedder(config, run.cache))
    if model is not None:
        found["tuned"] = DenseRetriever("tuned", CachedEmbedder(model.embedder(), run.cache))
    return found


def evaluate(system: Retriever, part: Part[QueryPassages], config: EmbeddingConfig, run: Run) -> Report:
    """Every question of the part against its whole corpus."""
    return evaluate_retrieval(system, part, run, NUM_RANKS)


def answer(
    system: Retriever, question: str, config: EmbeddingConfig, *, corpus: Corpus, run: Run, k: int = 10
) -> Ranking:
    """The best `k` passages of `corpus` for one question."""
    return system.rank([question], corpus, k, run)


def estimate(outline: Outline, config: EmbeddingConfig, machine: Machine) -> Estimate:
    """From the tokens its steps would read; see `training.estimates`."""
    return estimates.contrastive("embedding", outline, config, machine)


def traits(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The loss, the hard negatives, and where texts are cut."""
    config = manifest["config"]
    mined = counted(int(config["hard_negatives"]), "hard negative")
    return {"Loss": f"{config['loss']}, {mined} per question", "Longest text": f"{config['max_tokens']:,} tokens"}


def save(model: EmbeddingModel, path: Path) -> None:
    """Copy the model into the empty folder `path`."""
    copy_files(model.folder, path)
    kept = {key: getattr(model, key) for key in ("query_prefix", "passage_prefix", "max_tokens", "facts")}
    (path / SETTINGS_FILE).write_text(json.dumps(kept, indent=2), encoding="utf-8")


def load(path: Path, run: Resources) -> EmbeddingModel:
    """The model in `path`; its weights are read when they are first needed."""
    return EmbeddingModel(folder=path, **json.loads((path / SETTINGS_FILE).read_text(encoding="utf-8")))


def export_folder(artefact: Path, target: Path) -> None:
    """A plain sentence-transformers folder, which needs no Ayar."""
    copy_files(artefact, target, left_out=frozenset({SETTINGS_FILE, "manifest.json"}))


def copy_files(source: Path, target: Path, left_out: frozenset[str] = frozenset()) -> None:
    """Copy one by one: `copytree` would hide from the worker that it was the disk that is full."""
    for path in source.rglob("*"):
        if path.is_file() and path.name not in left_out:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


RECIPE = Recipe(
    name="embedding",
    title="Embedding model",
    summary="Teaches the model that turns texts into vectors to put the right passages first for your questions.",
    source="Reimers and Gurevych, Sentence-BERT, 2019; Henderson et al., Efficient Natural Language Response "
    "Suggestion for Smart Reply, 2017",
    record=QueryPassages,
    config=EmbeddingConfig,
    headline=HEADLINE,
    metrics=RETRIEVAL_METRICS,
    train=train,
    systems=systems,
    evaluate=evaluate,
    answer=answer,
    save=save,
    load=load,
    exports={"sentence-transformers": export_folder},
    estimate=estimate,
    traits=traits,
    library="sentence-transformers",
    pipeline_tag="sentence-similarity",
)
