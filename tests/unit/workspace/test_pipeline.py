"""The next step follows from what a project holds."""

from dataclasses import replace

import pytest

from finetune_core.storage import database
from finetune_core.storage.overview import Overview, overview
from finetune_core.workspace import pipeline, projects
from finetune_core.workspace.pipeline import NextStep, next_step
from tests import filled_project

NOTHING = Overview(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, "", None)
DEMO_LOADED = replace(NOTHING, num_documents=78, num_chunks=1248, num_accepted=193, num_test_only=193)
REVIEWED = replace(DEMO_LOADED, num_accepted=293, num_pending=40)
FROZEN = replace(REVIEWED, num_datasets=1)
TUNED = replace(FROZEN, num_models=1, num_runs=1)


def compared(outcome: str) -> Overview:
    return replace(
        TUNED, num_comparisons=1, newest_comparison={"verdict": {"outcome": outcome, "sentence": "So it is."}}
    )


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (NOTHING, NextStep.ADD_DOCUMENTS),
        (DEMO_LOADED, NextStep.WRITE_QUESTIONS),
        (replace(NOTHING, num_chunks=5), NextStep.WRITE_QUESTIONS),  # passages that came with an import
        (replace(DEMO_LOADED, num_pending=300), NextStep.REVIEW),
        (REVIEWED, NextStep.FREEZE),
        (FROZEN, NextStep.TRAIN),
        (replace(FROZEN, num_live_runs=1), NextStep.WATCH),
        (TUNED, NextStep.COMPARE),
        (compared("better"), NextStep.TRY),
        (compared("no_difference"), NextStep.IMPROVE),
        (compared("worse"), NextStep.IMPROVE),
        (replace(compared("better"), num_live_runs=1), NextStep.WATCH),
    ],
)
def test_next_step(counts: Overview, expected: NextStep) -> None:
    assert next_step(counts) is expected


def test_a_new_project_is_all_zeros_and_another_projects_rows_do_not_count() -> None:
    filled_project.fill()
    project_id = projects.create("Other").id
    with database.reading() as connection:
        assert overview(connection, project_id) == NOTHING
    seen = pipeline.look(project_id)
    assert (seen.next_step, seen.verdict) == (NextStep.ADD_DOCUMENTS, "")


def test_counts_of_a_filled_project_agree_with_its_size() -> None:
    project_id = filled_project.fill(live_run=True)
    counts, size = pipeline.look(project_id).counts, projects.size(project_id)
    assert (counts.num_documents, counts.num_chunks, counts.num_pairs) == (
        size.num_documents,
        size.num_chunks,
        size.num_pairs,
    )
    assert (counts.num_datasets, counts.num_models) == (size.num_datasets, size.num_models)
    assert (counts.num_runs, counts.num_live_runs) == (2, 1)
