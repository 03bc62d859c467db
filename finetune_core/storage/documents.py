"""Files, documents and chunks: how they come in, how they are found again, and which of them count."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, insert, or_, select, update

from finetune_core.corpus.chunking import NewChunk
from finetune_core.corpus.sections import Section
from finetune_core.records import Passage
from finetune_core.storage.database import now, portions
from finetune_core.storage.tables import chunk, document, file


class FileState(StrEnum):
    """What became of a file of an upload or import."""

    PARSED = "parsed"
    PARTIAL = "partial"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """What became of one file; `missing_pages` are page numbers from 1 (line numbers for JSONL)."""

    name: str
    size_bytes: int
    state: FileState
    reason: str = ""
    missing_pages: tuple[int, ...] = ()
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to insert. `id` is the hash of its text; `held_out` documents are searched, but never asked about."""

    id: str
    name: str
    title: str
    media_type: str
    text: str
    sections: tuple[Section, ...]
    num_pages: int | None = None
    language: str = ""
    held_out: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document without its text; `num_chunks` and `num_tokens` are over all of its chunks."""

    id: str
    name: str
    title: str
    media_type: str
    num_pages: int | None
    language: str
    num_chunks: int
    num_tokens: int
    held_out: bool
    excluded: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stored chunk. `origin` is "" for the project's own documents, else the id of the import that brought it.

    `duplicate_of` and `near_duplicate_of` are ids of chunks of the same origin. `num_tokens` is 0 where never counted.
    """

    origin: str
    id: str
    document_id: str
    position: int
    heading: str
    text: str
    num_tokens: int
    duplicate_of: str | None = None
    near_duplicate_of: str | None = None
    excluded: bool = False

    @property
    def full_text(self) -> str:
        """What a model reads: the heading, a newline, the text; only the text where there is no heading."""
        return self.passage.full_text

    @property
    def passage(self) -> Passage:
        """The chunk as something to retrieve."""
        return Passage(self.id, self.text, self.document_id, self.heading)


def record_file(connection: Connection, project_id: str, job_id: str, outcome: FileOutcome) -> None:
    """Keep what became of one file of the ingest job."""
    connection.execute(
        insert(file).values(
            project_id=project_id,
            job_id=job_id,
            name=outcome.name,
            size_bytes=outcome.size_bytes,
            state=outcome.state.value,
            reason=outcome.reason,
            missing_pages=list(outcome.missing_pages),
            document_id=outcome.document_id,
            created_at=now(),
        )
    )


def outcomes(
    connection: Connection,
    project_id: str,
    *,
    job_id: str = "",
    states: Sequence[FileState] = (),
    limit: int = 100,
    offset: int = 0,
) -> list[FileOutcome]:
    """Files in the order they were read, newest batch first; of one job, or of some states, if given."""
    query = (
        select(file).where(_files(project_id, job_id, states)).order_by(file.c.id.desc()).limit(limit).offset(offset)
    )
    return [_outcome(row) for row in connection.execute(query)]


def num_files(
    connection: Connection, project_id: str, *, job_id: str = "", states: Sequence[FileState] = ()
) -> dict[FileState, int]:
    """Files by state; states without a file are left out."""
    query = select(file.c.state, func.count()).where(_files(project_id, job_id, states)).group_by(file.c.state)
    return {FileState(state): num for state, num in connection.execute(query)}


def recorded_names(connection: Connection, project_id: str, job_id: str) -> set[str]:
    """Names of the files that this ingest job has finished with."""
    return set(connection.scalars(select(file.c.name).where(_files(project_id, job_id))))


def insert_document(
    connection: Connection, project_id: str, new: NewDocument, chunks: Sequence[NewChunk], origin: str = ""
) -> bool:
    """Add a document with its chunks; False, and nothing changed, if the project already has that text."""
    if name_of(connection, project_id, new.id) is not None:
        return False
    connection.execute(
        insert(document).values(
            project_id=project_id,
            id=new.id,
            name=new.name,
            title=new.title,
            media_type=new.media_type,
            num_pages=new.num_pages,
            language=new.language,
            text=new.text,
            sections=[{"heading": one.heading, "start": one.start, "end": one.end} for one in new.sections],
            held_out=new.held_out,
            excluded=False,
            created_at=now(),
        )
    )
    insert_chunks(connection, project_id, new.id, chunks, origin)
    return True


def insert_chunks(
    connection: Connection, project_id: str, document_id: str, chunks: Sequence[NewChunk], origin: str = ""
) -> None:
    """Add chunks of a document whose ids are new to the project."""
    rows = [
        {
            "project_id": project_id,
            "origin": origin,
            "id": one.id,
            "document_id": document_id,
            "position": one.position,
            "heading": one.heading,
            "text": one.text,
            "num_tokens": one.num_tokens,
        }
        for one in chunks
    ]
    if rows:
        connection.execute(insert(chunk), rows)


def insert_passages(
    connection: Connection,
    project_id: str,
    origin: str,
    passages: Iterable[Passage],
    num_tokens: Mapping[str, int] | None = None,
) -> int:
    """Add imported passages under `origin`, keeping their ids and order; the number that was new.

    Ids that the origin already has are left as they are. `num_tokens` maps ids to counts, where they were counted.
    """
    known = set(
        connection.scalars(select(chunk.c.id).where(chunk.c.project_id == project_id, chunk.c.origin == origin))
    )
    counts = num_tokens or {}
    rows = []
    for passage in passages:
        if passage.id in known:
            continue
        known.add(passage.id)
        rows.append(
            {
                "project_id": project_id,
                "origin": origin,
                "id": passage.id,
                "document_id": passage.document,
                "position": len(known) - 1,
                "heading": passage.title,
                "text": passage.text,
                "num_tokens": counts.get(passage.id, 0),
            }
        )
    for some in portions(rows):
        connection.execute(insert(chunk), some)
    return len(rows)


def included_chunks(connection: Connection, project_id: str, origin: str = "") -> list[Chunk]:
    """What is searched and asked about: not excluded, its document not excluded, no exact duplicate; in order of creation.

    Held-out documents are included: who writes questions leaves out `held_out_documents`.
    """
    query = select(chunk).where(_included(project_id), chunk.c.origin == origin).order_by(chunk.c.seq)
    return [chunk_of(row) for row in connection.execute(query)]


def num_included(connection: Connection, project_id: str, origin: str | None = None) -> int:
    """How many chunks `included_chunks` would give, without reading them; None counts every origin."""
    query = select(func.count()).select_from(chunk).where(_included(project_id))
    return connection.scalar(query if origin is None else query.where(chunk.c.origin == origin)) or 0


def num_by_language(connection: Connection, project_id: str) -> dict[str, int]:
    """How many documents that are not left out are in each language, the most frequent first; "" where nobody knows."""
    num = func.count()
    query = select(document.c.language, num).where(document.c.project_id == project_id, document.c.excluded.is_(False))
    rows = connection.execute(query.group_by(document.c.language).order_by(num.desc(), document.c.language))
    return {language or "": int(count) for language, count in rows}


def held_out_documents(connection: Connection, project_id: str) -> set[str]:
    """Ids of documents that are searched but never a source of training questions."""
    return set(
        connection.scalars(
            select(document.c.id).where(document.c.project_id == project_id, document.c.held_out.is_(True))
        )
    )


def name_of(connection: Connection, project_id: str, document_id: str) -> str | None:
    """The name of a document, or None if the project has no such document."""
    return connection.scalar(select(document.c.name).where(_key(project_id, document_id)))


def content(connection: Connection, project_id: str, document_id: str) -> tuple[str, tuple[Section, ...]] | None:
    """The text and sections of a document, or None if there is none."""
    row = connection.execute(select(document.c.text, document.c.sections).where(_key(project_id, document_id))).first()
    return None if row is None else (row.text, tuple(Section(**one) for one in row.sections))


def document_ids(connection: Connection, project_id: str) -> list[str]:
    """Every document of the project, in the order they came in."""
    query = select(document.c.id).where(document.c.project_id == project_id)
    return list(connection.scalars(query.order_by(document.c.created_at, document.c.id)))


def document_names(connection: Connection, project_id: str) -> dict[str, str]:
    """Id to name of the project's documents, in order of name."""
    query = select(document.c.id, document.c.name).where(document.c.project_id == project_id)
    return {row.id: row.name for row in connection.execute(query.order_by(document.c.name))}


def documents(
    connection: Connection,
    project_id: str,
    *,
    text: str = "",
    excluded: bool | None = None,
    limit: int = 50,
    offset: int = 0,
) -> list[Document]:
    """Documents by name whose name, title or text contains `text`, one page of them."""
    sizes = (
        select(chunk.c.document_id, func.count().label("num"), func.sum(chunk.c.num_tokens).label("tokens"))
        .where(chunk.c.project_id == project_id)
        .group_by(chunk.c.document_id)
        .subquery()
    )
    columns = [one for one in document.c if one.name not in ("text", "sections")]
    query = (
        select(*columns, sizes.c.num, sizes.c.tokens)
        .outerjoin(sizes, sizes.c.document_id == document.c.id)
        .where(_found(project_id, text, excluded))
        .order_by(document.c.name, document.c.id)
        .limit(limit)
        .offset(offset)
    )
    return [_document(row) for row in connection.execute(query)]


def num_documents(connection: Connection, project_id: str, *, text: str = "", excluded: bool | None = None) -> int:
    """How many documents `documents` would give over all pages."""
    return connection.scalar(select(func.count()).select_from(document).where(_found(project_id, text, excluded))) or 0


def exclude_documents(connection: Connection, project_id: str, ids: Sequence[str], excluded: bool) -> int:
    """Exclude documents from everything, or take them back in; the number that changed."""
    query = update(document).where(document.c.project_id == project_id, document.c.id.in_(ids))
    return connection.execute(query.where(document.c.excluded.is_(not excluded)).values(excluded=excluded)).rowcount


def like(text: str) -> str:
    """A LIKE pattern for texts that contain `text`, to be used with escape="\\\\"."""
    return "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _key(project_id: str, document_id: str) -> ColumnElement[bool]:
    return and_(document.c.project_id == project_id, document.c.id == document_id)


def _found(project_id: str, text: str, excluded: bool | None) -> ColumnElement[bool]:
    conditions = [document.c.project_id == project_id]
    if text:
        names = (document.c.name, document.c.title, document.c.text)
        conditions.append(or_(*(column.like(like(text), escape="\\") for column in names)))
    if excluded is not None:
        conditions.append(document.c.excluded.is_(excluded))
    return and_(*conditions)


def _files(project_id: str, job_id: str = "", states: Sequence[FileState] = ()) -> ColumnElement[bool]:
    conditions = [file.c.project_id == project_id]
    if job_id:
        conditions.append(file.c.job_id == job_id)
    if states:
        conditions.append(file.c.state.in_([state.value for state in states]))
    return and_(*conditions)


def _included(project_id: str) -> ColumnElement[bool]:
    shut: Select[Any] = select(document.c.id).where(document.c.project_id == project_id, document.c.excluded.is_(True))
    return and_(
        chunk.c.project_id == project_id,
        chunk.c.excluded.is_(False),
        chunk.c.duplicate_of.is_(None),
        chunk.c.document_id.not_in(shut),
    )


def _outcome(row: Row[Any]) -> FileOutcome:
    state, missing = FileState(row.state), tuple(row.missing_pages)
    return FileOutcome(row.name, row.size_bytes, state, row.reason, missing, row.document_id)


def _document(row: Any) -> Document:
    shown = (row.id, row.name, row.title, row.media_type, row.num_pages, row.language)
    return Document(*shown, row.num or 0, row.tokens or 0, row.held_out, row.excluded, row.created_at)


def chunk_of(row: Row[Any]) -> Chunk:
    """A row of the table `chunk` as what the rest of the house sees."""
    place = (row.origin, row.id, row.document_id, row.position, row.heading, row.text, row.num_tokens)
    return Chunk(*place, row.duplicate_of, row.near_duplicate_of, row.excluded)
