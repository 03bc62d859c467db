"""Queries and the choices they are for: what a router learns from."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange import queries as files
from finetune_core.errors import DatasetError, PairError, StaleEditError
from finetune_core.records import OUT_OF_SCOPE, SplitName, content_id
from finetune_core.storage import database, documents, reviews
from finetune_core.storage import labelled as rows
from finetune_core.storage.labelled import Choice, NewQuery, Query, QueryFilter
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.workspace import reviewing
from finetune_core.workspace.reviewing import Progress, UndoneStep

__all__ = ["OUT_OF_SCOPE", "Choice", "PairState", "Query", "QueryFilter"]

MAX_TEXT = 2000
MAX_CHOICES = 2000
EXPORTS = ("jsonl", "csv")
QUERY_FIELDS = ("id", "query", "label", "group", "split")


@dataclass(frozen=True)
class QueryView:
    """A query with others that were worded after the same seed question."""

    query: Query
    wordings: tuple[Query, ...]


@dataclass(frozen=True)
class QueryImport:
    """What an import brought: queries, those that were there already, and choices that only their labels name."""

    num_queries: int
    num_known: int
    num_new_choices: int
    splits: dict[str, int]

    @property
    def sentence(self) -> str:
        """The summary in words."""
        words = [f"Imported {self.num_queries:,} queries"]
        if self.num_known:
            words.append(f"{self.num_known:,} were there already")
        if self.num_new_choices:
            words.append(f"{self.num_new_choices:,} new choices were named by their labels; describe them")
        return "; ".join(words) + "."


def choices(project_id: str) -> list[Choice]:
    """The choices of a project in order of creation; [] where there are none."""
    with database.reading() as connection:
        return rows.choices(connection, project_id)


def documents_of(project_id: str) -> dict[str, str]:
    """Id to name of the documents that a choice can be about: the project's own, in order of name."""
    with database.reading() as connection:
        return documents.document_names(connection, project_id)


def counts(project_id: str) -> dict[str, int]:
    """How many accepted queries each label has, out of scope under ""; {} where there is no query at all."""
    found: dict[str, int] = {}
    with database.reading() as connection:
        for (label, state), num in rows.counts(connection, project_id).items():
            found[label] = found.get(label, 0) + (num if state is PairState.ACCEPTED else 0)
    return found


def save_choice(
    project_id: str, name: str, description: str = "", choice_id: str = "", documents: Sequence[str] | None = None
) -> Choice:
    """Add a choice, or change the one of that id; `documents` None leaves those as they are.

    Raises DatasetError for an empty name or one too many.
    """
    name, description = name.strip(), description.strip()
    if not 1 <= len(name) <= 200 or len(description) > MAX_TEXT:
        raise DatasetError(
            f"A choice has a name of 1 to 200 characters and a description of at most {MAX_TEXT:,}; these have "
            f"{len(name)} and {len(description):,}.",
            hint="Give it a short name.",
        )
    saved = Choice(choice_id or name, name, description, tuple(documents or ()))
    with database.writing() as connection:
        known = {one.id: one for one in rows.choices(connection, project_id)}
        if documents is None and saved.id in known:
            saved = replace(saved, documents=known[saved.id].documents)
        if not choice_id and saved.id in known:
            raise DatasetError(
                f"There is a choice called {name!r} already.", hint="Change that one, or choose another name."
            )
        _require_room(len(known | {saved.id: saved}))
        rows.save_choice(connection, project_id, saved)
    return saved


def remove_choice(project_id: str, choice_id: str) -> None:
    """Delete a choice and its queries; dataset versions that hold them stay as they are."""
    with database.writing() as connection:
        rows.remove_choice(connection, project_id, choice_id)


def add(project_id: str, texts: Iterable[str], label: str) -> int:
    """Add queries written by hand as accepted ones; how many were new.

    Raises DatasetError for an unknown label, an empty list, and a query that is too long.
    """
    written = [" ".join(text.split()) for text in texts if text.strip()]
    if not written:
        raise DatasetError("No query was written.", hint="Write one on each line.")
    if longest := next((text for text in written if len(text) > MAX_TEXT), None):
        raise DatasetError(
            f"A query has {len(longest):,} characters; at most {MAX_TEXT:,} are kept.", hint="Shorten it, or split it."
        )
    with database.writing() as connection:
        _require_known(rows.missing_labels(connection, project_id, [label]))
        ids = [content_id("query", text, label) for text in written]
        new = [NewQuery(key, text, label, key, PairSource.WRITTEN) for key, text in zip(ids, written, strict=True)]
        return rows.add(connection, project_id, new)


def page(project_id: str, chosen: QueryFilter, number: int, size: int = 50) -> tuple[list[Query], int]:
    """The queries of page `number` (0 is the first), and how many the filter has in all."""
    with database.reading() as connection:
        return rows.page(connection, project_id, chosen, number * size, size)


def decide(
    project_id: str,
    query_id: str,
    version: int,
    *,
    text: str | None = None,
    label: str | None = None,
    state: PairState | None = None,
) -> Query:
    """Give the query what is not None, as one step that undo takes back; the query as it is now.

    `version` is the one that was shown. Raises StaleEditError that says what changed since, and DatasetError for an empty or
    too long text and for a label that no choice has; nothing is written then.
    """
    given = {"query": None if text is None else " ".join(text.split()), "label": label, "state": state}
    given = {name: value for name, value in given.items() if value is not None}
    if text is not None and not 1 <= len(given["query"] or "") <= MAX_TEXT:
        raise DatasetError(f"A query has 1 to {MAX_TEXT:,} characters.", hint="Write one, or reject it.")
    with database.writing() as connection:
        _require_known(rows.missing_labels(connection, project_id, [label or OUT_OF_SCOPE]))
        found = _existing(rows.get(connection, project_id, query_id), query_id)
        values: dict[str, Any] = {name: value for name, value in given.items() if value != getattr(found, name)}
        if found.version != version and values:
            raise _stale(found)
        if values:
            if "state" in values:
                reviewed_at = None if state == PairState.PENDING else database.now()
                values |= {"set_aside_by": "", "reviewed_at": reviewed_at}
            reviews.change(connection, reviews.QUERIES, project_id, found, values)
        return _existing(rows.get(connection, project_id, query_id), query_id)


def upcoming(project_id: str, chosen: QueryFilter, after_seq: int = 0, num: int = 1) -> list[QueryView]:
    """The next `num` queries of the filter after `after_seq`, going round to the front at the end; fewer where it has
    fewer."""
    with database.reading() as connection:
        found = rows.following(connection, project_id, chosen, after_seq, num)
        if len(found) < num and after_seq > 0:
            seen = {one.seq for one in found}
            front = rows.following(connection, project_id, chosen, 0, num)
            found += [one for one in front if one.seq not in seen][: num - len(found)]
        return [QueryView(one, tuple(rows.wordings(connection, project_id, one))) for one in found]


def get(project_id: str, query_id: str) -> QueryView:
    """The query of that id. Raises DatasetError if there is none."""
    with database.reading() as connection:
        found = _existing(rows.get(connection, project_id, query_id), query_id)
        return QueryView(found, tuple(rows.wordings(connection, project_id, found)))


def progress(project_id: str, chosen: QueryFilter | None = None) -> Progress:
    """Counts in each state over the filter's other conditions, the measured pace, and whether a step can be undone."""
    with database.reading() as connection:
        counts_by_state = rows.counts_by_state(connection, project_id, chosen)
        return reviewing.progress(connection, reviews.QUERIES, project_id, counts_by_state)


def undo(project_id: str) -> UndoneStep[Query] | None:
    """Take back the last decision, edit or bulk action on queries; None where there is nothing to undo.

    Raises StaleEditError if every query of that step was changed in another way since.
    """
    with database.writing() as connection:
        done = reviews.undo(connection, reviews.QUERIES, project_id)
        if done is None:
            return None
        back = rows.by_seq(connection, done.seqs[: database.BATCH])
    reviewing.require_undone(done)
    return UndoneStep(tuple(back), len(done.seqs), done.num_changed_since)


def decide_all(project_id: str, chosen: QueryFilter, state: PairState) -> int:
    """Give all queries of a filter a state; how many changed. One undo takes all of it back."""
    with database.writing() as connection:
        return reviews.change_all(connection, reviews.QUERIES, project_id, rows.matches(project_id, chosen), state)


def import_queries(project_id: str, path: Path, split: str = "", out_of_scope: str = "") -> QueryImport:
    """Add a file's queries as accepted ones, whole or not at all; labels that no choice has become choices.

    `out_of_scope` names the label that means none of the choices. Raises DatasetError for anything wrong with the file,
    PairError for an unknown split.
    """
    if split and split not in {name.value for name in SplitName}:
        raise PairError(f"{split!r} is not a split.", hint="Choose train, validation or test.")
    found = files.read_queries(path, out_of_scope)
    if longest := next((one for one in found if len(one.query) > MAX_TEXT), None):
        raise DatasetError(
            f"The query {longest.query[:40]!r}… has {len(longest.query):,} characters; at most {MAX_TEXT:,} are kept.",
            hint="Shorten it in the file.",
        )
    new = [NewQuery(one.id, one.query, one.label, one.group, PairSource.IMPORTED, split or one.split) for one in found]
    with database.writing() as connection:
        unknown = rows.missing_labels(connection, project_id, (one.label for one in found))
        _require_room(len(rows.choices(connection, project_id)) + len(unknown))
        for label in unknown:
            rows.save_choice(connection, project_id, Choice(label, label.replace("_", " ")))
        num_added = rows.add(connection, project_id, new)
    splits: dict[str, int] = {}
    for one in new:
        splits[one.split] = splits.get(one.split, 0) + 1
    return QueryImport(num_added, len(new) - num_added, len(unknown), splits)


def import_choices(project_id: str, path: Path) -> int:
    """Add a file's choices, or describe those that are there; how many the file has. Raises DatasetError."""
    found = files.read_choices(path)
    with database.writing() as connection:
        known = {one.id: one.documents for one in rows.choices(connection, project_id)}
        _require_room(len(known.keys() | {one.id for one in found}))
        own = _document_ids(connection, project_id, found)
        for one in found:
            linked = known.get(one.id, ()) if one.documents is None else tuple(own[name] for name in one.documents)
            rows.save_choice(connection, project_id, Choice(one.id, one.name, one.description, linked))
    return len(found)


def export_file(project_id: str, path: Path, *, what: str = "queries", split: str = "") -> dict[str, Any]:
    """Write the accepted queries, or what="choices", to `path`, as JSONL or CSV by its suffix; what was written.

    Raises DatasetError where there is none, where `path` exists, and for another suffix.
    """
    file_format = path.suffix.lower().removeprefix(".")
    if file_format not in EXPORTS:
        raise DatasetError(
            f"{path.name} ends with neither {' nor '.join('.' + one for one in EXPORTS)}.",
            hint="Name it queries.jsonl.",
        )
    if path.exists():
        raise DatasetError(f"{path} exists already.", hint="Name a file that does not exist yet.")
    if what == "choices":
        columns: tuple[str, ...] = ("label", "name", "description")
        table = [dict(zip(columns, (one.id, one.name, one.description), strict=True)) for one in choices(project_id)]
    else:
        columns, table = QUERY_FIELDS, _exported(project_id, QueryFilter(PairState.ACCEPTED), split)
    if not table:
        raise DatasetError(f"There are no {what} to export.", hint="Import or write some, and accept them.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_encoded(table, columns, file_format))
    return {"path": str(path), f"num_{what}": len(table)}


def export_bytes(project_id: str, file_format: str, chosen: QueryFilter) -> bytes:
    """The queries of a filter as JSONL or CSV, in UTF-8; what `import_queries` reads back. ValueError for other formats."""
    if file_format not in EXPORTS:
        raise ValueError(f"{file_format!r} is none of {', '.join(EXPORTS)}")
    return _encoded(_exported(project_id, chosen, ""), QUERY_FIELDS, file_format)


def _exported(project_id: str, chosen: QueryFilter, split: str) -> list[dict[str, str]]:
    with database.reading() as connection:
        found, _ = rows.page(connection, project_id, chosen, 0, 10_000_000)
    return [
        dict(zip(QUERY_FIELDS, (one.id, one.query, one.label, one.seed_question, one.split), strict=True))
        for one in found
        if not split or one.split == split
    ]


def _encoded(table: list[dict[str, str]], columns: Sequence[str], file_format: str) -> bytes:
    if file_format == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in table).encode()
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns)
    writer.writeheader()
    writer.writerows(table)
    return stream.getvalue().encode("utf-8-sig")


def _document_ids(
    connection: database.Connection, project_id: str, found: Sequence[files.DescribedChoice]
) -> dict[str, str]:
    """The ids of the documents that choices of a file name. Raises DatasetError for one the project does not have."""
    names = {name: key for key, name in documents.document_names(connection, project_id).items()}
    for choice in found:
        if unknown := [name for name in choice.documents or () if name not in names]:
            raise DatasetError(
                f"The choice {choice.id!r} names the document {unknown[0]!r}, which this project does not have.",
                hint="Add it on the Corpus page first, or take the name out.",
            )
    return names


def _existing(found: Query | None, query_id: str) -> Query:
    if found is None:
        raise DatasetError(f"There is no query {query_id!r}; it may have been deleted.", hint="Reload the page.")
    return found


def _stale(now: Query) -> StaleEditError:
    return StaleEditError(
        f"This query was changed since you saw it: it is {now.state.value} now, for {now.label or 'none of the choices'}, "
        f"and says {now.query[:80]!r}. Nothing was written.",
        hint="Look at how it is now, then decide again; what you typed is still in the boxes.",
    )


def _require_room(num_choices: int) -> None:
    if num_choices > MAX_CHOICES:
        raise DatasetError(
            f"That would make {num_choices:,} choices; a router has at most {MAX_CHOICES:,}.",
            hint="Delete some, or check that the column called label holds labels.",
        )


def _require_known(unknown: list[str]) -> None:
    if unknown:
        raise DatasetError(f"There is no choice {unknown[0]!r}.", hint="Add it first, or choose another one.")
