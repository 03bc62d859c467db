"""Load the demo: the interpreter's language reference as documents, and the hand-written questions as a test set."""

from typing import Any

from pydantic import BaseModel

from finetune_core.corpus.demo import (
    DEMO,
    Anchor,
    Question,
    Topic,
    anchored,
    question_id,
    questions,
    topic_documents,
    topics,
)
from finetune_core.jobs.executors.ingest import chunker_of, mark_duplicates
from finetune_core.jobs.run import JobRun
from finetune_core.records import SplitName
from finetune_core.storage import database, documents, pairs, projects
from finetune_core.storage.anchoring import anchor_anew
from finetune_core.storage.documents import NewDocument
from finetune_core.storage.pairs import NewPair, PairSource, PairState

HEAVY = False
MEDIA_TYPE = "text/plain"


class Params(BaseModel):
    """Nothing to choose: chunks are cut as the project says."""


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Add what is missing; running it twice changes nothing.

    The result counts `num_documents` and `num_questions` of the demo in the project now, and `num_quotes_missing`: questions
    left out because this interpreter's reference no longer says so.
    """
    ids = _add_documents(run)
    run.progress(1.0, "Finding the answers of the test questions")
    found, num_missing = _anchored(run)
    _add_pairs(run, found)
    num_documents = len(set(ids.values()))  # "if" and "else" are one text
    run.say(f"{num_documents} documents, {len(found)} test questions, {num_missing} quotes not found")
    return {"num_documents": num_documents, "num_questions": len(found), "num_quotes_missing": num_missing}


def _add_documents(run: JobRun) -> dict[str, str]:
    """Insert topics that are missing, each with its chunks in a transaction of its own; document id of each topic."""
    with database.reading() as connection:
        project = projects.find(connection, project_id=run.project_id)
        known = set(documents.document_ids(connection, run.project_id))
    assert project is not None, "a project with a live job cannot be deleted"
    chunker = chunker_of(project)
    ids = topic_documents()
    for done, topic in enumerate(topics()):
        run.progress(0.9 * done / len(ids), f"Reading {topic.title}")
        new = _document(topic, ids[topic.name])
        if new.id not in known:
            chunks = chunker.cut(new.id, new.text, new.sections)
            with run.writing() as connection:
                documents.insert_document(connection, run.project_id, new, chunks)
    mark_duplicates(run)
    return ids


def _document(topic: Topic, document_id: str) -> NewDocument:
    return NewDocument(
        document_id,
        topic.name,
        topic.title,
        MEDIA_TYPE,
        topic.text,
        topic.sections,
        language="en",
        held_out=topic.held_out,
    )


def _anchored(run: JobRun) -> tuple[list[NewPair], int]:
    """A pair for each question whose quote stands in a chunk that is searched, and the number of the others."""
    with database.reading() as connection:
        chunks = documents.included_chunks(connection, run.project_id)
    chunks.sort(key=lambda chunk: (chunk.document_id, chunk.position))
    document_of = {chunk.id: chunk.document_id for chunk in chunks}
    found = [
        _pair(question, anchor, document_of[anchor.chunk_ids[0]])
        for question, anchor in anchored([chunk.passage for chunk in chunks], run.checkpoint)
    ]
    return found, len(questions()) - len(found)


def _pair(question: Question, anchor: Anchor, document_id: str) -> NewPair:
    return NewPair(
        id=question_id(question),
        question=question.question,
        grades=dict.fromkeys(anchor.chunk_ids, 1),
        document_id=document_id,
        source=PairSource.WRITTEN,
        evidence=anchor.evidence,
        generator=DEMO,
        split=SplitName.TEST,
        state=PairState.ACCEPTED,
    )


def _add_pairs(run: JobRun, found: list[NewPair]) -> None:
    """Insert the pairs; those that point to chunks of an earlier cut are led to those of today."""
    with run.writing() as connection:
        pairs.insert(connection, run.project_id, found)
        known = pairs.grades(connection, run.project_id, [new.id for new in found])
        for new in found:
            if known[new.id] != new.grades:
                anchor_anew(connection, run.project_id, new)
