"""Job: cut every document of a project anew after its chunk settings or its base model changed."""

from typing import Any

from pydantic import BaseModel

from finetune_core.jobs.executors.ingest import chunker_of, mark_duplicates
from finetune_core.jobs.run import JobRun
from finetune_core.storage import database, documents, projects
from finetune_core.storage.rechunking import Replaced, num_dangling_pairs, replace_chunks

HEAVY = False


class Params(BaseModel):
    """The settings are the project's own, read at the start of the job."""


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Replace the chunks document by document; a restart begins again, which changes nothing where all is done."""
    with database.reading() as connection:
        project = projects.find(connection, project_id=run.project_id)
        ids = documents.document_ids(connection, run.project_id)
    assert project is not None, "a project with a live job cannot be deleted"
    chunker = chunker_of(project)
    total = Replaced(*run.recall("replaced", ()))
    for number, document_id in enumerate(ids):
        run.progress(0.9 * number / len(ids), f"Cutting document {number + 1} of {len(ids)}")
        with database.reading() as connection:
            content = documents.content(connection, run.project_id, document_id)
        if content is None:
            continue
        chunks = chunker.cut(document_id, *content)
        with run.writing() as connection:
            change = replace_chunks(connection, run.project_id, document_id, chunks)
        total += change
        if change.num_removed:
            run.remember(
                replaced=[total.num_kept, total.num_added, total.num_removed, total.num_reanchored, total.num_lost]
            )
    mark_duplicates(run)
    with database.reading() as connection:
        num_chunks = documents.num_included(connection, run.project_id, origin="")
        num_dangling = num_dangling_pairs(connection, run.project_id)
    return {
        "num_documents": len(ids),
        "num_chunks_included": num_chunks,
        "num_added": total.num_added,
        "num_removed": total.num_removed,
        "num_pairs_reanchored": total.num_reanchored,
        "num_pairs_without_passage": num_dangling,
    }
