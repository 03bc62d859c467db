"""Decisions and edits: each names the version it saw, and each can be undone."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from finetune_core.storage.database import now, portions
from finetune_core.storage.pairs import PAIR_COLUMNS, Pair, PairState
from finetune_core.storage.tables import pair, review_step

REMEMBERED = ("state", "set_aside_by", "question", "answer", "evidence", "original", "reviewed_at")
PAUSE_S = 120.0
"""A gap between two decisions that is longer than this was a pause, not work on a pair."""


@dataclass(frozen=True)
class Undone:
    """What an undo did: the pairs it brought back (their `seq`), and how many it left because they were changed since."""

    seqs: tuple[int, ...]
    num_changed_since: int


def change(connection: Connection, project_id: str, seen: Pair, values: dict[str, Any]) -> bool:
    """Give a pair new `values` if it still has the version of `seen`; return whether it had. Can be undone."""
    changed = update(pair).where(pair.c.seq == seen.seq, pair.c.version == seen.version)
    if connection.execute(changed.values(**values, version=seen.version + 1)).rowcount == 0:
        return False
    before = {name: getattr(seen, name) for name in REMEMBERED}
    connection.execute(
        insert(review_step), [_step(project_id, uuid.uuid4().hex[:16], seen.seq, seen.version + 1, before)]
    )
    return True


def change_all(connection: Connection, project_id: str, condition: ColumnElement[bool], state: PairState) -> int:
    """Give all pairs that meet `condition` a state, as one step that one undo takes back; return how many changed."""
    names = [pair.c[name] for name in REMEMBERED]
    rows = connection.execute(select(pair.c.seq, pair.c.version, *names).where(condition, pair.c.state != state)).all()
    batch, at = uuid.uuid4().hex[:16], None if state == PairState.PENDING else now()
    steps = [_step(project_id, batch, row[0], row[1] + 1, dict(zip(REMEMBERED, row[2:], strict=True))) for row in rows]
    if steps:
        connection.execute(insert(review_step), steps)
    for some in portions([row[0] for row in rows]):
        connection.execute(
            update(pair)
            .where(pair.c.seq.in_(some))
            .values(state=state, set_aside_by="", reviewed_at=at, version=pair.c.version + 1)
        )
    return len(rows)


def undo(connection: Connection, project_id: str) -> Undone | None:
    """Take back the last step of the project, or return None where there is none.

    A pair that was changed in another way since is left as it is and counted.
    """
    newest = select(review_step.c.batch).where(review_step.c.project_id == project_id)
    batch = connection.scalar(newest.order_by(review_step.c.seq.desc()).limit(1))
    if batch is None:
        return None
    query = select(review_step.c.pair_seq, review_step.c.version, review_step.c.before)
    steps = connection.execute(query.where(review_step.c.batch == batch)).all()
    back = []
    for seq, version, before in steps:
        same = update(pair).where(pair.c.seq == seq, pair.c.version == version)
        if connection.execute(same.values(**before, version=version + 1)).rowcount:
            back.append(seq)
            _keep_undoable(connection, seq, version)
    connection.execute(delete(review_step).where(review_step.c.batch == batch))
    return Undone(tuple(back), len(steps) - len(back))


def _keep_undoable(connection: Connection, seq: int, version: int) -> None:
    """An undo changes the version too: tell the pair's earlier step, so that the undo after this one finds it."""
    earlier = select(func.max(review_step.c.seq)).where(review_step.c.pair_seq == seq, review_step.c.version < version)
    connection.execute(
        update(review_step)
        .where(review_step.c.seq == earlier.scalar_subquery(), review_step.c.version == version - 1)
        .values(version=version + 1)
    )


def can_undo(connection: Connection, project_id: str) -> bool:
    """Whether there is a step to take back."""
    return (
        connection.scalar(select(review_step.c.seq).where(review_step.c.project_id == project_id).limit(1)) is not None
    )


def pairs_per_hour(connection: Connection, project_id: str, num_last: int = 100) -> float | None:
    """The measured pace of the last decisions, pauses left out; None while fewer than 3 were made in a row.

    Pairs decided at once, by a bulk action, count as one.
    """
    times = select(pair.c.reviewed_at).where(pair.c.project_id == project_id, pair.c.reviewed_at.is_not(None))
    last = connection.scalars(times.distinct().order_by(pair.c.reviewed_at.desc()).limit(num_last + 1)).all()
    gaps = [later - earlier for later, earlier in pairwise(last) if later - earlier <= PAUSE_S]
    return 3600 * len(gaps) / sum(gaps) if len(gaps) >= 2 and sum(gaps) > 0 else None


def by_seq(connection: Connection, seqs: Sequence[int]) -> list[Pair]:
    """The pairs of those numbers, in order of creation."""
    rows = connection.execute(select(*PAIR_COLUMNS).where(pair.c.seq.in_(seqs)).order_by(pair.c.seq)).mappings()
    return [Pair(**{**row, "state": PairState(row["state"])}) for row in rows]


def _step(project_id: str, batch: str, seq: int, version: int, before: dict[str, Any]) -> dict[str, Any]:
    return {"project_id": project_id, "batch": batch, "pair_seq": seq, "version": version, "before": before}
