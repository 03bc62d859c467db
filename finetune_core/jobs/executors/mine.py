"""Find hard-negative candidates for the training questions of a dataset version with the model that a recipe mines with."""

from typing import Any

from pydantic import BaseModel

from finetune_core.jobs.run import JobRun

HEAVY = True


class Params(BaseModel):
    """Which version, and the settings of the recipe `embedding` (base model) or `cross_encoder` (retriever)."""

    dataset_id: str
    recipe: str = "embedding"
    config: dict[str, Any]


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Keep the candidates of every question; a second run finds them there."""
    from finetune_core.recipes._embedders import open_embedder
    from finetune_core.storage import datasets, mined
    from finetune_core.training import negatives
    from finetune_core.training.contrastive import base_embedder
    from finetune_core.training.embedding_config import EmbeddingConfig
    from finetune_core.training.reranker_config import RerankerConfig

    is_reranker = params.recipe == "cross_encoder"
    config = (RerankerConfig if is_reranker else EmbeddingConfig).model_validate(params.config)
    target = mined.path(run.project_id, params.dataset_id, *config.mined_with)
    if not target.is_file():
        run.progress(0.0, "Reading the dataset")
        part = datasets.load_split(run.project_id, params.dataset_id).train
        run.progress(0.1, f"Searching {len(part.corpus):,} passages for {len(part):,} questions")
        if isinstance(config, RerankerConfig):
            embedder = open_embedder(config.retriever, run, config.retriever_max_tokens)
        else:
            embedder = base_embedder(config, run.cache)
        negatives.mine(part, embedder, run.checkpoint).save(target)
    candidates = negatives.Candidates.load(target)
    return {"num_questions": len(candidates.right_scores), "num_candidates": int((candidates.positions >= 0).sum())}
