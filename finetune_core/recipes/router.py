"""Tune a router, so that each query goes to the right tool, index or department, or to none."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune_core.errors import ArtefactError, TrainingError
from finetune_core.evaluation.llm_routing import LlmRouter
from finetune_core.evaluation.router_files import EMBEDDER_FOLDER, RouterFile
from finetune_core.evaluation.routing import (
    HEADLINE,
    NEVER,
    ROUTING_METRICS,
    ConstantRouter,
    DescriptionRouter,
    Router,
    RoutingAnswer,
    answer_routing,
    evaluate_routing,
)
from finetune_core.providers.embedder import LocalEmbedder, resolve
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._embedders import OpenedEmbedder, open_embedder
from finetune_core.records import MODEL_REFERENCE, OUT_OF_SCOPE, SERVICE_REFERENCE, Corpus, Labelled, Part, Split
from finetune_core.training import estimates
from finetune_core.training.embedding_config import EmbeddingConfig
from finetune_core.training.logistic import fit_seconds
from finetune_core.training.routing import NUM_FOLDS, train_choices, train_head
from finetune_core.training.routing_config import Method, RoutingConfig

SETTINGS_FILE = "origin.json"


@dataclass(frozen=True)
class RouterModel:
    """A tuned router: its classifier or threshold, the embedder it reads queries with, and what its baselines need.

    `embedder_folder` is set where the embedding model belongs to the router, because it was tuned for it or was itself
    tuned here; else `base_model` names it. `base_threshold` is that of the untuned router, chosen by the same rule on
    the same queries; `majority` the most frequent training label.
    """

    file: RouterFile
    embedder: OpenedEmbedder
    embedder_folder: Path | None
    base_model: str
    base_threshold: float
    majority: str
    facts: dict[str, Any] = field(default_factory=dict)


def train(split: Split[Labelled], config: RoutingConfig, run: Run) -> RouterModel:
    """Tune by the method chosen; see `training.routing`."""
    embedder = open_embedder(config.base_model, run, config.max_tokens)
    local = embedder.embedder if isinstance(embedder.embedder, LocalEmbedder) else None
    prefixes = (local.query_prefix, local.passage_prefix) if local else ("", "")
    max_tokens = (local.max_tokens if local else None) or config.max_tokens

    def open_tuned(folder: Path) -> CachedEmbedder:
        return CachedEmbedder(LocalEmbedder(folder, *prefixes, max_tokens), run.cache)

    if config.method is Method.HEAD:
        trained = train_head(split, embedder, config, run)
    else:
        settings = _embedding_settings(embedder, config)
        trained = train_choices(split, embedder, settings, open_tuned, config, run)
    is_own = config.base_model.startswith(MODEL_REFERENCE)
    return RouterModel(
        file=RouterFile(
            split.train.corpus,
            trained.threshold,
            *prefixes,
            max_tokens,
            trained.labels,
            trained.weights,
            trained.biases,
        ),
        embedder=open_tuned(trained.folder) if trained.folder else embedder,
        embedder_folder=trained.folder or (Path(local.model) if is_own and local else None),
        base_model=config.base_model,
        base_threshold=trained.base_threshold,
        majority=trained.majority,
        facts=trained.facts,
    )


def systems(config: RoutingConfig, model: RouterModel | None, run: Run) -> dict[str, Router]:
    """The majority class, the untuned embedder, a language model if one is set, and the tuned router if given.

    The untuned embedder chooses the nearest description, with a threshold chosen by the same rule on the same queries as
    the tuned router's. Without a model neither threshold nor majority is known: it never says "out of scope", the
    other always does.
    """
    base = open_embedder(config.base_model, run, config.max_tokens)
    found: dict[str, Router] = {
        "majority": ConstantRouter("majority class", model.majority if model else OUT_OF_SCOPE),
        "base": DescriptionRouter("base", base, model.base_threshold) if model else DescriptionRouter("base", base),
    }
    if service := config.llm_service.removeprefix(SERVICE_REFERENCE).strip():
        found["llm"] = LlmRouter(f"language model {service}", service, config.llm_queries, config.seed)
    if model is not None:
        found["tuned"] = model.file.router("tuned", model.embedder)
    return found


def evaluate(system: Router, part: Part[Labelled], config: RoutingConfig, run: Run) -> Report:
    """Every query of the part, its choices being the part's corpus."""
    return evaluate_routing(system, part, run)


def answer(system: Router, query: str, config: RoutingConfig, *, corpus: Corpus, run: Run, k: int = 0) -> RoutingAnswer:
    """The choices of `corpus` with their scores for one query, and the decision; `k` plays no part, all are named."""
    return answer_routing(system, query, corpus, run)


def traits(manifest: Mapping[str, Any]) -> dict[str, str]:
    """How it decides, between what, and when it says that nothing fits."""
    config, facts = manifest["config"], manifest["facts"]
    threshold, untaught = facts.get("threshold"), facts.get("num_untaught", 0)
    is_head = config["method"] == Method.HEAD
    found = {
        "Method": f"classifier, C = {facts['strength']:g}" if is_head else "tuned embedding model, nearest description",
        "Choices": f"{facts['num_choices']:,}"
        + (f", {untaught:,} of them without training queries" if untaught else ""),
        "Out of scope": "never" if threshold is None else f"below a score of {threshold:.3f}",
    }
    if threshold is not None:
        num_held = facts["num_held_out"]
        found["Threshold chosen on"] = f"{num_held:,} queries, {facts['num_held_out_of_scope']:,} of them out of scope"
    return found


def save(model: RouterModel, path: Path) -> None:
    """Write the router into the folder `path`, with its embedding model only if that is to be had nowhere else."""
    path.mkdir(parents=True, exist_ok=True)
    model.file.write(path)
    if model.embedder_folder is not None:
        _copy_embedder(model.embedder_folder, path / EMBEDDER_FOLDER)
    kept = {key: getattr(model, key) for key in ("base_model", "majority", "facts")}
    kept["base_threshold"] = None if model.base_threshold == NEVER else model.base_threshold
    (path / SETTINGS_FILE).write_text(json.dumps(kept, indent=2), encoding="utf-8")


def load(path: Path, run: Run) -> RouterModel:
    """The router in `path`; the weights of its embedding model are read when they are first needed."""
    file, kept = RouterFile.read(path), json.loads((path / SETTINGS_FILE).read_text(encoding="utf-8"))
    own = path / EMBEDDER_FOLDER
    if own.is_dir():
        local = LocalEmbedder(own, file.query_prefix, file.passage_prefix, file.max_tokens)
        embedder: OpenedEmbedder = CachedEmbedder(local, run.cache)
    else:
        embedder = open_embedder(kept["base_model"], run, file.max_tokens)
    if kept["base_threshold"] is None:
        kept["base_threshold"] = NEVER
    return RouterModel(file, embedder, own if own.is_dir() else None, **kept)


def export_folder(artefact: Path, target: Path) -> None:
    """`router.json`, the classifier, and the embedding model: all that a selector needs.

    A model that a service serves cannot be copied; whoever uses the router then asks that service for the vectors. Raises
    ArtefactError for a router over the vectors of a tuned model that is no plain embedding model.
    """
    base_model = json.loads((artefact / SETTINGS_FILE).read_text(encoding="utf-8"))["base_model"]
    own = artefact / EMBEDDER_FOLDER
    if base_model.startswith(MODEL_REFERENCE) and not own.is_dir():
        raise ArtefactError(
            f"This router reads the vectors of {base_model!r}, which is no model folder that could be copied.",
            hint="Train the router on a plain embedding model to take it away.",
        )
    RouterFile.read(artefact).write(target)
    if not base_model.startswith(SERVICE_REFERENCE):
        _copy_embedder(own if own.is_dir() else resolve(base_model), target / EMBEDDER_FOLDER)


def estimate(outline: Outline, config: RoutingConfig, machine: Machine) -> Estimate:
    """Of the method chosen: the classifiers that are fitted, or the steps that tune the embedding model."""
    opened = open_embedder(config.base_model, machine, config.max_tokens)
    if config.method is Method.CHOICES:
        return estimates.contrastive("router", outline, _embedding_settings(opened, config), machine)
    encoding = estimates.encoding(config.base_model, opened, estimates.everything(outline), machine)
    num_dimensions = estimates.num_dimensions(opened)
    num_fits = len(config.strengths) * (1 if outline.num_validation else 1 + NUM_FOLDS)
    num_rows, num_choices = sum(outline.uses), len(outline.uses)
    return Estimate(
        seconds=encoding.seconds + num_fits * fit_seconds(num_rows, num_choices, num_dimensions, machine.flops()),
        basis="a short probe of this machine and the vectors that are known already",
        num_steps=len(config.strengths),
        memory_bytes=encoding.memory_bytes + 8 * num_rows * (num_dimensions + 4 * num_choices),
        disk_bytes=4 * len(config.strengths) * num_choices * (num_dimensions + 1),
        charges=encoding.charges,
    )


def _embedding_settings(opened: OpenedEmbedder, config: RoutingConfig) -> EmbeddingConfig:
    """Of the training that tunes the embedding model. Raises TrainingError if that lies in no folder."""
    local = opened.embedder
    if not isinstance(local, LocalEmbedder):
        raise TrainingError(
            f"The method choices tunes the embedding model, and {config.base_model} is no model that lies in a folder.",
            hint="Choose the method head, or a model on this machine.",
        )
    return EmbeddingConfig(
        base_model=local.model,
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        max_tokens=local.max_tokens or config.max_tokens,
        query_prefix=local.query_prefix,
        passage_prefix=local.passage_prefix,
        seed=config.seed,
    )


def _copy_embedder(source: Path, target: Path) -> None:
    """Copy the files a model is loaded from, one by one: `copytree` would hide from the worker that the disk is full."""
    for path in source.rglob("*"):
        if path.suffix in {".json", ".safetensors", ".txt", ".model"} and path.name not in {
            "manifest.json",
            "ayar.json",
        }:
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


RECIPE = Recipe(
    name="router",
    title="Router",
    summary="Sends each question to the right tool, index or department, or to none of them, without asking a language model.",
    source="LlamaIndex, Fine-tuning for a router, 2023; Larson et al., An Evaluation Dataset for Intent Classification and "
    "Out-of-Scope Prediction, 2019",
    record=Labelled,
    config=RoutingConfig,
    headline=HEADLINE,
    metrics=ROUTING_METRICS,
    train=train,
    systems=systems,
    evaluate=evaluate,
    answer=answer,
    save=save,
    load=load,
    exports={"router": export_folder},
    estimate=estimate,
    traits=traits,
    pipeline_tag="text-classification",
)
