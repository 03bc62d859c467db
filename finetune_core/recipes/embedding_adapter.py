"""Tune a small adapter over the frozen vectors of any embedder."""

import shutil
from collections.abc import Mapping
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
from finetune_core.providers import portable_adapter
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._embedders import open_embedder
from finetune_core.records import Corpus, Part, QueryPassages, Split
from finetune_core.training import estimates
from finetune_core.training.adapted import SETTINGS_FILE, WEIGHTS_FILE, AdapterModel, AdapterSettings
from finetune_core.training.adapter import train_adapter
from finetune_core.training.adapter_config import AdapterConfig, Kind, Side
from finetune_core.training.adapter_data import MAX_POOL_TEXTS
from finetune_core.training.adapter_estimate import learning

_MOVED = {Side.QUERY: "questions", Side.DOCUMENT: "passages", Side.BOTH: "questions and passages"}


def train(split: Split[QueryPassages], config: AdapterConfig, run: Run) -> AdapterModel:
    """Tune; see `training.adapter.train_adapter`."""
    base = open_embedder(config.base_model, run, config.max_tokens)
    trained = train_adapter(split, config, run, base)
    is_nudge = config.kind is Kind.NUDGE
    settings = AdapterSettings(
        kind=config.kind.value,
        side=(Side.DOCUMENT if is_nudge else config.side).value,
        num_dimensions=trained.num_dimensions,
        base_model=config.base_model,
        base_fingerprint=base.fingerprint,
        max_tokens=config.max_tokens,
        custom=config.custom if config.kind is Kind.CUSTOM else "",
    )
    return AdapterModel(trained.folder, settings, trained.facts)


def systems(config: AdapterConfig, model: AdapterModel | None, run: Run) -> dict[str, Retriever]:
    """BM25, the base embedder, both fused and, if given, the same embedder with the adapter behind it."""
    base = open_embedder(config.base_model, run, config.max_tokens)
    found = retrieval_baselines(base)
    if model is not None:
        found["tuned"] = DenseRetriever("tuned", model.embedder(base))
    return found


def evaluate(system: Retriever, part: Part[QueryPassages], config: AdapterConfig, run: Run) -> Report:
    """Every question of the part against its whole corpus."""
    return evaluate_retrieval(system, part, run, NUM_RANKS)


def answer(
    system: Retriever, question: str, config: AdapterConfig, *, corpus: Corpus, run: Run, k: int = 10
) -> Ranking:
    """The best `k` passages of `corpus` for one question."""
    return system.rank([question], corpus, k, run)


def estimate(outline: Outline, config: AdapterConfig, machine: Machine) -> Estimate:
    """From the texts that have no vectors yet, and the size of the matrix products of its steps."""
    opened = open_embedder(config.base_model, machine, config.max_tokens)
    encoding = estimates.encoding(config.base_model, opened, estimates.judged(outline, MAX_POOL_TEXTS), machine)
    work = learning(outline, config, estimates.num_dimensions(opened))
    warnings = (
        ("There are no validation questions, and nudge cannot do without.",) if not outline.num_validation else ()
    )
    return Estimate(
        seconds=encoding.seconds + work.flops / machine.flops() + work.sorting_s,
        basis="a short probe of this machine and the vectors that are known already",
        num_steps=work.num_steps,
        memory_bytes=encoding.memory_bytes + work.memory_bytes,
        disk_bytes=work.disk_bytes,
        charges=encoding.charges,
        warnings=warnings if config.kind is Kind.NUDGE else (),
    )


def traits(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What moves whose vectors, and what was found on the way."""
    config, facts = manifest["config"], manifest["facts"]
    is_nudge = config["kind"] == Kind.NUDGE
    found = {
        "Adapter": " ".join(filter(None, [config["kind"].replace("_", " "), config.get("custom", "")])),
        "Moves": _MOVED[Side.DOCUMENT if is_nudge else Side(config["side"])],
    }
    if "learning_rate" in facts:
        found["Learning rate"] = f"{facts['learning_rate']:g}"
    if "distance" in facts:
        found["Distance"] = f"{facts['distance']:g}, {facts['num_moved']:,} passages moved"
    return found


def save(model: AdapterModel, path: Path) -> None:
    """Write the adapter into the empty folder `path`."""
    model.save(path)


def load(path: Path, run: Run) -> AdapterModel:
    """The adapter in `path`."""
    return AdapterModel.load(path)


def export_folder(artefact: Path, target: Path) -> None:
    """Weights and settings, with the code that applies them as a text: save it as `adapter.py`; it needs numpy, no Ayar."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (SETTINGS_FILE, WEIGHTS_FILE):
        shutil.copyfile(artefact / name, target / name)
    if AdapterModel.load(artefact).settings.kind != Kind.CUSTOM:
        shutil.copyfile(portable_adapter.__file__, target / "adapter.py.txt")


RECIPE = Recipe(
    name="embedding_adapter",
    title="Embedding adapter",
    summary="Leaves the embedding model as it is, a vendor's too, and learns a small layer that moves its vectors.",
    source="LlamaIndex, Finetuning an Adapter on Top of any Black-Box Embedding Model, 2023; Zeighami et al., NUDGE: "
    "Lightweight Non-Parametric Fine-Tuning of Embeddings for Retrieval, 2024",
    record=QueryPassages,
    config=AdapterConfig,
    headline=HEADLINE,
    metrics=RETRIEVAL_METRICS,
    train=train,
    systems=systems,
    evaluate=evaluate,
    answer=answer,
    save=save,
    load=load,
    exports={"adapter": export_folder},
    estimate=estimate,
    traits=traits,
    pipeline_tag="sentence-similarity",
)
