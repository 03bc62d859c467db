"""A pair's passages replaced by others, its question, state and review left as they are."""

from sqlalchemy import Connection, delete, insert, update

from finetune_core.storage.pairs import NewPair
from finetune_core.storage.tables import pair, relevance


def anchor_anew(connection: Connection, project_id: str, new: NewPair) -> None:
    """Let the pair with the id of `new` point to its passages and evidence. Nothing happens if there is no such pair."""
    here = (pair.c.project_id == project_id, pair.c.id == new.id)
    values = {"chunk_id": next(iter(new.grades)), "document_id": new.document_id, "evidence": new.evidence}
    if not connection.execute(update(pair).where(*here).values(**values, version=pair.c.version + 1)).rowcount:
        return
    mine = (relevance.c.project_id == project_id, relevance.c.pair_id == new.id)
    connection.execute(delete(relevance).where(*mine))
    rows = [
        {"project_id": project_id, "pair_id": new.id, "chunk_id": chunk_id, "grade": grade}
        for chunk_id, grade in new.grades.items()
    ]
    connection.execute(insert(relevance), rows)
