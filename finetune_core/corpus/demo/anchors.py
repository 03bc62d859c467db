"""From a quote to the chunks that hold it, whatever the chunk size."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MIN_PART_WORDS = 4

# The marks of Sphinx's text output around code and emphasis differ between releases; words do not.
_MARKS = re.compile(r"[\"`*]")


@dataclass(frozen=True, slots=True)
class Anchor:
    """The chunks that answer (never empty, best first), and the quote in the first one's own spelling."""

    chunk_ids: tuple[str, ...]
    evidence: str


def anchor(quote: str, chunks: Mapping[str, str], neighbours: Sequence[tuple[str, str]] = ()) -> Anchor | None:
    """Where `quote` stands in `chunks` (id to text); None if it stands nowhere.

    Case, white space and the marks `"`, backquote and `*` do not count. Every chunk with the whole quote is relevant. If
    there is none, the quote may straddle two `neighbours` (pairs of ids, one chunk following the other): then the one
    with the longer part is relevant, and the other as well if it has at least four words of it.
    """
    words = _words(quote)
    pattern = _pattern(words, prefix=r"(?<!\w)", suffix=r"(?!\w)")
    found = {chunk_id: match[0] for chunk_id, text in chunks.items() if (match := pattern.search(text))}
    if found:
        return Anchor(tuple(found), next(iter(found.values())))
    for first, second in neighbours:
        for cut in range(len(words) - 1, 0, -1):
            head, tail = words[:cut], words[cut:]
            end, start = _ending(head, chunks[first]), _beginning(tail, chunks[second])
            if end and start:
                return _straddling((first, head, end), (second, tail, start))
    return None


def _straddling(*parts: tuple[str, list[str], str]) -> Anchor:
    ranked = sorted(parts, key=lambda part: -len(part[1]))
    ids = [chunk_id for rank, (chunk_id, words, _) in enumerate(ranked) if rank == 0 or len(words) >= MIN_PART_WORDS]
    return Anchor(tuple(ids), ranked[0][2])


def _words(text: str) -> list[str]:
    return _MARKS.sub("", text).split()


def _pattern(words: list[str], *, prefix: str = "", suffix: str = "") -> re.Pattern[str]:
    gap = r"[\"`*]*(?:\s|[\"`*])+[\"`*]*"
    marks = r"[\"`*]*"
    spelled = [marks.join(re.escape(letter) for letter in word) for word in words]
    return re.compile(prefix + gap.join(spelled) + suffix, re.IGNORECASE)


def _ending(words: list[str], text: str) -> str:
    match = _pattern(words, suffix=r"[\"`*\s]*\Z").search(text)
    return match[0].strip() if match else ""


def _beginning(words: list[str], text: str) -> str:
    match = _pattern(words, prefix=r"\A[\"`*\s]*").search(text)
    return match[0].strip() if match else ""
