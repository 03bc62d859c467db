"""Demonstrations: inputs with what a strong model or a person answered, for the recipes that tune language models."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from finetune_core.corpus.interchange import demonstrations as files
from finetune_core.corpus.interchange.demonstrations import WrittenFormat
from finetune_core.corpus.interchange.row_formats import RowFormat
from finetune_core.errors import DatasetError, PairError, StaleEditError
from finetune_core.records import SplitName, SqlQuestion
from finetune_core.storage import database, reviews
from finetune_core.storage import demonstrations as rows
from finetune_core.storage.demonstrations import KINDS, Demonstration, DemonstrationFilter, NewDemonstration
from finetune_core.storage.pairs import PairSource, PairState
from finetune_core.workspace import databases, demonstration_fields, import_filters, reviewing
from finetune_core.workspace.import_filters import ImportFilter, ImportPreview
from finetune_core.workspace.reviewing import Progress, UndoneStep

__all__ = ["KINDS", "Demonstration", "DemonstrationFilter", "PairState"]


NAMES = dict(zip(KINDS, ("chats", "calls", "judgements", "comparisons", "sql"), strict=True))
"""What the kinds are called in links and on the command line, by the name of the record's class."""


@dataclass(frozen=True)
class DemonstrationImport:
    """What an import brought: the file's format, new examples, those that were there already, and all by split.

    `redacted` counts the secrets that were taken out, by kind; `left_out` says in words how many rows were not taken.
    """

    file_format: str
    num_new: int
    num_known: int
    splits: dict[str, int]
    redacted: dict[str, int] = field(default_factory=dict)
    left_out: str = ""

    @property
    def sentence(self) -> str:
        """The summary in words."""
        known = f"; {self.num_known:,} were there already" if self.num_known else ""
        taken = ", ".join(f"{num:,} x {kind}" for kind, num in self.redacted.items())
        parts = [
            known,
            f"; taken out: {taken}" if taken else "",
            f"; left out: {self.left_out}" if self.left_out else "",
        ]
        return f"Imported {self.num_new:,} examples ({self.file_format}){''.join(parts)}."


def counts(project_id: str) -> dict[str, dict[PairState, int]]:
    """For each kind that the project has, how many are in each state; {} where there are none."""
    found: dict[str, dict[PairState, int]] = {}
    with database.reading() as connection:
        for (kind, state), num in rows.counts(connection, project_id).items():
            found.setdefault(kind, dict.fromkeys(PairState, 0))[state] = num
    return {kind: found[kind] for kind in KINDS if kind in found}


def progress(project_id: str, kind: str) -> Progress:
    """How far the review of a kind is."""
    with database.reading() as connection:
        found = rows.counts(connection, project_id)
        in_state = {state: found.get((kind, state), 0) for state in PairState}
        return reviewing.progress(connection, reviews.demonstrations(kind), project_id, in_state)


def upcoming(project_id: str, chosen: DemonstrationFilter, after_seq: int = 0, num: int = 1) -> list[Demonstration]:
    """The next `num` of the filter after `after_seq`, going round to the front at the end; fewer where it has fewer."""
    with database.reading() as connection:
        found = rows.following(connection, project_id, chosen, after_seq, num)
        if len(found) < num and after_seq > 0:
            seen = {one.seq for one in found}
            front = rows.following(connection, project_id, chosen, 0, num)
            found += [one for one in front if one.seq not in seen][: num - len(found)]
        return found


def page(project_id: str, chosen: DemonstrationFilter, number: int, size: int = 50) -> tuple[list[Demonstration], int]:
    """Those of page `number` (0 is the first), and how many the filter has in all."""
    with database.reading() as connection:
        return rows.page(connection, project_id, chosen, number * size, size), rows.count(
            connection, project_id, chosen
        )


def get(project_id: str, kind: str, key: str) -> Demonstration:
    """The demonstration of that id. Raises PairError if there is none."""
    with database.reading() as connection:
        return _existing(rows.get(connection, project_id, kind, key), key)


def change(
    project_id: str, seen: Demonstration, *, state: PairState | None = None, content: Mapping[str, Any] | None = None
) -> Demonstration:
    """Give a demonstration, as it was shown, a state and new values of some of its fields; what it is now.

    Raises StaleEditError if it changed since, DatasetError for a value that its kind does not take; nothing is written then.
    """
    values: dict[str, Any] = {}
    if content is not None:
        fields = seen.content | dict(content)
        example = files.read_one(seen.kind, fields | {"id": seen.id, "group": seen.group}, "This example")
        if (changed := rows.content_of(example)) != seen.content:
            values = {"content": changed, "original": seen.original or seen.content, **rows.texts_of(example)}
    if state is not None and state != seen.state:
        values |= {
            "state": state, "set_aside_by": "", "reviewed_at": None if state is PairState.PENDING else database.now(),
        }  # fmt: skip
    with database.writing() as connection:
        if values and not reviews.change(connection, reviews.demonstrations(seen.kind), project_id, seen, values):
            raise StaleEditError(
                "This example was changed elsewhere since it was shown; nothing was written.", hint="Look at it again."
            )
        return _existing(rows.get(connection, project_id, seen.kind, seen.id), seen.id)


def decide(
    project_id: str, kind: str, key: str, version: int, state: PairState, written: Mapping[str, str]
) -> Demonstration:
    """Give the example of that id a state and the texts that a person wrote in some of its fields; what it is now.

    `version` is the one that was shown. The same decision said twice, over a broken connection, is done once. Raises
    what `change` raises.
    """
    found = get(project_id, kind, key)
    content = demonstration_fields.changed(kind, found.content, written)
    if found.version != version:
        if found.state == state and not content:
            return found
        found = replace(found, version=version)  # what was shown: the change is refused, and told
    return change(project_id, found, state=state, content=content or None)


def undo(project_id: str, kind: str) -> UndoneStep[Demonstration] | None:
    """Take back the last decision, edit or bulk action on examples of a kind; None where there is nothing to undo.

    Raises StaleEditError if every example of that step was changed in another way since.
    """
    with database.writing() as connection:
        done = reviews.undo(connection, reviews.demonstrations(kind), project_id)
        if done is None:
            return None
        back = rows.by_seq(connection, done.seqs[: database.BATCH])
    reviewing.require_undone(done)
    return UndoneStep(tuple(back), len(done.seqs), done.num_changed_since)


def decide_all(project_id: str, chosen: DemonstrationFilter, state: PairState, expected: int | None = None) -> int:
    """Give every example of the filter a state; how many changed. One undo takes all of it back.

    Raises StaleEditError if `expected` is given and the filter no longer takes in that many.
    """
    with database.writing() as connection:
        num = rows.count(connection, project_id, chosen)
        if expected is not None and num != expected:
            raise StaleEditError(
                f"The filter takes in {num:,} examples now; it was {expected:,} when you asked.",
                hint="Look at the new number and confirm again.",
            )
        kind, condition = reviews.demonstrations(chosen.kind), rows.matches(project_id, chosen)
        return reviews.change_all(connection, kind, project_id, condition, state)


def add(project_id: str, kind: str, fields: Mapping[str, Any]) -> Demonstration:
    """Add an example written by hand, as accepted. Raises DatasetError for a field that is missing or cannot be, PairError
    for one that is there already.
    """
    example = files.read_one(kind, fields, "This example")
    with database.writing() as connection:
        if not rows.add(connection, project_id, [NewDemonstration(example, PairSource.WRITTEN)]):
            raise PairError("This example is there already.", hint="Find it in the table to change it.")
        return _existing(rows.get(connection, project_id, kind, example.id), example.id)


def formats(kind: str) -> Sequence[RowFormat]:
    """The forms that files of a kind may have. ValueError for an unknown kind."""
    return files.FILES[kind].formats


def export_formats(kind: str) -> Mapping[str, WrittenFormat]:
    """The forms that a kind is exported in, by name."""
    return files.FILES[kind].written


def takes_folders(kind: str) -> bool:
    """Whether a kind also comes in folders of several files, which are uploaded as a zip."""
    return kind == SqlQuestion.__name__


def look_through(kind: str, path: Path, name: str = "") -> ImportPreview:
    """What a file holds, which secrets stand in it and what could be left out; nothing is stored.

    `name` is what the person calls the file. Raises DatasetError for anything wrong with it.
    """
    with _called(path, name) as known, databases.unpacked(known) as place:
        return import_filters.preview(*files.read(place, kind))


def import_file(
    project_id: str, kind: str, path: Path, split: str = "", name: str = "", chosen: ImportFilter | None = None
) -> DemonstrationImport:
    """Add a file's examples as accepted ones, whole or not at all; `split` puts all of them into one part.

    `name` is what the person calls the file, if not as it is called. `chosen` takes secrets out of every text before anything
    is stored, and leaves examples out.

    `path` may be a `.zip` or, for SQL, a folder in Spider's form, whose databases are kept with the project. Raises
    DatasetError for anything wrong with the file, and where nothing of it is left; PairError for an unknown split,
    ProviderError for a broken database.
    """
    if split and split not in {name.value for name in SplitName}:
        raise PairError(f"{split!r} is not a split.", hint="Choose train, validation or test.")
    with _called(path, name) as known, databases.unpacked(known) as place:
        file_format, brought = files.read(place, kind)
        if kind == SqlQuestion.__name__:
            brought = databases.with_databases(project_id, brought)
    found = import_filters.filtered(brought, chosen or ImportFilter())
    if not found.brought:
        raise DatasetError(
            f"Nothing of {name or path.name} is left to learn from: {found.left_out.sentence}.",
            hint="Record answers first, or leave less out.",
        )
    new = [NewDemonstration(one.example, PairSource.IMPORTED, split or one.split) for one in found.brought]
    with database.writing() as connection:
        num_new = rows.add(connection, project_id, new)
    splits: dict[str, int] = {}
    for one in new:
        splits[one.split] = splits.get(one.split, 0) + 1
    taken = {kind.value: num for kind, num in found.secrets.items()}
    return DemonstrationImport(file_format, num_new, len(new) - num_new, splits, taken, found.left_out.sentence)


def export_bytes(project_id: str, file_format: str, chosen: DemonstrationFilter) -> bytes:
    """The examples of a filter as a file. Raises DatasetError where one does not fit into the format; ValueError for others."""
    with database.reading() as connection:
        found = ((one.example, one.split) for one in rows.each(connection, project_id, chosen))
        return files.write(found, chosen.kind, file_format)


@contextmanager
def _called(path: Path, name: str) -> Iterator[Path]:
    """The same file under the name that a person knows it by, so that what is wrong with it is told of that name."""
    if not name:
        yield path
        return
    with TemporaryDirectory() as folder:
        place = Path(folder) / Path(name).name
        place.symlink_to(path.resolve())
        yield place


def _existing(found: Demonstration | None, key: str) -> Demonstration:
    if found is None:
        raise PairError(f"There is no example {key!r}; it may have been deleted.", hint="Reload the page.")
    return found
