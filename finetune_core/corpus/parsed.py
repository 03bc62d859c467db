"""What parsing a file gives, and the bounds within which it must stay."""

from dataclasses import asdict, dataclass
from typing import Any

from finetune_core.corpus.sections import Section


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one file: its size, its pages, the bytes it unpacks to, and the seconds and memory spent on it."""

    max_file_bytes: int = 200 << 20
    max_pages: int = 2000
    max_unpacked_bytes: int = 500 << 20
    timeout_s: float = 120.0
    page_timeout_s: float = 20.0
    memory_bytes: int = 4 << 30


@dataclass(frozen=True, slots=True)
class Parsed:
    """The text of a file. `missing` are the pages (lines, for JSONL) that could not be read, from 1; `reason` says why."""

    text: str
    sections: tuple[Section, ...]
    media_type: str
    title: str = ""
    num_pages: int | None = None
    missing: tuple[int, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` takes it back."""
        return asdict(self)

    @staticmethod
    def from_json(content: dict[str, Any]) -> "Parsed":
        """The inverse of `to_json`."""
        sections = tuple(Section(**one) for one in content["sections"])
        return Parsed(**{**content, "sections": sections, "missing": tuple(content["missing"])})


def number_ranges(values: tuple[int, ...]) -> str:
    """Page numbers as a person writes them: (1, 2, 3, 7) gives "1-3, 7"; at most ten runs are spelt out."""
    runs: list[list[int]] = []
    for value in values:
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    spelt = [str(low) if low == high else f"{low}-{high}" for low, high in runs[:10]]
    return ", ".join(spelt) + (", ..." if len(runs) > 10 else "")
