"""Queries with the choice each is for, and the choices: how they come in, are found, changed, and gathered for a freeze."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, select, update

from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Passage, SplitName, content_id
from finetune_core.storage.database import now, portions
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.storage.tables import choice, generation, labelled


@dataclass(frozen=True, slots=True)
class Choice:
    """Something a query can be for: a tool, an index, a department. `id` is the label that queries carry.

    `documents` are the ids of the project's documents that it is about, so that queries can be written over them.
    """

    id: str
    name: str
    description: str = ""
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewQuery:
    """A query to add. `label` is the id of a choice or `OUT_OF_SCOPE`; `seed_question` what it was worded after."""

    id: str
    query: str
    label: str
    seed_question: str
    source: PairSource
    split: str = ""
    state: PairState = PairState.ACCEPTED
    generator: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """A stored query. `seq` is its order of creation; `version` grows with every change, and every change names the one it
    saw. `set_aside_by` is the filter that set it aside, and `set_aside_why` what that found."""

    seq: int
    id: str
    version: int
    state: PairState
    set_aside_by: str
    set_aside_why: str
    split: str
    query: str
    label: str
    seed_question: str
    source: str
    reviewed_at: float | None


@dataclass(frozen=True, slots=True)
class QueryFilter:
    """Which queries are meant; "" means any. `label` is None for any, since "" is a label: out of scope."""

    state: str = ""
    label: str | None = None
    text: str = ""


@dataclass(frozen=True)
class GatheredQueries:
    """What a freeze starts from: examples by the split they came with, those without one under TRAIN, and the choices."""

    examples: dict[SplitName, tuple[Labelled, ...]]
    choices: Corpus
    num_never_reviewed: int


QUERY_COLUMNS = [labelled.c[one.name] for one in fields(Query)]


def choices(connection: Connection, project_id: str) -> list[Choice]:
    """The choices of a project in order of creation."""
    rows = connection.execute(
        select(choice.c.id, choice.c.name, choice.c.description, choice.c.documents)
        .where(choice.c.project_id == project_id)
        .order_by(choice.c.seq)
    )
    return [Choice(row.id, row.name, row.description, tuple(row.documents)) for row in rows]


def save_choice(connection: Connection, project_id: str, given: Choice) -> None:
    """Add a choice, or change the name, description and documents of the one with its id."""
    here = (choice.c.project_id == project_id, choice.c.id == given.id)
    values = {"name": given.name, "description": given.description, "documents": list(given.documents)}
    if not connection.execute(update(choice).where(*here).values(values)).rowcount:
        connection.execute(insert(choice).values(project_id=project_id, id=given.id, **values))


def remove_choice(connection: Connection, project_id: str, choice_id: str) -> None:
    """Delete a choice and the queries that are for it; what was written for it may be asked for again."""
    mine = (labelled.c.project_id == project_id, labelled.c.label == choice_id)
    asked = generation.c.example_id.in_(select(labelled.c.id).where(*mine))
    connection.execute(delete(generation).where(generation.c.project_id == project_id, asked))
    connection.execute(delete(labelled).where(*mine))
    connection.execute(delete(choice).where(choice.c.project_id == project_id, choice.c.id == choice_id))


def add(connection: Connection, project_id: str, queries: Iterable[NewQuery]) -> int:
    """Add queries that the project does not have yet; how many that were.

    An id that stands for another query already, as where two files both count from 0, gets a suffix made from the text.
    What a person has changed since it came in counts as known.
    """
    num_added = 0
    for some in portions(queries):
        contents = _contents(connection, project_id, {key for new in some for key in (new.id, _own_id(new))})
        fresh: dict[str, NewQuery] = {}
        for new in some:
            key = new.id if contents.get(new.id) in (None, _content(new)) else _own_id(new)
            if key not in contents:
                contents[key] = _content(new)
                fresh[key] = replace(new, id=key)
        if fresh:
            connection.execute(insert(labelled), [_row(project_id, new) for new in fresh.values()])
        num_added += len(fresh)
    return num_added


def page(
    connection: Connection, project_id: str, chosen: QueryFilter, offset: int, limit: int
) -> tuple[list[Query], int]:
    """Some of the queries of a filter in order of creation, and how many there are in all."""
    where = matches(project_id, chosen)
    total = connection.scalar(select(func.count()).select_from(labelled).where(where)) or 0
    rows = connection.execute(select(*QUERY_COLUMNS).where(where).order_by(labelled.c.seq).offset(offset).limit(limit))
    return [_query(row) for row in rows], total


def get(connection: Connection, project_id: str, query_id: str) -> Query | None:
    """The query of that id, or None."""
    here = (labelled.c.project_id == project_id, labelled.c.id == query_id)
    row = connection.execute(select(*QUERY_COLUMNS).where(*here)).first()
    return _query(row) if row else None


def by_seq(connection: Connection, seqs: Sequence[int]) -> list[Query]:
    """The queries of those numbers, in order of creation."""
    found = select(*QUERY_COLUMNS).where(labelled.c.seq.in_(seqs)).order_by(labelled.c.seq)
    return [_query(row) for row in connection.execute(found)]


def following(
    connection: Connection, project_id: str, chosen: QueryFilter, after_seq: int = 0, num: int = 1
) -> list[Query]:
    """The first `num` queries of the filter after `after_seq` in order of creation; fewer where there are fewer."""
    found = select(*QUERY_COLUMNS).where(matches(project_id, chosen), labelled.c.seq > after_seq)
    return [_query(row) for row in connection.execute(found.order_by(labelled.c.seq).limit(num))]


def wordings(connection: Connection, project_id: str, query: Query, limit: int = 10) -> list[Query]:
    """Other queries worded after the same seed question, in order of creation, at most `limit`."""
    here = (labelled.c.project_id == project_id, labelled.c.seed_question == query.seed_question)
    found = select(*QUERY_COLUMNS).where(*here, labelled.c.seq != query.seq).order_by(labelled.c.seq).limit(limit)
    return [_query(row) for row in connection.execute(found)]


def in_states(connection: Connection, project_id: str, states: Sequence[PairState]) -> list[Query]:
    """All queries in one of the states, those of the first state first, each in order of creation."""
    found = []
    for state in states:
        here = matches(project_id, QueryFilter(state))
        found += [
            _query(row) for row in connection.execute(select(*QUERY_COLUMNS).where(here).order_by(labelled.c.seq))
        ]
    return found


def newest(connection: Connection, project_id: str, label: str, num: int) -> list[str]:
    """The `num` newest queries of a label that nobody has refused, in order of creation."""
    here = matches(project_id, QueryFilter(label=label))
    kept = labelled.c.state.in_((PairState.ACCEPTED, PairState.PENDING))
    found = select(labelled.c.query).where(here, kept).order_by(labelled.c.seq.desc()).limit(num)
    return list(connection.scalars(found))[::-1]


def num_generated(connection: Connection, project_id: str) -> int:
    """How many queries a generator wrote, other wordings included, whatever became of them."""
    mine = (labelled.c.project_id == project_id, labelled.c.source == PairSource.GENERATED)
    return connection.scalar(select(func.count()).select_from(labelled).where(*mine)) or 0


def set_aside(connection: Connection, project_id: str, name: str, why: Mapping[str, str]) -> int:
    """Set pending queries aside by filter `name`; `why` maps their ids to what it found. How many were pending."""
    num = 0
    for query_id, detail in why.items():
        here = (labelled.c.project_id == project_id, labelled.c.id == query_id, labelled.c.state == PairState.PENDING)
        values = {"state": PairState.ASIDE, "set_aside_by": name, "set_aside_why": detail}
        changed = update(labelled).where(*here).values(**values, version=labelled.c.version + 1)
        num += connection.execute(changed).rowcount
    return num


def counts_by_state(connection: Connection, project_id: str, chosen: QueryFilter | None = None) -> dict[PairState, int]:
    """Number of queries in each state (0 where none), over the filter's other conditions; its state is not applied."""
    others = replace(chosen or QueryFilter(), state="")
    found = select(labelled.c.state, func.count()).where(matches(project_id, others)).group_by(labelled.c.state)
    by_state = {row[0]: row[1] for row in connection.execute(found)}
    return {state: by_state.get(state, 0) for state in PairState}


def counts(connection: Connection, project_id: str) -> dict[tuple[str, PairState], int]:
    """How many queries there are by label and state."""
    rows = connection.execute(
        select(labelled.c.label, labelled.c.state, func.count())
        .where(labelled.c.project_id == project_id)
        .group_by(labelled.c.label, labelled.c.state)
    )
    return {(label, PairState(state)): num for label, state, num in rows}


def gather(connection: Connection, project_id: str, *, include_pending: bool = False) -> GatheredQueries:
    """The accepted queries of a project, and the pending ones if wanted, with all its choices."""
    states = [PairState.ACCEPTED, *([PairState.PENDING] if include_pending else [])]
    rows = connection.execute(
        select(labelled)
        .where(labelled.c.project_id == project_id, labelled.c.state.in_(states))
        .order_by(labelled.c.seq)
    )
    by_split: dict[SplitName, list[Labelled]] = {name: [] for name in SplitName}
    for row in rows:
        is_reviewed = row.state == PairState.ACCEPTED
        example = Labelled(row.id, row.query, row.label, row.seed_question, is_reviewed)
        by_split[SplitName(row.split or SplitName.TRAIN)].append(example)
    passages = tuple(Passage(one.id, one.description, one.id, one.name) for one in choices(connection, project_id))
    return GatheredQueries(
        examples={name: tuple(found) for name, found in by_split.items()},
        choices=Corpus(passages),
        num_never_reviewed=sum(not one.reviewed for found in by_split.values() for one in found),
    )


def missing_labels(connection: Connection, project_id: str, labels: Iterable[str]) -> list[str]:
    """Those of the labels that are neither out of scope nor the id of a choice, in order of first appearance."""
    known = {one.id for one in choices(connection, project_id)} | {OUT_OF_SCOPE}
    return [label for label in dict.fromkeys(labels) if label not in known]


def _content(new: NewQuery) -> tuple[str, str, str]:
    return new.query, new.label, new.split


def _own_id(new: NewQuery) -> str:
    return f"{new.id}@{content_id(*_content(new))}"


def _contents(connection: Connection, project_id: str, ids: set[str]) -> dict[str, tuple[str, str, str] | None]:
    """Id to query, label and split of those that are stored; None once a person has changed one."""
    columns = (labelled.c.id, labelled.c.version, labelled.c.query, labelled.c.label, labelled.c.split)
    rows = connection.execute(select(*columns).where(labelled.c.project_id == project_id, labelled.c.id.in_(ids)))
    return {row.id: (row.query, row.label, row.split) if row.version == 1 else None for row in rows}


def matches(project_id: str, chosen: QueryFilter) -> ColumnElement[bool]:
    """The SQL condition of a filter."""
    where = [labelled.c.project_id == project_id]
    if chosen.state:
        where.append(labelled.c.state == chosen.state)
    if chosen.label is not None:
        where.append(labelled.c.label == chosen.label)
    if chosen.text.strip():
        where.append(labelled.c.query.icontains(chosen.text.strip(), autoescape=True))
    return and_(*where)


def _query(row: Any) -> Query:
    values = dict(row._mapping)
    return Query(**{**values, "state": PairState(values["state"])})


def _row(project_id: str, new: NewQuery) -> dict[str, Any]:
    names = ("id", "state", "split", "query", "label", "seed_question", "source", "generator")
    return {"project_id": project_id, "created_at": now(), **{name: getattr(new, name) for name in names}}
