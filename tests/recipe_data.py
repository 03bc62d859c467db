"""Small data for every recipe: a split it learns from, and the session fixture that holds its shared training."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finetune_core.storage import database
from finetune_core.workspace import projects, providers
from tests.cohere_fixtures import CARD_FACTS
from tests.sql_fixtures import tiny_sql_split
from tests.training_fixtures import (
    Trained,
    add_dataset,
    add_finished_run,
    tiny_reranking_split,
    tiny_routing_split,
    tiny_split,
)

SPLITS: dict[str, Callable[[], Any]] = {
    "cross_encoder": tiny_reranking_split,
    "embedding": tiny_split,
    "embedding_adapter": tiny_split,
    "router": tiny_routing_split,
    "text_to_sql": tiny_sql_split,
}
SHARED = {
    "distillation": "trained_distillation",
    "function_calling": "trained_caller",
    "judge_correctness": "trained_correctness",
    "judge_pairwise": "trained_pairwise",
    "cohere_reranker": "trained_cohere",
    "cross_encoder": "trained_cross_encoder",
    "embedding": "trained",
    "embedding_adapter": "trained_adapter",
    "router": "trained_router",
    "text_to_sql": "trained_sql",
}
"""The session fixture that holds each recipe's shared training."""


@dataclass(frozen=True)
class FinishedRun:
    """Ids of a run that is done, of its model, of the dataset version and of the project that holds them."""

    project_id: str
    dataset_id: str
    run_id: str
    model_id: str


def add_project_with_run(name: str, trained: Trained) -> FinishedRun:
    """A new project with the shared training of a recipe as its finished run, its services and its known vectors."""
    project_id = projects.create(f"With {name}").id
    for service in trained.run.services.values():
        providers.save(
            name=service.name, base_url=service.base_url, model=service.model, key_variable=service.key_variable,
            kind=service.kind,
        )  # fmt: skip
    if trained.run.cache.is_dir():
        shutil.copytree(trained.run.cache, database.home() / "cache" / "vectors", dirs_exist_ok=True)
    dataset_id = add_dataset(project_id, trained.split, facts=CARD_FACTS)
    return FinishedRun(project_id, dataset_id, *add_finished_run(project_id, dataset_id, trained, name))
