"""Where the sentences of a passage start and end, in any language that ends them with punctuation."""

import re

_BREAK = re.compile(
    r"\n\s*\n"  # an empty line
    r"|\n(?=\s*(?:[-*•–‣▪]|\d{1,2}[.)])\s)"  # the next item of a list
    r"|(?<=[.!?…。！？])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\W_a-z]|\Z)"  # an end, and no lower-case letter after it
)
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|Dr|Mr|Mrs|Ms|Prof|St|No|Fig|Sec|cf|approx)|\b[A-Z])\.$")
_BULLET = re.compile(r"^\s*(?:[-*•–‣▪]\s+|\d{1,2}[.)]\s+)")


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """The (start, end) of each sentence or list item of `text`, in order, without bullets and outer white space.

    Line breaks within a paragraph do not end a sentence. Empty for a text without any letter or digit.
    """
    spans, start = [], 0
    for match in _BREAK.finditer(text):
        if _ABBREVIATION.search(text, start, match.start()) and "\n" not in match.group():
            continue
        spans.append((start, match.start() + len(match.group()) - len(match.group().lstrip("\"'”’)]"))))
        start = match.end()
    spans.append((start, len(text)))
    return [trimmed for span in spans if (trimmed := _trimmed(text, *span)) is not None]


def sentences(text: str) -> list[str]:
    """The sentences of `text` as they stand there, line breaks included."""
    return [text[start:end] for start, end in sentence_spans(text)]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    part = text[start:end]
    if not re.search(r"\w", part):
        return None
    bullet = _BULLET.match(part)
    start += bullet.end() if bullet else len(part) - len(part.lstrip())
    return (start, start + len(text[start:end].rstrip()))
