"""The file formats that questions with their passages come and go in: pure readers and writers.

A round trip through each that is written keeps every id, text and grade.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from finetune_core.corpus.interchange import beir, llamaindex, qasper, rows
from finetune_core.corpus.interchange.labelled import LabelledSet, Question, checked
from finetune_core.errors import DatasetError

__all__ = ["FORMATS", "WRITTEN", "LabelledSet", "Question", "checked", "read", "write"]


@dataclass(frozen=True)
class Format:
    """A file format: its title for people, the suffix of its files ("" for a folder), and how to read and write it.

    `write` is None for one that is only read.
    """

    title: str
    suffix: str
    read: Callable[[Path], LabelledSet]
    write: Callable[[LabelledSet, Path], None] | None


FORMATS = {
    "llamaindex": Format("LlamaIndex JSON", ".json", llamaindex.read, llamaindex.write),
    "beir": Format("BEIR folder", "", beir.read, beir.write),
    "jsonl": Format("JSONL", ".jsonl", rows.read_jsonl, rows.write_jsonl),
    "csv": Format("CSV", ".csv", rows.read_csv, rows.write_csv),
    "qasper": Format("QASPER JSON", ".json", qasper.read, None),
}
WRITTEN = {name: one for name, one in FORMATS.items() if one.write is not None}
"""Those of the formats that pairs are exported in."""


def named(name: str) -> Format:
    """The format of that name. Raises DatasetError that lists the known ones."""
    if name not in FORMATS:
        raise DatasetError(
            f"{name!r} is not a format Ayar reads; it reads {', '.join(FORMATS)}.", hint="Choose one of those."
        )
    return FORMATS[name]


def read(path: Path, name: str) -> LabelledSet:
    """The set in `path`. Raises DatasetError for an unknown format, a missing file, and anything wrong in it."""
    chosen = named(name)
    if not path.exists():
        raise DatasetError(f"There is no file {path}.", hint="Check the path.")
    if path.is_dir() and chosen.suffix:
        raise DatasetError(f"{path} is a folder; {chosen.title} is a file.", hint="Name the file in it.")
    return chosen.read(path)


def write(labelled: LabelledSet, path: Path, name: str) -> None:
    """Write the set to `path`, whose folder must exist. Raises DatasetError for an unknown format or one that is only read."""
    chosen = named(name)
    if chosen.write is None:
        raise DatasetError(
            f"{chosen.title} is read, not written; Ayar writes {', '.join(WRITTEN)}.", hint="Choose one of those."
        )
    chosen.write(labelled, path)
