"""Decisions and edits of whatever people review: each names the version it saw, and each can be undone."""

import uuid
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, delete, func, insert, select, true, update

from finetune_core.storage.database import now, portions
from finetune_core.storage.pairs import PairState
from finetune_core.storage.tables import demonstration, labelled, pair, review_step

PAUSE_S = 120.0
"""A gap between two decisions that is longer than this was a pause, not work on an example."""


@dataclass(frozen=True)
class Reviewed:
    """A table of examples that people review: the column of `review_step` that names its rows, and what a step remembers.

    The table has the columns `project_id`, `seq`, `version`, `state`, `set_aside_by` and `reviewed_at`. Each kind of example
    has its own undo: a step of one kind never takes back what was done to another. Where a table holds several kinds, `kind`
    is the value of its column of that name.
    """

    table: Table
    step_seq: Column[Any]
    remembered: tuple[str, ...]
    kind: str = ""

    @property
    def rows(self) -> ColumnElement[bool]:
        """The condition of being a row of this kind."""
        return self.table.c.kind == self.kind if self.kind else true()

    @property
    def steps(self) -> ColumnElement[bool]:
        """The condition of being a step on such a row."""
        mine = self.step_seq.is_not(None)
        return and_(mine, self.step_seq.in_(select(self.table.c.seq).where(self.rows))) if self.kind else mine


PAIRS = Reviewed(
    pair, review_step.c.pair_seq,
    ("state", "set_aside_by", "question", "answer", "evidence", "original", "reviewed_at"),
)  # fmt: skip
QUERIES = Reviewed(labelled, review_step.c.labelled_seq, ("state", "set_aside_by", "query", "label", "reviewed_at"))


def demonstrations(kind: str) -> Reviewed:
    """The demonstrations of one kind of record."""
    remembered = ("state", "set_aside_by", "content", "question", "answer", "original", "reviewed_at")
    return Reviewed(demonstration, review_step.c.demonstration_seq, remembered, kind)


class Seen(Protocol):
    """A row as a person saw it; it also has an attribute for each name that is remembered."""

    @property
    def seq(self) -> int: ...
    @property
    def version(self) -> int: ...


@dataclass(frozen=True)
class Undone:
    """What an undo did: the rows it brought back (their `seq`), and how many it left because they were changed since."""

    seqs: tuple[int, ...]
    num_changed_since: int


def change(connection: Connection, kind: Reviewed, project_id: str, seen: Seen, values: dict[str, Any]) -> bool:
    """Give a row new `values` if it still has the version of `seen`; return whether it had. Can be undone."""
    rows = kind.table.c
    changed = update(kind.table).where(rows.seq == seen.seq, rows.version == seen.version)
    if connection.execute(changed.values(**values, version=seen.version + 1)).rowcount == 0:
        return False
    before = {name: getattr(seen, name) for name in kind.remembered}
    step = _step(kind, project_id, uuid.uuid4().hex[:16], seen.seq, seen.version + 1, before)
    connection.execute(insert(review_step), [step])
    return True


def change_all(
    connection: Connection, kind: Reviewed, project_id: str, condition: ColumnElement[bool], state: PairState
) -> int:
    """Give all rows that meet `condition` a state, as one step that one undo takes back; return how many changed."""
    columns = kind.table.c
    names = [columns[name] for name in kind.remembered]
    wanted = select(columns.seq, columns.version, *names).where(condition, columns.state != state)
    rows = connection.execute(wanted).all()
    batch, at = uuid.uuid4().hex[:16], None if state == PairState.PENDING else now()
    steps = [
        _step(kind, project_id, batch, row[0], row[1] + 1, dict(zip(kind.remembered, row[2:], strict=True)))
        for row in rows
    ]
    if steps:
        connection.execute(insert(review_step), steps)
    for some in portions([row[0] for row in rows]):
        connection.execute(
            update(kind.table)
            .where(columns.seq.in_(some))
            .values(state=state, set_aside_by="", reviewed_at=at, version=columns.version + 1)
        )
    return len(rows)


def undo(connection: Connection, kind: Reviewed, project_id: str) -> Undone | None:
    """Take back the last step of the project on examples of that kind, or return None where there is none.

    A row that was changed in another way since is left as it is and counted.
    """
    newest = select(review_step.c.batch).where(review_step.c.project_id == project_id, kind.steps)
    batch = connection.scalar(newest.order_by(review_step.c.seq.desc()).limit(1))
    if batch is None:
        return None
    query = select(kind.step_seq, review_step.c.version, review_step.c.before)
    steps = connection.execute(query.where(review_step.c.batch == batch)).all()
    back, rows = [], kind.table.c
    for seq, version, before in steps:
        same = update(kind.table).where(rows.seq == seq, rows.version == version)
        if connection.execute(same.values(**before, version=version + 1)).rowcount:
            back.append(seq)
            _keep_undoable(connection, kind, seq, version)
    connection.execute(delete(review_step).where(review_step.c.batch == batch))
    return Undone(tuple(back), len(steps) - len(back))


def _keep_undoable(connection: Connection, kind: Reviewed, seq: int, version: int) -> None:
    """An undo changes the version too: tell the row's earlier step, so that the undo after this one finds it."""
    earlier = select(func.max(review_step.c.seq)).where(kind.step_seq == seq, review_step.c.version < version)
    connection.execute(
        update(review_step)
        .where(review_step.c.seq == earlier.scalar_subquery(), review_step.c.version == version - 1)
        .values(version=version + 1)
    )


def can_undo(connection: Connection, kind: Reviewed, project_id: str) -> bool:
    """Whether there is a step on examples of that kind to take back."""
    mine = (review_step.c.project_id == project_id, kind.steps)
    return connection.scalar(select(review_step.c.seq).where(*mine).limit(1)) is not None


def decisions_per_hour(connection: Connection, kind: Reviewed, project_id: str, num_last: int = 100) -> float | None:
    """The measured pace of the last decisions, pauses left out; None while fewer than 3 were made in a row.

    Examples decided at once, by a bulk action, count as one.
    """
    at = kind.table.c.reviewed_at
    times = select(at).where(kind.table.c.project_id == project_id, kind.rows, at.is_not(None))
    last = connection.scalars(times.distinct().order_by(at.desc()).limit(num_last + 1)).all()
    gaps = [later - earlier for later, earlier in pairwise(last) if later - earlier <= PAUSE_S]
    return 3600 * len(gaps) / sum(gaps) if len(gaps) >= 2 and sum(gaps) > 0 else None


def _step(
    kind: Reviewed, project_id: str, batch: str, seq: int, version: int, before: dict[str, Any]
) -> dict[str, Any]:
    return {"project_id": project_id, "batch": batch, kind.step_seq.name: seq, "version": version, "before": before}
