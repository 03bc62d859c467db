"""Chunks browsed, searched, counted and excluded, one page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from finetune_core.storage.documents import Chunk, chunk_of, like
from finetune_core.storage.tables import chunk, document


class ChunkView(StrEnum):
    """Which chunks to look at."""

    ALL = "all"
    EXACT = "exact duplicates"
    NEAR = "near-duplicates"
    TOO_LONG = "too long"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class ChunkFilter:
    """What to list: a kind, a text in heading or body, a document; `max_tokens` is the bound of "too long"."""

    view: ChunkView = ChunkView.ALL
    text: str = ""
    document_id: str = ""
    max_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ListedChunk:
    """A chunk with the name of its document ("" where the document is not known)."""

    chunk: Chunk
    document_name: str


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """Counts over one project's own chunks; `num_included` are those searched and asked about."""

    num_chunks: int
    num_included: int
    num_exact_duplicates: int
    num_near_duplicates: int
    num_excluded: int
    max_tokens: int


def page(connection: Connection, project_id: str, chosen: ChunkFilter, *, limit: int, offset: int) -> list[ListedChunk]:
    """One page of chunks, those of a document together and in its order; documents in the order of their ids.

    By id and not by name, because that order is an index: a page of 100,000 chunks is read without sorting them.
    """
    place = (chunk.c.document_id, chunk.c.position)
    query = select(chunk).where(_matches(project_id, chosen)).order_by(*place).limit(limit).offset(offset)
    found = [chunk_of(row) for row in connection.execute(query)]
    ids = {one.document_id for one in found}
    named = select(document.c.id, document.c.name).where(document.c.project_id == project_id, document.c.id.in_(ids))
    names = {row.id: row.name for row in connection.execute(named)}
    return [ListedChunk(one, names.get(one.document_id, "")) for one in found]


def count(connection: Connection, project_id: str, chosen: ChunkFilter) -> int:
    """How many chunks `page` would give over all pages."""
    return connection.scalar(select(func.count()).select_from(chunk).where(_matches(project_id, chosen))) or 0


def counts(connection: Connection, project_id: str) -> ChunkCounts:
    """The counts of the project's own chunks, in one pass."""
    is_out = chunk.c.excluded | func.coalesce(document.c.excluded, False)
    query = (
        select(
            func.count(),
            func.count().filter(~is_out, chunk.c.duplicate_of.is_(None)),
            func.count(chunk.c.duplicate_of),
            func.count(chunk.c.near_duplicate_of),
            func.count().filter(is_out),
            func.coalesce(func.max(chunk.c.num_tokens), 0),
        )
        .select_from(chunk)
        .outerjoin(document, and_(document.c.project_id == project_id, document.c.id == chunk.c.document_id))
        .where(chunk.c.project_id == project_id, chunk.c.origin == "")
    )
    return ChunkCounts(*connection.execute(query).one())


def find(connection: Connection, project_id: str, chunk_id: str, origin: str = "") -> Chunk | None:
    """One chunk, or None if there is none of that id."""
    query = select(chunk).where(chunk.c.project_id == project_id, chunk.c.origin == origin, chunk.c.id == chunk_id)
    row = connection.execute(query).first()
    return chunk_of(row) if row else None


def exclude(connection: Connection, project_id: str, ids: Sequence[str], excluded: bool) -> int:
    """Exclude chunks of the project's own, or take them back in; the number that changed."""
    mine = and_(chunk.c.project_id == project_id, chunk.c.origin == "", chunk.c.id.in_(ids))
    return connection.execute(
        update(chunk).where(mine, chunk.c.excluded.is_(not excluded)).values(excluded=excluded)
    ).rowcount


def num_over(connection: Connection, project_id: str, max_tokens: int) -> int:
    """Included chunks with more than `max_tokens` tokens, as counted with the project's base model."""
    return count(connection, project_id, ChunkFilter(ChunkView.TOO_LONG, max_tokens=max_tokens))


def _matches(project_id: str, chosen: ChunkFilter) -> ColumnElement[bool]:
    conditions = [chunk.c.project_id == project_id, chunk.c.origin == ""]
    shut = select(document.c.id).where(document.c.project_id == project_id, document.c.excluded.is_(True))
    match chosen.view:
        case ChunkView.EXACT:
            conditions.append(chunk.c.duplicate_of.is_not(None))
        case ChunkView.NEAR:
            conditions.append(chunk.c.near_duplicate_of.is_not(None))
        case ChunkView.TOO_LONG:
            conditions += [chunk.c.num_tokens > chosen.max_tokens, chunk.c.excluded.is_(False)]
            conditions.append(chunk.c.document_id.not_in(shut))
        case ChunkView.EXCLUDED:
            conditions.append(or_(chunk.c.excluded.is_(True), chunk.c.document_id.in_(shut)))
        case ChunkView.ALL:
            pass
    if chosen.text:
        pattern = like(chosen.text)
        conditions.append(or_(*(column.like(pattern, escape="\\") for column in (chunk.c.heading, chunk.c.text))))
    if chosen.document_id:
        conditions.append(chunk.c.document_id == chosen.document_id)
    return and_(*conditions)
