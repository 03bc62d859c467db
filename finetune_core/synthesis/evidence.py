"""A quote is evidence only if it stands in the passage."""

import re

from rapidfuzz import fuzz

MIN_SCORE = 85.0
MIN_CHARS = 8
_WORD = re.compile(r"\w+(?:[’'-]\w+)*", re.UNICODE)


def locate_quote(passage: str, quote: str, min_score: float = MIN_SCORE) -> str:
    """The exact part of `passage` that `quote` means, or "" if there is none.

    Models change spaces, quotation marks and single words. The best alignment (Indel similarity of at least
    `min_score`, 0 to 100) is found and widened to whole words; what comes back is always a substring of `passage`.
    Quotes shorter than MIN_CHARS letters prove nothing and are never found.
    """
    quote = quote.strip().strip("\"'“”‘’.… ").strip()
    if len(quote) < MIN_CHARS:
        return ""
    if quote in passage:
        return quote
    alignment = fuzz.partial_ratio_alignment(quote.casefold(), _same_length_lower(passage), score_cutoff=min_score)
    if alignment is None or alignment.dest_end <= alignment.dest_start:
        return ""
    start, end = _snapped(passage, alignment.dest_start, alignment.dest_end)
    found = passage[start:end]
    # A long quote of a short passage aligns with the whole of it; then the passage is not a quote of itself.
    return found if fuzz.ratio(quote.casefold(), found.casefold()) >= min_score - 5 else ""


def _same_length_lower(text: str) -> str:
    """Lower case without changing offsets ("İ" lowers to two characters)."""
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def _snapped(passage: str, start: int, end: int) -> tuple[int, int]:
    """The span widened where it cuts a word by more than half, narrowed otherwise, without outer spaces."""
    for match in _WORD.finditer(passage):
        first, last = match.span()
        middle = (first + last) / 2
        if first < start < last:
            start = first if start <= middle else last
        if first < end < last:
            end = last if end >= middle else first
    while start < end and passage[start].isspace():
        start += 1
    while end > start and passage[end - 1].isspace():
        end -= 1
    return start, end
