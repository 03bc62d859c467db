"""Per-class figures and the confusion matrix of a system that chose labels."""

from typing import Any

from finetune_core.evaluation.routing import class_summary
from finetune_core.storage import artefacts
from finetune_core.storage import comparisons as comparison_rows
from finetune_core.workspace.comparisons import ComparisonView


def summary(view: ComparisonView, system: str) -> dict[str, Any] | None:
    """What `evaluation.routing.class_summary` says of the system of that key; None for a comparison without labels.

    Raises ArtefactError if the rows or the dataset version are gone.
    """
    folder = comparison_rows.folder(view.project_id, view.id)
    artefacts.read_manifest(folder)
    report = comparison_rows.read_report(folder / f"{system}.parquet")
    if view.has_answers or not {"true", "predicted"} <= report.columns.keys():
        return None
    return class_summary(report.columns, comparison_rows.searched_corpus(view.project_id, view.dataset_id))
