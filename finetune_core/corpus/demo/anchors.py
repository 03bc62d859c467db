"""From a quote to the chunks that hold it, whatever the chunk size."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MIN_PART_WORDS = 4

# The marks of Sphinx's text output around code and emphasis differ between releases; words do not.
_MARKS = re.compile(r"[\"`*]")


@dataclass(frozen=True, slots=True)
class Anchor:
    """The chunks that answer (never empty, best first), and the quote in the first one's own spelling."""

    chunk_ids: tuple[str, ...]
    evidence: str


class QuoteFinder:
    """Finds quotes in chunks. Case, white space and the marks `"`, backquote and `*` do not count."""

    def __init__(self, chunks: Mapping[str, str], neighbours: Iterable[tuple[str, str]] = ()) -> None:
        """`chunks` maps ids to texts; `neighbours` are pairs of ids, one chunk following the other in a document."""
        self._chunks = dict(chunks)
        self._plain = {chunk_id: _plain(text) for chunk_id, text in self._chunks.items()}
        self._neighbours = list(neighbours)

    def find(self, quote: str) -> Anchor | None:
        """Where `quote` stands; None if it stands nowhere.

        Every chunk with the whole quote is relevant. If there is none, the quote may straddle two neighbours: then the one
        with the longer part is relevant, and the other as well if it has at least four words of it.
        """
        needle = _plain(quote)
        ids = tuple(chunk_id for chunk_id, text in self._plain.items() if _position(needle, text) >= 0)
        if ids:
            return self._anchor(ids, needle)
        return self._straddling(needle.split())

    def _straddling(self, words: list[str]) -> Anchor | None:
        for first, second in self._neighbours:
            num_head = _num_at_end(words, self._plain[first])
            num_tail = _num_at_start(words, self._plain[second])
            if not num_head or not num_tail or num_head + num_tail < len(words):
                continue
            parts = [(num_head, first, words[:num_head]), (num_tail, second, words[-num_tail:])]
            best, other = sorted(parts, key=lambda part: -part[0])
            ids = (best[1], other[1]) if other[0] >= MIN_PART_WORDS else (best[1],)
            return self._anchor(ids, " ".join(best[2]))
        return None

    def _anchor(self, ids: tuple[str, ...], needle: str) -> Anchor:
        """With the original letters of `needle` in the first chunk, from one end to the other."""
        text, start = self._chunks[ids[0]], _position(needle, self._plain[ids[0]])
        offsets = _offsets(text)
        return Anchor(ids, text[offsets[start] : offsets[start + len(needle) - 1] + 1])


def _plain(text: str) -> str:
    return " ".join(_MARKS.sub("", text).lower().split())


def _offsets(text: str) -> list[int]:
    """For each character of `_plain(text)`, where it stands in `text`."""
    offsets: list[int] = []
    at_gap = False
    for offset, character in enumerate(text):
        if character in '"`*':
            continue
        if character.isspace():
            at_gap = bool(offsets)
            continue
        if at_gap:
            offsets.append(offset - 1)
            at_gap = False
        offsets += [offset] * len(character.lower())
    return offsets


def _position(needle: str, text: str) -> int:
    """Where `needle` stands as whole words, -1 if nowhere."""
    start = text.find(needle)
    while start >= 0:
        before, after = text[:start][-1:], text[start + len(needle) :][:1]
        if not (before.isalnum() and needle[0].isalnum()) and not (after.isalnum() and needle[-1].isalnum()):
            return start
        start = text.find(needle, start + 1)
    return -1


def _num_at_end(words: list[str], text: str) -> int:
    """The most words, from the first, that `text` ends with; 0 if none."""
    return next((num for num in range(len(words) - 1, 0, -1) if f" {text}".endswith(f" {' '.join(words[:num])}")), 0)


def _num_at_start(words: list[str], text: str) -> int:
    """The most words, up to the last, that `text` begins with; 0 if none."""
    return next((num for num in range(len(words) - 1, 0, -1) if f"{text} ".startswith(f"{' '.join(words[-num:])} ")), 0)
