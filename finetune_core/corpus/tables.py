"""Rows to text: each row becomes one line that names its columns, so that a chunk of rows can be understood alone.

Lines stand apart like paragraphs, because that is where the splitter prefers to cut.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from finetune_core.corpus.parsed import Limits, Parsed
from finetune_core.corpus.sections import clean_text, markdown_sections
from finetune_core.errors import CorpusError

_HEADER_WITHIN = 10
_SAMPLE_CHARACTERS = 20_000


def parse_delimited(text: str, media_type: str) -> Parsed:
    """CSV or TSV with the delimiter it turns out to use; raises CorpusError for a file without rows."""
    csv.field_size_limit(100 << 20)
    delimiter = "\t" if media_type.endswith("tab-separated-values") else _delimiter(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise CorpusError(
            f"The table cannot be read: {error}.", hint="Open it in a spreadsheet and save it as CSV again."
        ) from error
    body = clean_text("\n\n".join(records(rows)))
    if not body:
        raise CorpusError("The table has no rows.", hint="Check that this is the right file.")
    return Parsed(body, (), media_type)


def parse_workbook(path: Path, limits: Limits) -> Parsed:
    """An XLSX workbook, sheet by sheet, each sheet under its name; raises CorpusError for one without a filled cell."""
    import openpyxl

    parts: list[str] = []
    size = 0
    with path.open("rb") as stream:  # of a path it would judge by the suffix alone
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        for sheet in workbook.worksheets:
            lines = list(records([_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)))
            if lines:
                parts.append(f"# {' '.join(sheet.title.split())}\n\n" + "\n\n".join(lines))
                size += len(parts[-1])
            if size > limits.max_unpacked_bytes:
                raise CorpusError(
                    f"The sheets hold more than {limits.max_unpacked_bytes >> 20} MB of text.",
                    hint="Split the workbook, or raise AYAR_MAX_UNPACKED_MB.",
                )
    if not parts:
        raise CorpusError("No sheet of the workbook has a filled cell.", hint="Check that this is the right file.")
    text = clean_text("\n\n".join(parts))
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    return Parsed(text, markdown_sections(text), media_type, num_pages=len(parts))


def records(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Each row with a filled cell as "Column: value; Column: value"; rows before the header as they are."""
    filled = [row for row in ([cell.strip() for cell in row] for row in rows) if any(row)]
    header_at = _header_position(filled)
    header = filled[header_at] if header_at is not None else []
    for position, row in enumerate(filled):
        if header_at is None or position < header_at:
            yield " | ".join(cell for cell in row if cell)
        elif position > header_at:
            names = [*header, *[""] * (len(row) - len(header))]
            yield "; ".join(
                f"{' '.join(name.split())}: {cell}" if name else cell
                for name, cell in zip(names, row, strict=False)
                if cell
            )
    if header_at is not None and header_at == len(filled) - 1:
        yield " | ".join(cell for cell in header if cell)


def _header_position(rows: list[list[str]]) -> int | None:
    """The first of the widest among the first rows, if all its cells are distinct words; None for a table without header."""
    head = rows[:_HEADER_WITHIN]
    if not head:
        return None
    widths = [sum(1 for cell in row if cell) for row in head]
    position = widths.index(max(widths))
    cells = [cell for cell in head[position] if cell]
    are_words = all(any(character.isalpha() for character in cell) and len(cell) <= 80 for cell in cells)
    return position if len(cells) > 1 and are_words and len(set(cells)) == len(cells) else None


def _delimiter(text: str) -> str:
    """The one of , ; tab | that cuts the first lines into the most, and equally many, cells."""
    lines = [line for line in text[:_SAMPLE_CHARACTERS].splitlines()[:20] if line.strip()]

    def evenness(delimiter: str) -> tuple[float, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        common = max(widths, key=widths.count, default=1)
        return (widths.count(common) / len(widths) if common > 1 else 0.0, common)

    try:
        return max(",;\t|", key=evenness)
    except csv.Error:
        return ","


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)
