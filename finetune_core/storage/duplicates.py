"""Which chunks repeat another one, exactly or nearly."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, select, update

from finetune_core.storage.database import portions
from finetune_core.storage.tables import chunk, document

_IS_OUT = case((chunk.c.excluded | func.coalesce(document.c.excluded, False), 1), else_=0).label("is_out")


def mark_exact(connection: Connection, project_id: str, origin: str = "") -> int:
    """Point every chunk with the heading and text of another one to the first of them that counts; how many point now.

    A chunk that is excluded, itself or with its document, stands for others only where all of them are.
    """
    wanted: dict[int, str] = {}
    for _, group in groupby(_repeated(connection, project_id, origin), key=lambda row: (row.heading, row.text)):
        members = list(group)
        first = min(members, key=lambda row: (row.is_out, row.seq))
        wanted |= {row.seq: first.id for row in members if row.seq != first.seq}
    _set(connection, _of(project_id, origin), "duplicate_of", wanted)
    return len(wanted)


def pass_on(connection: Connection, project_id: str, origin: str = "") -> None:
    """After chunks or documents were excluded or taken back: let the first that counts stand for each group marked before.

    Quicker than `mark_exact`, because texts are not compared again.
    """
    marked = standing_in(connection, project_id, origin)
    ids = sorted(marked.keys() | set(marked.values()))
    members = [row for some in portions(ids) for row in _rows(connection, project_id, origin, some)]
    groups: dict[str, list[Any]] = {}
    for row in members:
        groups.setdefault(marked.get(row.id, row.id), []).append(row)
    wanted: dict[int, str] = {}
    for group in groups.values():
        first = min(group, key=lambda row: (row.is_out, row.seq))
        wanted |= {row.seq: first.id for row in group if row.seq != first.seq}
    _set(connection, _of(project_id, origin), "duplicate_of", wanted)


def mark_near(connection: Connection, project_id: str, near: Mapping[str, str], origin: str = "") -> None:
    """Replace all near-duplicate marks of an origin by `near`: id of a chunk to id of the one it nearly repeats."""
    rows = connection.execute(select(chunk.c.seq, chunk.c.id).where(_of(project_id, origin)))
    wanted = {row.seq: near[row.id] for row in rows if row.id in near}
    _set(connection, _of(project_id, origin), "near_duplicate_of", wanted)


def standing_in(connection: Connection, project_id: str, origin: str = "") -> dict[str, str]:
    """Id of every exact duplicate to the id of the chunk that stands for it."""
    marked = and_(_of(project_id, origin), chunk.c.duplicate_of.is_not(None))
    return {
        row.id: row.duplicate_of for row in connection.execute(select(chunk.c.id, chunk.c.duplicate_of).where(marked))
    }


def _repeated(connection: Connection, project_id: str, origin: str) -> list[Any]:
    twice = (
        select(chunk.c.heading, chunk.c.text)
        .where(_of(project_id, origin))
        .group_by(chunk.c.heading, chunk.c.text)
        .having(func.count() > 1)
        .subquery()
    )
    query = (
        select(chunk.c.seq, chunk.c.id, chunk.c.heading, chunk.c.text, _IS_OUT)
        .join(twice, and_(twice.c.heading == chunk.c.heading, twice.c.text == chunk.c.text))
        .outerjoin(document, and_(document.c.project_id == project_id, document.c.id == chunk.c.document_id))
        .where(_of(project_id, origin))
        .order_by(chunk.c.heading, chunk.c.text, chunk.c.seq)
    )
    return list(connection.execute(query))


def _rows(connection: Connection, project_id: str, origin: str, ids: list[str]) -> list[Any]:
    query = (
        select(chunk.c.seq, chunk.c.id, _IS_OUT)
        .outerjoin(document, and_(document.c.project_id == project_id, document.c.id == chunk.c.document_id))
        .where(_of(project_id, origin), chunk.c.id.in_(ids))
    )
    return list(connection.execute(query))


def _set(connection: Connection, where: ColumnElement[bool], column: str, wanted: Mapping[int, str]) -> None:
    """Write only what changes, so that excluding one chunk among 100,000 writes a few rows."""
    marked = select(chunk.c.seq, chunk.c[column]).where(where, chunk.c[column].is_not(None))
    current = {row[0]: row[1] for row in connection.execute(marked)}
    changes = {seq: wanted.get(seq) for seq in current.keys() | wanted.keys() if wanted.get(seq) != current.get(seq)}
    for seq, value in changes.items():
        connection.execute(update(chunk).where(chunk.c.seq == seq).values({column: value}))


def _of(project_id: str, origin: str) -> ColumnElement[bool]:
    return and_(chunk.c.project_id == project_id, chunk.c.origin == origin)
