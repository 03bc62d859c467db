"""Find hard-negative candidates for the training questions of a dataset version with the base model."""

from typing import Any

from pydantic import BaseModel

from finetune_core.jobs.run import JobRun

HEAVY = True


class Params(BaseModel):
    """Which version, and the settings of the `embedding` recipe (base model, prefixes, longest text)."""

    dataset_id: str
    config: dict[str, Any]


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Keep the candidates of every question; a second run finds them there."""
    from finetune_core.storage import datasets, mined
    from finetune_core.training import negatives
    from finetune_core.training.contrastive import base_embedder
    from finetune_core.training.embedding_config import EmbeddingConfig

    config = EmbeddingConfig.model_validate(params.config)
    chosen = (config.query_prefix, config.passage_prefix)
    target = mined.path(run.project_id, params.dataset_id, config.base_model, chosen, config.max_tokens)
    if not target.is_file():
        run.progress(0.0, "Reading the dataset")
        part = datasets.load_split(run.project_id, params.dataset_id).train
        run.progress(0.1, f"Searching {len(part.corpus):,} passages for {len(part):,} questions")
        negatives.mine(part, base_embedder(config, run.cache), run.checkpoint).save(target)
    candidates = negatives.Candidates.load(target)
    return {"num_questions": len(candidates.right_scores), "num_candidates": int((candidates.positions >= 0).sum())}
