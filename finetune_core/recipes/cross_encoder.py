"""Tune a reranker that reads question and passage together and puts the passages found first into a better order."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from finetune_core.evaluation.hybrid import retrieval_baselines
from finetune_core.evaluation.reranking import RerankedRetriever, evaluate_reranking
from finetune_core.evaluation.retrieval import HEADLINE, RETRIEVAL_METRICS, Ranking, Retriever
from finetune_core.providers.reranker import LocalReranker, is_trained_reranker
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._embedders import open_embedder
from finetune_core.recipes._rerankers import StockReranker, cohere_service, open_reranker
from finetune_core.recipes.embedding import SETTINGS_FILE, copy_files, export_folder
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE, Corpus, Part, QueryPassages, Split
from finetune_core.training import cost, estimates
from finetune_core.training.reranker_config import ONE_POSITIVE, RerankerConfig
from finetune_core.training.reranking import VALIDATION_TIME, fitted_weight, train_reranker


@dataclass(frozen=True)
class CrossEncoderModel:
    """A tuned cross-encoder: its folder, its token limit, and the weight of the retriever's score that goes with it."""

    folder: Path
    max_tokens: int
    retriever_weight: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


def train(split: Split[QueryPassages], config: RerankerConfig, run: Run) -> CrossEncoderModel:
    """Tune; see `training.reranking.train_reranker`."""
    embedder = open_embedder(config.retriever, run, config.retriever_max_tokens)
    teacher = open_reranker(config.teacher.strip(), run, config.max_tokens) if config.teacher.strip() else None
    trained = train_reranker(split, config, _base(config, run), embedder, run, teacher)
    return CrossEncoderModel(trained.folder, config.max_tokens, trained.retriever_weight, trained.facts)


def systems(config: RerankerConfig, model: CrossEncoderModel | None, run: Run) -> dict[str, Retriever]:
    """BM25, the retriever alone ("base"), both fused, and with the tuned reranker; also with the untuned one, if it is one,
    and with the "stock" one of a service, if one is set.

    "tuned" reranks as many passages as the settings say, "tuned top 5" and the like another number.
    """
    found = retrieval_baselines(open_embedder(config.retriever, run, config.retriever_max_tokens))
    base = found["base"]
    start = _base(config, run)
    if is_trained_reranker(start):
        untuned = LocalReranker(start, config.max_tokens, run.cache)
        found["base reranker"] = RerankedRetriever("base reranker", base, untuned, config.depth)
    if service := config.stock_service.removeprefix(SERVICE_REFERENCE).strip():
        found["stock"] = RerankedRetriever(f"stock {service}", base, StockReranker(service, run), config.depth)
    if model is not None:
        tuned = LocalReranker(model.folder, model.max_tokens, run.cache)
        found["tuned"] = RerankedRetriever("tuned", base, tuned, config.depth, model.retriever_weight)
        for depth in sorted({*config.other_depths} - {config.depth}):
            name = f"tuned top {depth}"
            found[name] = RerankedRetriever(name, base, tuned, depth, model.retriever_weight)
    return found


def on_top(
    system: Retriever, config: RerankerConfig, model: CrossEncoderModel, validation: Part[QueryPassages], run: Run
) -> RerankedRetriever:
    """The first passages of another system, in the order of the tuned reranker; the weight of that system's score is its own."""
    tuned = LocalReranker(model.folder, model.max_tokens, run.cache)
    weight = fitted_weight(system, tuned, validation, config.depth, run) if config.use_retriever_score else 0.0
    return RerankedRetriever(f"{system.name} + reranker", system, tuned, config.depth, weight)


def evaluate(system: Retriever, part: Part[QueryPassages], config: RerankerConfig, run: Run) -> Report:
    """Every question of the part against its whole corpus. Facts: also `num_reranked`, passages reranked per question."""
    return evaluate_reranking(system, part, run)


def answer(
    system: Retriever, question: str, config: RerankerConfig, *, corpus: Corpus, run: Run, k: int = 10
) -> Ranking:
    """The best `k` passages of `corpus` for one question."""
    return system.rank([question], corpus, k, run)


def estimate(outline: Outline, config: RerankerConfig, machine: Machine) -> Estimate:
    """From the tokens of the pairs its steps would read, and the corpus where the retriever does not know it yet."""
    counter = estimates.counter_of(config.base_model, machine)
    size = cost.model_size(estimates.base_folder(config.base_model, machine))
    queries, passages = estimates.pair_texts(outline)
    whole_N = np.array(counter.count_many(queries)) + np.array(counter.count_many(passages))
    pairs_N = np.minimum(whole_N, config.max_tokens)
    num_wrong = config.hard_negatives + config.random_negatives
    num_right = sum(outline.uses)
    num_rows = num_right if config.loss in ONE_POSITIVE else outline.num_train
    num_pairs = num_right + num_rows * num_wrong
    speed = estimates.training_speed(machine, RECIPE.name, config.base_model, size)
    retriever = open_embedder(config.retriever, machine, config.retriever_max_tokens)
    encoding = estimates.encoding(config.retriever, retriever, estimates.everything(outline), machine)
    seconds = config.epochs * num_pairs * estimates.mean(pairs_N) / speed.tokens_per_s
    teacher = config.teacher.strip()
    is_service = teacher.startswith(SERVICE_REFERENCE)
    taught = [estimates.searches(cohere_service(teacher, machine), num_rows, num_wrong + 1)] if is_service else []
    longest = int(pairs_N.max(initial=0))
    pairs_at_once = config.batch_size * round(num_pairs / max(num_rows, 1))
    return Estimate(
        seconds=encoding.seconds + (1 + VALIDATION_TIME) * seconds,
        basis=speed.basis,
        num_steps=config.epochs * -(-num_rows // config.batch_size),
        memory_bytes=cost.train_memory_bytes(size, pairs_at_once * longest, longest),
        disk_bytes=cost.train_disk_bytes(size),
        charges=(*encoding.charges, *taught),
        warnings=estimates.cut(whole_N, config.max_tokens, "pairs of a question and a passage"),
    )


def traits(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What it reranks, how deep, and how it learned."""
    config, weight = manifest["config"], manifest["facts"].get("retriever_weight") or 0.0
    return {
        "Retriever": config["retriever"],
        "Passages reranked": f"{config['depth']:,}",
        "Loss": " ".join(filter(None, [config["loss"], config["teacher"] and f"taught by {config['teacher']}"])),
        "Wrong passages per question": f"{config['hard_negatives']} hard, {config['random_negatives']} random",
        "Share of the retriever's score": f"{weight:g}",
    }


def save(model: CrossEncoderModel, path: Path) -> None:
    """Copy the model into the empty folder `path`."""
    copy_files(model.folder, path)
    kept = {key: getattr(model, key) for key in ("max_tokens", "retriever_weight", "facts")}
    (path / SETTINGS_FILE).write_text(json.dumps(kept, indent=2), encoding="utf-8")


def load(path: Path, run: Run) -> CrossEncoderModel:
    """The model in `path`; its weights are read when they are first needed."""
    return CrossEncoderModel(folder=path, **json.loads((path / SETTINGS_FILE).read_text(encoding="utf-8")))


def _base(config: RerankerConfig, run: Run) -> str:
    """The name or folder to start from."""
    if config.base_model.startswith(MODEL_REFERENCE):
        return str(run.model_folder(config.base_model.removeprefix(MODEL_REFERENCE)))
    return config.base_model


RECIPE = Recipe(
    name="cross_encoder",
    title="Reranker",
    summary="Reads each question together with the passages found first and puts them into a better order.",
    source="Nogueira and Cho, Passage Re-ranking with BERT, 2019; Cao et al., Learning to Rank: From Pairwise Approach to "
    "Listwise Approach, 2007",
    record=QueryPassages,
    config=RerankerConfig,
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
    on_top=on_top,
    traits=traits,
    library="sentence-transformers",
    pipeline_tag="text-ranking",
)
