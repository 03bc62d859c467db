"""Demonstrations: inputs with what a strong model or a person answered; how they come in, are found, changed and gathered.

A demonstration is a record of one of the `KINDS`, kept as JSON, with its question and answer as texts beside it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_origin

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select

from finetune_core.evaluation.said import answer_text, question_text
from finetune_core.records import Chat, Comparison, Judgement, SplitName, SqlQuestion, ToolCall, content_id
from finetune_core.storage.database import now, portions
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.storage.tables import demonstration

KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (Chat, ToolCall, Judgement, Comparison, SqlQuestion)}
"""The kinds of record that are demonstrations, by name."""

_OWN_COLUMNS = ("id", "group", "reviewed")
"""Fields of a record that are columns of their own (`reviewed` follows from the state) and no part of its content."""
_LATER = ("rejected",)
"""Fields that what was stored before does not have."""


@dataclass(frozen=True, slots=True)
class NewDemonstration:
    """A record to add. `split` is "" unless it comes with one; `generator` says which model answered, "" if unknown.

    `set_aside_by` names the check that set it aside, where its state says that.
    """

    example: Any
    source: PairSource
    split: str = ""
    state: PairState = PairState.ACCEPTED
    generator: str = ""
    set_aside_by: str = ""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """A stored one; `version` grows with every change, and every change names the one it saw.

    `question` and `answer` are its record as texts. `original` is the content as it first was, None while nobody edited it.
    """

    seq: int
    kind: str
    id: str
    version: int
    state: PairState
    set_aside_by: str
    split: str
    group: str
    content: dict[str, Any]
    question: str
    answer: str
    source: str
    generator: str
    original: dict[str, Any] | None
    reviewed_at: float | None

    @property
    def example(self) -> Any:
        """The record it is. A chat whose answer a person edited has the answer that was there first as its rejected one."""
        content = self.content | _rejected(self.kind, self.content, self.original or {})
        return example_from(self.kind, self.id, self.group, content, reviewed=self.state == PairState.ACCEPTED)


@dataclass(frozen=True, slots=True)
class DemonstrationFilter:
    """Which demonstrations are meant: of one kind, and "" means any of the others."""

    kind: str
    state: str = ""
    split: str = ""
    source: str = ""
    text: str = ""


@dataclass(frozen=True)
class GatheredDemonstrations:
    """What a freeze starts from: records by the split they came with, those without one under TRAIN."""

    examples: dict[SplitName, tuple[Any, ...]]


COLUMNS = [column for column in demonstration.c if column.name not in ("project_id", "created_at")]


def content_of(example: Any) -> dict[str, Any]:
    """The fields of a record that are its content, as JSON; those that came later only where they are filled."""
    values = {each.name: getattr(example, each.name) for each in fields(example) if each.name not in _OWN_COLUMNS}
    values = {name: value for name, value in values.items() if value or name not in _LATER}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def example_from(kind: str, key: str, group: str, content: dict[str, Any], *, reviewed: bool) -> Any:
    """The record that `content_of` made the content of."""
    record = KINDS[kind]
    tuples = {each.name for each in fields(record) if get_origin(each.type) is tuple}
    values = {name: tuple(value) if name in tuples else value for name, value in content.items()}
    return record(id=key, group=group, reviewed=reviewed, **values)


def add(connection: Connection, project_id: str, given: Iterable[NewDemonstration]) -> int:
    """Add demonstrations that the project does not have yet; how many that were.

    An id that stands for another one already, as where two files both count from 0, gets a suffix made from the content.
    What a person has changed since it came in counts as known.
    """
    num_added = 0
    for some in portions(given):
        rows = [_row(project_id, new) for new in some]
        known = _known(connection, project_id, {key for row in rows for key in (row["id"], _own_id(row))})
        fresh = []
        for row in rows:
            same = known.get((row["kind"], row["id"]), row)
            if same is not None and not _is_same(same, row):
                row["id"] = _own_id(row)
            if (row["kind"], row["id"]) not in known:
                known[row["kind"], row["id"]] = row
                fresh.append(row)
        if fresh:
            connection.execute(insert(demonstration), fresh)
        num_added += len(fresh)
    return num_added


def get(connection: Connection, project_id: str, kind: str, key: str) -> Demonstration | None:
    """The demonstration of that kind and id, or None."""
    here = (demonstration.c.project_id == project_id, demonstration.c.kind == kind, demonstration.c.id == key)
    row = connection.execute(select(*COLUMNS).where(*here)).mappings().first()
    return _stored(row) if row else None


def following(
    connection: Connection, project_id: str, chosen: DemonstrationFilter, after_seq: int = 0, num: int = 1
) -> list[Demonstration]:
    """The next `num` of a filter after `after_seq`, in order of creation."""
    query = select(*COLUMNS).where(matches(project_id, chosen), demonstration.c.seq > after_seq)
    return [_stored(row) for row in connection.execute(query.order_by(demonstration.c.seq).limit(num)).mappings()]


def page(
    connection: Connection, project_id: str, chosen: DemonstrationFilter, offset: int, limit: int
) -> list[Demonstration]:
    """Some of a filter in order of creation."""
    query = select(*COLUMNS).where(matches(project_id, chosen)).order_by(demonstration.c.seq)
    return [_stored(row) for row in connection.execute(query.offset(offset).limit(limit)).mappings()]


def each(connection: Connection, project_id: str, chosen: DemonstrationFilter) -> Iterator[Demonstration]:
    """All of a filter in order of creation, read in portions."""
    after = 0
    while some := following(connection, project_id, chosen, after, 500):
        yield from some
        after = some[-1].seq


def by_seq(connection: Connection, seqs: Sequence[int]) -> list[Demonstration]:
    """The demonstrations of those numbers, in order of creation."""
    query = select(*COLUMNS).where(demonstration.c.seq.in_(seqs)).order_by(demonstration.c.seq)
    return [_stored(row) for row in connection.execute(query).mappings()]


def count(connection: Connection, project_id: str, chosen: DemonstrationFilter) -> int:
    """How many a filter takes in."""
    query = select(func.count()).select_from(demonstration).where(matches(project_id, chosen))
    return connection.scalar(query) or 0


def counts(connection: Connection, project_id: str) -> dict[tuple[str, PairState], int]:
    """How many there are by kind and state; {} where there are none."""
    columns = (demonstration.c.kind, demonstration.c.state)
    query = select(*columns, func.count()).where(demonstration.c.project_id == project_id).group_by(*columns)
    return {(kind, PairState(state)): num for kind, state, num in connection.execute(query)}


def gather(
    connection: Connection, project_id: str, kind: str, *, include_pending: bool = False
) -> GatheredDemonstrations:
    """The accepted records of a kind, and the pending ones if wanted, in order of creation."""
    by_split: dict[SplitName, list[Any]] = {name: [] for name in SplitName}
    states = [PairState.ACCEPTED, *([PairState.PENDING] if include_pending else [])]
    found = [one for state in states for one in each(connection, project_id, DemonstrationFilter(kind, state))]
    for one in sorted(found, key=lambda one: one.seq):
        by_split[SplitName(one.split or SplitName.TRAIN)].append(one.example)
    return GatheredDemonstrations({name: tuple(found) for name, found in by_split.items()})


def matches(project_id: str, chosen: DemonstrationFilter) -> ColumnElement[bool]:
    """The SQL condition of a filter."""
    conditions: list[ColumnElement[bool]] = [
        demonstration.c.project_id == project_id, demonstration.c.kind == chosen.kind,
    ]  # fmt: skip
    for name in ("state", "split", "source"):
        if wanted := getattr(chosen, name):
            conditions.append(demonstration.c[name] == wanted)
    if needle := chosen.text.strip():
        texts = (demonstration.c.question, demonstration.c.answer)
        conditions.append(or_(*(column.icontains(needle, autoescape=True) for column in texts)))
    return and_(*conditions)


def texts_of(example: Any) -> dict[str, str]:
    """The columns that hold a record as texts."""
    return {"question": question_text(example), "answer": answer_text(example)}


def _rejected(kind: str, content: dict[str, Any], original: dict[str, Any]) -> dict[str, Any]:
    """The answer that an edit put aside, if what is asked is still the same and no other is known to be worse."""
    is_edited = kind == Chat.__name__ and bool(original) and original["response"] != content["response"]
    if (
        not is_edited
        or content.get("rejected")
        or any(original[name] != content[name] for name in ("messages", "tools"))
    ):
        return {}
    return {"rejected": original["response"]}


def _row(project_id: str, new: NewDemonstration) -> dict[str, Any]:
    example = new.example
    return {
        "project_id": project_id, "kind": type(example).__name__, "id": example.id, "version": 1, "state": new.state,
        "split": new.split, "group": example.group, "content": content_of(example), **texts_of(example),
        "source": new.source, "generator": new.generator, "set_aside_by": new.set_aside_by, "created_at": now(),
    }  # fmt: skip


def _own_id(row: dict[str, Any]) -> str:
    return f"{row['id'][:180]}@{content_id(repr(row['content']), row['split'])}"


def _is_same(known: Any, row: dict[str, Any]) -> bool:
    """Whether both are one example; what it took to answer plays no part."""
    first, second = (
        example_from(row["kind"], row["id"], row["group"], one["content"], reviewed=True) for one in (known, row)
    )
    return bool(first == second and known["split"] == row["split"])


def _known(connection: Connection, project_id: str, ids: set[str]) -> dict[tuple[str, str], Any]:
    """Kind and id to what is stored under them; None once a person has changed it."""
    names = ("kind", "id", "version", "original", "content", "split")
    query = select(*(demonstration.c[name] for name in names)).where(
        demonstration.c.project_id == project_id, demonstration.c.id.in_(ids)
    )
    rows = connection.execute(query).mappings()
    return {(row["kind"], row["id"]): row if row["original"] is None else None for row in rows}


def _stored(row: Any) -> Demonstration:
    return replace(Demonstration(**row), state=PairState(row["state"]))
