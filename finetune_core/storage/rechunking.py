"""A document's chunks replaced by others, and the pairs that pointed to those that are gone."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update

from finetune_core.corpus.chunking import NewChunk
from finetune_core.storage.database import portions
from finetune_core.storage.documents import insert_chunks
from finetune_core.storage.tables import chunk, pair, relevance


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a replacement did. Pairs are counted once for each passage of theirs that vanished."""

    num_kept: int = 0
    num_added: int = 0
    num_removed: int = 0
    num_reanchored: int = 0
    num_lost: int = 0

    def __add__(self, other: "Replaced") -> "Replaced":
        return Replaced(
            self.num_kept + other.num_kept,
            self.num_added + other.num_added,
            self.num_removed + other.num_removed,
            self.num_reanchored + other.num_reanchored,
            self.num_lost + other.num_lost,
        )


def replace_chunks(connection: Connection, project_id: str, document_id: str, new: Sequence[NewChunk]) -> Replaced:
    """Give a document of the project's own these chunks and no others; those that stay the same keep id and exclusion.

    A pair whose passage vanished is anchored at the new chunk that holds its evidence quote (without one: all of the old
    passage). Where none does, it is left pointing to the old id, which works again if the old settings come back.
    """
    mine = _own_chunks(project_id, document_id)
    old = {row.id: row.text for row in connection.execute(select(chunk.c.id, chunk.c.text).where(mine))}
    kept = [one for one in new if one.id in old]
    for one in kept:
        values = {"position": one.position, "num_tokens": one.num_tokens}
        connection.execute(update(chunk).where(mine, chunk.c.id == one.id).values(values))
    insert_chunks(connection, project_id, document_id, [one for one in new if one.id not in old])
    vanished = {id_: text for id_, text in old.items() if id_ not in {one.id for one in new}}
    num_moved, num_lost = _anchor(connection, project_id, vanished, new)
    for part in portions(vanished):
        connection.execute(delete(chunk).where(mine, chunk.c.id.in_(part)))
    return Replaced(len(kept), len(new) - len(kept), len(vanished), num_moved, num_lost)


def num_dangling_pairs(connection: Connection, project_id: str) -> int:
    """Pairs about the project's own documents whose passage does not exist with the chunks of today."""
    exists = select(chunk.c.id).where(chunk.c.project_id == project_id, chunk.c.origin == "")
    query = select(func.count()).select_from(pair).where(pair.c.project_id == project_id, pair.c.origin == "")
    return connection.scalar(query.where(pair.c.chunk_id.not_in(exists))) or 0


def _anchor(
    connection: Connection, project_id: str, vanished: dict[str, str], new: Sequence[NewChunk]
) -> tuple[int, int]:
    places = [(one.id, _folded(one.text)) for one in new]
    num_moved = num_lost = 0
    for part in portions(vanished):
        query = (
            select(relevance.c.pair_id, relevance.c.chunk_id, pair.c.evidence, pair.c.chunk_id.label("first"))
            .join(pair, and_(pair.c.project_id == relevance.c.project_id, pair.c.id == relevance.c.pair_id))
            .where(relevance.c.project_id == project_id, relevance.c.chunk_id.in_(part), pair.c.origin == "")
        )
        for row in connection.execute(query).all():
            is_first = row.first == row.chunk_id
            quote = _folded(row.evidence if row.evidence and is_first else vanished[row.chunk_id])
            target = next((id_ for id_, text in places if quote and quote in text), None)
            if target is None:
                num_lost += 1
                continue
            _move(connection, project_id, row.pair_id, row.chunk_id, target)
            num_moved += 1
    return num_moved, num_lost


def _move(connection: Connection, project_id: str, pair_id: str, old: str, new: str) -> None:
    mine = and_(relevance.c.project_id == project_id, relevance.c.pair_id == pair_id)
    if connection.scalar(select(relevance.c.grade).where(mine, relevance.c.chunk_id == new)) is None:
        connection.execute(update(relevance).where(mine, relevance.c.chunk_id == old).values(chunk_id=new))
    else:  # both old passages went into the same new one
        connection.execute(delete(relevance).where(mine, relevance.c.chunk_id == old))
    this = and_(pair.c.project_id == project_id, pair.c.id == pair_id)
    connection.execute(update(pair).where(this, pair.c.chunk_id == old).values(chunk_id=new))
    # Who has it open sees another passage.
    connection.execute(update(pair).where(this).values(version=pair.c.version + 1))


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _own_chunks(project_id: str, document_id: str) -> ColumnElement[bool]:
    return and_(chunk.c.project_id == project_id, chunk.c.origin == "", chunk.c.document_id == document_id)
