"""Question/passage pairs: what they are, how they come in, and how they are found again among 100,000."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select, update
from sqlalchemy import insert as insert_into

from finetune_core.storage.database import now, portions
from finetune_core.storage.tables import chunk, document, pair, relevance


class PairState(StrEnum):
    """Where a pair stands: not yet looked at, taken, refused by a person, or set aside by a filter."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ASIDE = "aside"


class PairSource(StrEnum):
    """Where an example comes from: a generator, a file, a person's own hand, or a running application."""

    GENERATED = "generated"
    IMPORTED = "imported"
    WRITTEN = "written"
    RECORDED = "recorded"


@dataclass(frozen=True)
class NewPair:
    """A pair to insert.

    `grades` maps the ids of its judged passages to grades, at least one; the first is the passage the question was
    written for. `origin` is "" for chunks of the project's own documents, else the import that brought the passages.
    `split` is "" unless the pair comes with one. `outcomes` maps filter names to {"passed": bool, "score": float,
    "detail": str}.
    """

    id: str
    question: str
    grades: Mapping[str, int]
    document_id: str
    source: str
    evidence: str = ""
    answer: str = ""
    generator: str = ""
    origin: str = ""
    split: str = ""
    state: PairState = PairState.PENDING
    set_aside_by: str = ""
    outcomes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """A stored pair. `seq` is its order of creation; `version` grows with every change of question, answer or state."""

    seq: int
    id: str
    version: int
    state: PairState
    set_aside_by: str
    origin: str
    split: str
    question: str
    answer: str
    evidence: str
    chunk_id: str
    document_id: str
    source: str
    generator: str
    outcomes: dict[str, Any]
    original: dict[str, Any] | None
    reviewed_at: float | None


@dataclass(frozen=True)
class PairFilter:
    """Which pairs are meant; "" always means any.

    `outcome` is the name of the filter that set a pair aside. `text` is looked for in question and answer, upper and
    lower case alike.
    """

    state: str = ""
    document_id: str = ""
    outcome: str = ""
    text: str = ""


PAIR_COLUMNS = [column for column in pair.c if column.name not in ("project_id", "created_at")]


def insert(connection: Connection, project_id: str, pairs: Iterable[NewPair]) -> int:
    """Add pairs whose id the project does not have yet; return how many that were. Existing ones are left untouched.

    Raises ValueError for a pair without a passage.
    """
    num_inserted = 0
    for some in portions(pairs):
        known = existing_ids(connection, project_id, [new.id for new in some])
        fresh: dict[str, NewPair] = {}
        for new in some:
            if new.id not in known:
                fresh.setdefault(new.id, new)
        if fresh:
            connection.execute(insert_into(pair), [_row(project_id, new) for new in fresh.values()])
            connection.execute(
                insert_into(relevance), [row for new in fresh.values() for row in _grades(project_id, new)]
            )
            num_inserted += len(fresh)
    return num_inserted


def existing_ids(connection: Connection, project_id: str, ids: Sequence[str]) -> set[str]:
    """Those of `ids` that the project has a pair for."""
    found: set[str] = set()
    for some in portions(ids):
        found |= set(connection.scalars(select(pair.c.id).where(pair.c.project_id == project_id, pair.c.id.in_(some))))
    return found


def get(connection: Connection, project_id: str, pair_id: str) -> Pair | None:
    """The pair of that id, or None."""
    return _first(connection, select(*PAIR_COLUMNS).where(pair.c.project_id == project_id, pair.c.id == pair_id))


def by_seq(connection: Connection, seqs: Sequence[int]) -> list[Pair]:
    """The pairs of those numbers, in order of creation."""
    rows = connection.execute(select(*PAIR_COLUMNS).where(pair.c.seq.in_(seqs)).order_by(pair.c.seq)).mappings()
    return [_pair(row) for row in rows]


def following(
    connection: Connection, project_id: str, chosen: PairFilter, after_seq: int = 0, num: int = 1
) -> list[Pair]:
    """The first `num` pairs of the filter after `after_seq` in order of creation; fewer where there are fewer."""
    query = select(*PAIR_COLUMNS).where(matches(project_id, chosen), pair.c.seq > after_seq)
    return [_pair(row) for row in connection.execute(query.order_by(pair.c.seq).limit(num)).mappings()]


def page(connection: Connection, project_id: str, chosen: PairFilter, number: int, size: int = 50) -> list[Pair]:
    """Page `number` (from 0) of the filter's pairs in order of creation; empty beyond the last."""
    # The inner query walks an index alone; whole rows are read for one page only.
    wanted = (
        select(pair.c.seq).where(matches(project_id, chosen)).order_by(pair.c.seq).limit(size).offset(number * size)
    )
    seqs = list(connection.scalars(wanted))
    rows = connection.execute(select(*PAIR_COLUMNS).where(pair.c.seq.in_(seqs)).order_by(pair.c.seq))
    return [_pair(row) for row in rows.mappings()]


def each(connection: Connection, project_id: str, chosen: PairFilter, *, size: int = 1000) -> Iterator[Pair]:
    """All pairs of the filter in order of creation, read in portions so that a hundred thousand never lie in memory."""
    after = 0
    while True:
        query = select(*PAIR_COLUMNS).where(matches(project_id, chosen), pair.c.seq > after).order_by(pair.c.seq)
        portion = [_pair(row) for row in connection.execute(query.limit(size)).mappings()]
        yield from portion
        if len(portion) < size:
            return
        after = portion[-1].seq


def count(connection: Connection, project_id: str, chosen: PairFilter) -> int:
    """How many pairs the filter takes in."""
    return connection.scalar(select(func.count()).select_from(pair).where(matches(project_id, chosen))) or 0


def counts_by_state(connection: Connection, project_id: str, chosen: PairFilter | None = None) -> dict[PairState, int]:
    """Number of pairs in each state (0 where none), over the filter's other conditions; its state is not applied."""
    chosen = chosen or PairFilter()
    others = PairFilter(document_id=chosen.document_id, outcome=chosen.outcome, text=chosen.text)
    query = select(pair.c.state, func.count()).where(matches(project_id, others)).group_by(pair.c.state)
    found = {row[0]: row[1] for row in connection.execute(query)}
    return {state: found.get(state, 0) for state in PairState}


def counts_by_filter(connection: Connection, project_id: str) -> dict[str, int]:
    """Filter name to the number of pairs it has set aside, most first."""
    aside = (pair.c.project_id == project_id, pair.c.state == PairState.ASIDE)
    query = select(pair.c.set_aside_by, func.count()).where(*aside).group_by(pair.c.set_aside_by)
    return dict(Counter({row[0]: row[1] for row in connection.execute(query)}).most_common())


def documents(connection: Connection, project_id: str, *, limit: int = 2000) -> dict[str, str]:
    """Id to name of the documents that have pairs, in order of name; an import's passages go by their document's id."""
    # Distinct by skipping: each step of the recursion is one look into the index, however many pairs lie between.
    first = select(func.min(pair.c.document_id).label("id")).where(pair.c.project_id == project_id).cte(recursive=True)
    step = select(func.min(pair.c.document_id)).where(pair.c.project_id == project_id, pair.c.document_id > first.c.id)
    ids = first.union_all(select(step.scalar_subquery()).where(first.c.id.is_not(None)))
    names = and_(document.c.project_id == project_id, document.c.id == ids.c.id)
    query = select(ids.c.id, document.c.name).select_from(ids.outerjoin(document, names)).where(ids.c.id.is_not(None))
    found = {row[0]: row[1] or row[0] for row in connection.execute(query.limit(limit))}
    return dict(sorted(found.items(), key=lambda item: item[1].casefold()))


def grades(connection: Connection, project_id: str, pair_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Pair id to its judged passages (chunk id to grade; 0 or less: judged not to answer)."""
    found: dict[str, dict[str, int]] = {pair_id: {} for pair_id in pair_ids}
    for some in portions(pair_ids):
        query = select(relevance.c.pair_id, relevance.c.chunk_id, relevance.c.grade)
        here = (relevance.c.project_id == project_id, relevance.c.pair_id.in_(some))
        for pair_id, chunk_id, grade in connection.execute(query.where(*here)):
            found[pair_id][chunk_id] = grade
    return found


def record_outcomes(
    connection: Connection, project_id: str, name: str, outcomes: Mapping[str, Mapping[str, Any]]
) -> int:
    """Keep what filter `name` says of each pair id; set aside pending ones that did not pass; return how many.

    A person's decision always stands: accepted and rejected pairs keep their state, whatever the filter says.
    """
    num_aside = 0
    for some in portions(outcomes.items()):
        here = (pair.c.project_id == project_id, pair.c.id.in_([pair_id for pair_id, _ in some]))
        rows = {
            row.id: row for row in connection.execute(select(pair.c.id, pair.c.state, pair.c.outcomes).where(*here))
        }
        for pair_id, outcome in some:
            if (row := rows.get(pair_id)) is None:
                continue
            values: dict[str, Any] = {"outcomes": {**row.outcomes, name: dict(outcome)}}
            if not outcome["passed"] and row.state == PairState.PENDING:
                values |= {"state": PairState.ASIDE, "set_aside_by": name, "version": pair.c.version + 1}
                num_aside += 1
            connection.execute(update(pair).where(pair.c.project_id == project_id, pair.c.id == pair_id).values(values))
    return num_aside


def explain_aside(
    connection: Connection, project_id: str, name: str, outcomes: Mapping[str, Mapping[str, Any]]
) -> None:
    """Say of pairs that a person has set aside that it was by filter `name`, and what it found."""
    here = (pair.c.project_id == project_id, pair.c.state == PairState.ASIDE)
    for some in portions(outcomes.items()):
        ids = pair.c.id.in_([pair_id for pair_id, _ in some])
        known = {
            row.id: row.outcomes for row in connection.execute(select(pair.c.id, pair.c.outcomes).where(*here, ids))
        }
        for pair_id, outcome in some:
            if pair_id in known:
                values = {"set_aside_by": name, "outcomes": {**known[pair_id], name: dict(outcome)}}
                connection.execute(update(pair).where(*here, pair.c.id == pair_id).values(values))


def undo_filter(connection: Connection, project_id: str, name: str) -> int:
    """Bring back what filter `name` set aside, as pending, and forget its outcomes; return how many pairs came back."""
    num_back = 0
    for found in each(connection, project_id, PairFilter()):
        if name not in found.outcomes and found.set_aside_by != name:
            continue
        values: dict[str, Any] = {"outcomes": {key: value for key, value in found.outcomes.items() if key != name}}
        if found.state == PairState.ASIDE and found.set_aside_by == name:
            values |= {"state": PairState.PENDING, "set_aside_by": "", "version": pair.c.version + 1}
            num_back += 1
        connection.execute(update(pair).where(pair.c.seq == found.seq).values(values))
    return num_back


def passage(connection: Connection, project_id: str, origin: str, chunk_id: str) -> tuple[str, str, str, str]:
    """Heading, text, document id and document name of a passage; four empty strings if it is gone.

    A chunk that was cut anew is looked up by its content hash, so a pair survives a change of chunk settings only where
    the passage is still the same.
    """
    named = and_(document.c.project_id == chunk.c.project_id, document.c.id == chunk.c.document_id)
    query = select(chunk.c.heading, chunk.c.text, chunk.c.document_id, document.c.name).outerjoin(document, named)
    here = (chunk.c.project_id == project_id, chunk.c.origin == origin, chunk.c.id == chunk_id)
    row = connection.execute(query.where(*here)).first()
    return (row[0], row[1], row[2], row[3] or row[2]) if row else ("", "", "", "")


def passages_with(connection: Connection, project_id: str, text: str, limit: int) -> list[tuple[str, str, str, str]]:
    """Own passages that hold `text` in text or heading: id, heading, text, name of the document; in order of creation."""
    named = and_(document.c.project_id == chunk.c.project_id, document.c.id == chunk.c.document_id)
    query = select(chunk.c.id, chunk.c.heading, chunk.c.text, document.c.name, chunk.c.document_id).outerjoin(
        document, named
    )
    held = or_(chunk.c.text.icontains(text, autoescape=True), chunk.c.heading.icontains(text, autoescape=True))
    here = (chunk.c.project_id == project_id, chunk.c.origin == "", chunk.c.duplicate_of.is_(None), held)
    found = connection.execute(query.where(*here).order_by(chunk.c.seq).limit(limit))
    return [(row[0], row[1], row[2], row[3] or row[4]) for row in found]


def matches(project_id: str, chosen: PairFilter) -> ColumnElement[bool]:
    """The SQL condition of a filter."""
    conditions: list[ColumnElement[bool]] = [pair.c.project_id == project_id]
    if chosen.outcome:
        conditions += [pair.c.state == PairState.ASIDE, pair.c.set_aside_by == chosen.outcome]
    if chosen.state:
        conditions.append(pair.c.state == chosen.state)
    if chosen.document_id:
        conditions.append(pair.c.document_id == chosen.document_id)
    if chosen.text:
        needle = chosen.text
        # SQLite's LIKE folds the case of ASCII letters by itself; lower() on both sides would double the time.
        conditions.append(
            or_(pair.c.question.contains(needle, autoescape=True), pair.c.answer.contains(needle, autoescape=True))
        )
    return and_(*conditions)


def among(project_id: str, pair_ids: Sequence[str]) -> ColumnElement[bool]:
    """The SQL condition of being one of these pairs, at most 30,000."""
    return and_(pair.c.project_id == project_id, pair.c.id.in_(pair_ids))


def _row(project_id: str, new: NewPair) -> dict[str, Any]:
    if not new.grades:
        raise ValueError(f"pair {new.id!r} has no passage")
    return {
        "project_id": project_id, "id": new.id, "version": 1, "state": new.state, "set_aside_by": new.set_aside_by,
        "origin": new.origin, "split": new.split, "question": new.question, "answer": new.answer,
        "evidence": new.evidence, "chunk_id": next(iter(new.grades)), "document_id": new.document_id,
        "source": new.source, "generator": new.generator, "outcomes": dict(new.outcomes), "created_at": now(),
    }  # fmt: skip


def _grades(project_id: str, new: NewPair) -> Iterator[dict[str, Any]]:
    for chunk_id, grade in new.grades.items():
        yield {"project_id": project_id, "pair_id": new.id, "chunk_id": chunk_id, "grade": grade}


def _first(connection: Connection, query: Select[Any]) -> Pair | None:
    row = connection.execute(query).mappings().first()
    return _pair(row) if row else None


def _pair(row: Any) -> Pair:
    values = dict(row)
    return Pair(**{**values, "state": PairState(values["state"])})
