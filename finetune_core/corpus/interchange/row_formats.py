"""Rows of demonstrations, inputs with what a strong model or a person answered, and the forms that they come in.

Which format a file has is seen from its fields. `.jsonl`, `.json` (a list of objects), `.csv` and `.tsv`, each also as `.gz`.
A file comes in whole or not at all.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from finetune_core.corpus.interchange.rows import decoded, json_rows, table_rows
from finetune_core.errors import DatasetError

MAX_EXAMPLES = 200_000
MAX_CHARACTERS = 200_000
"""Of one example, as JSON."""
MAX_ID_LENGTH = 180

Rows = Sequence[tuple[str, Mapping[str, Any]]]
"""Where a row stands ("chats.jsonl line 3") and its fields."""


@dataclass(frozen=True, slots=True)
class Brought:
    """A record that a file brings. `split` is "" where the file names none, `where` says where it stands.

    `times` is how often the file has it. With a `failure`, a recorded model gave no answer: the record has none, and is only
    there to be counted.
    """

    example: Any
    split: str
    where: str
    failure: str = ""
    times: int = 1


@dataclass(frozen=True, slots=True)
class RowFormat:
    """A form that rows of a kind come in: its title for people, and the fields by which it is known.

    A field "a|b" is there if one of both is. `read` makes records of the rows and raises DatasetError that names a row.
    """

    title: str
    needs: tuple[str, ...]
    read: Callable[[Rows], Iterable[Brought]]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields for people, "a or b" where either will do."""
        return tuple(either.replace("|", " or ") for either in self.needs)

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether the row has the fields."""
        return all(any(name in row for name in either.split("|")) for either in self.needs)


def read_rows(path: Path, formats: Sequence[RowFormat]) -> tuple[str, list[Brought]]:
    """The title of the file's format, and what it holds, at least one record.

    Raises DatasetError that names the line, the value and the bound for whatever is wrong.
    """
    if not path.is_file():
        raise DatasetError(f"There is no file {path}.", hint="Check the path.")
    rows = list(_rows(path))
    if not rows:
        raise DatasetError(f"{path.name} has no rows.", hint=f"It should hold {_forms(formats)}.")
    if len(rows) > MAX_EXAMPLES:
        raise DatasetError(
            f"{path.name} has {len(rows):,} rows; at most {MAX_EXAMPLES:,} are read.",
            hint="Divide it into several files.",
        )
    where, first = rows[0]
    found = next((one for one in formats if one.fits(first)), None)
    if found is None:
        raise DatasetError(
            f"{where} has the fields {', '.join(map(str, first))[:120] or 'none'}, which no known format has.",
            hint=f"Known are {_forms(formats)}.",
        )
    if odd := next((place for place, row in rows if not found.fits(row)), None):
        raise DatasetError(
            f"{odd} lacks a field of the format {found.title}: {', '.join(found.fields)}.",
            hint="Complete or remove that row.",
        )
    return found.title, checked(found.read(rows))


def checked(brought: Iterable[Brought]) -> list[Brought]:
    """The same, once each is known to be short enough, storable and to have an id of its own.

    Raises DatasetError that names the first that is not.
    """
    found: list[Brought] = []
    seen: dict[str, Brought] = {}
    times: Counter[tuple[str, str]] = Counter()
    for one in brought:
        key, group = one.example.id, one.example.group
        if not 1 <= len(key) <= MAX_ID_LENGTH or not 1 <= len(group) <= MAX_ID_LENGTH:
            raise DatasetError(
                f"{one.where}: id and group have 1 to {MAX_ID_LENGTH} characters; these have {len(key)} and {len(group)}.",
                hint="Shorten them in the file.",
            )
        if key in seen and seen[key].example != one.example:
            raise DatasetError(
                f"{one.where}: the id {key!r} stands at {seen[key].where} too, for another example.",
                hint="Give each its own id, or none.",
            )
        times[key, one.split] += 1
        if key in seen and seen[key].split == one.split:
            continue  # the same row twice says nothing new
        seen[key] = one
        _check_content(one)
        found.append(one)
    return [replace(one, times=times[one.example.id, one.split]) for one in found]


def _check_content(one: Brought) -> None:
    try:
        text = json.dumps(asdict(one.example), ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"{one.where} holds half a character, so it cannot be stored: {error.reason}.",
            hint="Write the file anew as UTF-8.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{one.where} holds a value that is no JSON: {error}.", hint="Correct that row.") from error
    if len(text) > MAX_CHARACTERS:
        raise DatasetError(
            f"{one.where} has {len(text):,} characters; an example has at most {MAX_CHARACTERS:,}.",
            hint="Shorten or remove it.",
        )


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows with where they stand. A list and objects are JSON, anything else is a table, whatever the file is called."""
    first = decoded(path).lstrip()[:1]
    if first == "[":
        yield from _listed(path)
    elif first == "{":
        yield from ((f"{path.name} line {number}", row) for number, row in json_rows(path))
    else:
        yield from ((f"{path.name} row {number}", row) for number, row in table_rows(path))


def _listed(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        rows = json.loads(decoded(path))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path.name} is not JSON: {error}.", hint="Correct the file.") from error
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise DatasetError(f"{path.name}: entry {number} is no object.", hint="Each entry is one object.")
        yield f"{path.name} entry {number}", row


def _forms(formats: Sequence[RowFormat]) -> str:
    return "; ".join(f"{one.title} ({', '.join(one.fields)})" for one in formats)
