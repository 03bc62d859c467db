"""The best tuned reranker of a comparison behind everything else there that finds passages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finetune_core.recipe import Recipe, Run, System
from finetune_core.records import Part, content_id
from finetune_core.storage.models import ModelRow

UNTUNED = ("bm25", "hybrid")
"""The baselines that a reranker is put behind; behind "base" it stands already, as "tuned"."""


@dataclass(frozen=True)
class Reranked:
    """A reranker behind a system that is scored already: `over` is that system's key, `name` its name in its recipe.

    `first` is the model that finds the passages, None for a baseline of the reranker's own recipe.
    """

    key: str
    name: str
    over: str
    reranker: ModelRow
    first: ModelRow | None = None


def combinations(
    by_name: Mapping[str, Recipe],
    rows: Sequence[ModelRow],
    keys: Mapping[str, Mapping[str, str]],
    validation: Mapping[str, float | None],
) -> list[Reranked]:
    """What to score besides, in order; [] without a reranker.

    Of several runs of a recipe, the one that did best on validation is taken. `keys` are those of the systems scored, by
    model and name; a system that the reranker was tuned behind is left out.
    """
    best: dict[str, ModelRow] = {}
    for row in sorted(rows, key=lambda row: -(validation[row.id] or 0.0)):
        best.setdefault(row.recipe, row)
    rerankers = [row for row in best.values() if by_name[row.recipe].on_top is not None]
    if not rerankers:
        return []
    reranker = rerankers[0]
    own = keys[reranker.id]
    found = [_reranked(name, own[name], reranker) for name in UNTUNED if name in own]
    for row in rows:
        if row is best[row.recipe] and by_name[row.recipe].on_top is None and _is_new(row, reranker):
            found.append(_reranked("tuned", keys[row.id]["tuned"], reranker, row))
    return found


def system(one: Reranked, by_name: Mapping[str, Recipe], validation: Part[Any], run: Run) -> System:
    """The system to score. Raises ArtefactError if a model is gone or was altered."""
    recipe = by_name[one.reranker.recipe]
    assert recipe.on_top is not None, "only recipes that can stand behind another are combined"
    first = one.first or one.reranker
    finder, config = by_name[first.recipe], config_of(first, by_name)
    model = finder.load(run.model_folder(first.id), run) if one.first else None
    found = finder.systems(config, model, run)[one.name]
    own = recipe.load(run.model_folder(one.reranker.id), run)
    return recipe.on_top(found, config_of(one.reranker, by_name), own, validation, run)


def config_of(row: ModelRow, by_name: Mapping[str, Recipe]) -> Any:
    """The settings that the model was tuned with."""
    return by_name[row.recipe].config.model_validate(row.manifest["config"])


def _reranked(name: str, over: str, reranker: ModelRow, first: ModelRow | None = None) -> Reranked:
    return Reranked(f"reranked-{content_id(over, reranker.id)}", name, over, reranker, first)


def _is_new(row: ModelRow, reranker: ModelRow) -> bool:
    """Whether the reranker was tuned behind something else than this model."""
    return not str(reranker.manifest["config"].get("retriever", "")).endswith(row.id)
