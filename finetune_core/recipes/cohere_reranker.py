"""Tune a custom reranker at Cohere, or at a service that speaks its API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from finetune_core.errors import ProviderError
from finetune_core.evaluation.hybrid import retrieval_baselines
from finetune_core.evaluation.reranking import RerankedRetriever, evaluate_reranking
from finetune_core.evaluation.retrieval import (
    HEADLINE,
    NUM_RANKS,
    RETRIEVAL_METRICS,
    Ranking,
    Retriever,
    evaluate_retrieval,
)
from finetune_core.providers.cohere_client import CohereClient, open_cohere
from finetune_core.providers.cohere_reranker import CohereReranker
from finetune_core.recipe import Estimate, Machine, Outline, Recipe, Report, Run
from finetune_core.recipes._embedders import open_embedder
from finetune_core.recipes._rerankers import cohere_service
from finetune_core.records import Corpus, Part, QueryPassages, Split
from finetune_core.training import estimates
from finetune_core.training.cohere_config import CohereConfig
from finetune_core.training.cohere_finetuning import MIN_QUERIES, finetune

SETTINGS_FILE = "ayar.json"
EXPORT_FILE = "reranker.json"
FINETUNED = "-ft"
RETIRED = (
    "Cohere retired all fine-tuning, that of rerankers included, on 15 September 2025: its own service will refuse the "
    "upload. This recipe works with services that still offer these endpoints under another base URL. The cross-encoder "
    "learns the same from the same data, on this machine."
)


@dataclass(frozen=True)
class CohereModel:
    """A fine-tuned reranker at a service: where it is, and the id it has there. The weights stay with the vendor."""

    finetuned_id: str
    base_url: str
    service: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def rerank_name(self) -> str:
        """The name by which the rerank endpoint knows it: the vendor's guide puts "-ft" after the id."""
        return f"{self.finetuned_id.removesuffix(FINETUNED)}{FINETUNED}"


def train(split: Split[QueryPassages], config: CohereConfig, run: Run) -> CohereModel:
    """Fine-tune at the service; see `training.cohere_finetuning.finetune`. Then measure it on validation questions."""
    service = cohere_service(config.service, run)
    client = open_cohere(service.base_url, service.key_variable)
    try:
        embedder = open_embedder(config.base_model, run, config.max_tokens)
        finetuned_id = finetune(split, embedder, config, client, run)
        model = CohereModel(finetuned_id, service.base_url, service.name)
        last_step = int(run.recall("last_step") or 0)
        facts = {
            "finetuned_model_id": finetuned_id,
            "events": run.recall("events") or [],
            "best_step": last_step,
            "last_step": last_step,
            "total_steps": last_step,
            "stopped": False,
            **_measured(split.validation, config, model, client, run, last_step),
        }
        run.remember(**facts)
        return replace(model, facts=facts)
    finally:
        client.close()


def systems(config: CohereConfig, model: CohereModel | None, run: Run) -> dict[str, Retriever]:
    """BM25, the retriever alone, both fused, the retriever with the stock reranker and, if given, with the custom one."""
    service = cohere_service(config.service, run)
    if model is not None and model.base_url != service.base_url:
        raise ProviderError(
            f"The model {model.finetuned_id} is at {model.base_url}; {service.name} now points to {service.base_url}.",
            hint="Change the provider's base URL back on Settings.",
        )
    return _systems(config, model, open_cohere(service.base_url, service.key_variable), run)


def _systems(config: CohereConfig, model: CohereModel | None, client: CohereClient, run: Run) -> dict[str, Retriever]:
    found = retrieval_baselines(open_embedder(config.base_model, run, config.max_tokens))
    base = found["base"]
    on_paid = partial(run.spend, cohere_service(config.service, run).name)
    stock = CohereReranker(client, config.stock_model, run.cache, on_paid)
    found["stock"] = RerankedRetriever("stock", base, stock, config.depth)
    if model is not None:
        custom = CohereReranker(client, model.rerank_name, run.cache, on_paid)
        found["tuned"] = RerankedRetriever("tuned", base, custom, config.depth)
    return found


def evaluate(system: Retriever, part: Part[QueryPassages], config: CohereConfig, run: Run) -> Report:
    """Every question of the part against its whole corpus. Facts: also `num_searches`, what the service charged for."""
    return evaluate_reranking(system, part, run)


def answer(system: Retriever, question: str, config: CohereConfig, *, corpus: Corpus, run: Run, k: int = 10) -> Ranking:
    """The best `k` passages of `corpus` for one question."""
    return system.rank([question], corpus, k, run)


def estimate(outline: Outline, config: CohereConfig, machine: Machine) -> Estimate:
    """What is encoded here and what the service is asked for; how long it trains it alone knows, and what it takes for that."""
    service = cohere_service(config.service, machine)
    opened = open_embedder(config.base_model, machine, config.max_tokens)
    encoding = estimates.encoding(config.base_model, opened, estimates.everything(outline), machine)
    num_measured = min(config.validation_queries, outline.num_validation)
    too_few = (f"Cohere takes at least {MIN_QUERIES} training questions; this dataset has {outline.num_train}.",)
    return Estimate(
        charges=(*encoding.charges, estimates.searches(service, num_measured, config.depth)),
        memory_bytes=encoding.memory_bytes,
        warnings=(
            "How long the training takes, and what the service charges for it, is known to the service alone.",
            *(too_few if outline.num_train < MIN_QUERIES else ()),
        ),
    )


def traits(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Where the model is and under which id: its weights stay with the vendor."""
    config, facts = manifest["config"], manifest["facts"]
    return {
        "Tuned from": f"{config['language']}, a reranker of {config['service']}",
        "Id at the service": str(facts.get("finetuned_model_id", "–")),
        "Retriever": config["base_model"],
        "Passages reranked": f"{config['depth']:,}",
        "Compared with": config["stock_model"],
        "Hard negatives": config["hard_negatives"],
    }


def save(model: CohereModel, path: Path) -> None:
    """Write where the model is; its weights are the vendor's."""
    path.mkdir(parents=True, exist_ok=True)
    (path / SETTINGS_FILE).write_text(json.dumps(vars(model), indent=2), encoding="utf-8")


def load(path: Path, run: Run) -> CohereModel:
    """The model in `path`."""
    return CohereModel(**json.loads((path / SETTINGS_FILE).read_text(encoding="utf-8")))


def export_settings(artefact: Path, target: Path) -> None:
    """`reranker.json`: the model's name for the rerank endpoint, and the base URL."""
    model = CohereModel(**json.loads((artefact / SETTINGS_FILE).read_text(encoding="utf-8")))
    kept = {"model": model.rerank_name, "base_url": model.base_url}
    (target / EXPORT_FILE).write_text(json.dumps(kept, indent=2), encoding="utf-8")


def _measured(
    part: Part[QueryPassages], config: CohereConfig, model: CohereModel, client: CohereClient, run: Run, step: int
) -> dict[str, float]:
    """nDCG@10 of retriever and custom reranker on the first validation questions; {} without any."""
    few = replace(part, examples=part.examples[: config.validation_queries])
    if not len(few):
        return {}
    found = _systems(config, model, client, run)
    values = {}
    for name, fact, at in (("base", "base_validation", 0), ("tuned", "best_validation", max(step, 1))):
        report = evaluate_retrieval(found[name], few, run, NUM_RANKS)
        values[fact] = RETRIEVAL_METRICS[HEADLINE](report.columns)
        run.log(at, **{f"validation_{HEADLINE}": values[fact]})
    return values


RECIPE = Recipe(
    name="cohere_reranker",
    title="Cohere reranker",
    summary="Has a service that speaks Cohere's API tune its reranker on your questions, and compares it with the stock one.",
    source="LlamaIndex, Custom Cohere Reranker, 2023; Cohere, API description of datasets, fine-tuning and rerank",
    record=QueryPassages,
    config=CohereConfig,
    headline=HEADLINE,
    metrics=RETRIEVAL_METRICS,
    train=train,
    systems=systems,
    evaluate=evaluate,
    answer=answer,
    save=save,
    load=load,
    exports={"cohere": export_settings},
    estimate=estimate,
    traits=traits,
    library="cohere",
    pipeline_tag="text-ranking",
    extras=("cohere",),
    notice=RETIRED,
    alternative="cross_encoder",
)
