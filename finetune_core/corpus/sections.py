"""A document's text made clean, and its headings with the stretch of text that each governs."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

SEPARATOR = " > "
"""Stands between a heading and its sub-heading in a section's heading path."""

_FENCE = re.compile(r"^\s{0,3}(```+|~~~+)")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_ANCHOR = re.compile(r"\s*\{\s*#[^}]*\}\s*$")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufeff\ufffe\uffff\u00ad\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch `text[start:end]` under one heading path ("A > B", or "" before the first heading).

    The stretch begins with its own heading line where the text has one; sections follow each other without a gap.
    """

    heading: str
    start: int
    end: int


def clean_text(text: str) -> str:
    """Composed characters (NFC), `\\n` line ends, no control characters or lone surrogates, at most one empty line in a row."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", "\n\n"))
    text = _CONTROL.sub("", text.replace("\x85", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n"))
    text = re.sub(r"[ \t\u00a0]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def markdown_sections(text: str) -> tuple[Section, ...]:
    """The sections of Markdown `text` by its `#` headings, those inside fenced code left alone; () for an empty text."""
    starts: list[tuple[int, int, str]] = []  # offset, level, title
    fence, offset = "", 0
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark and (not fence or line.strip().startswith(fence)):
            fence = "" if fence else mark.group(1)[:3]
        elif not fence and (heading := _HEADING.match(line)) and (title := plain_heading(heading.group(2))):
            starts.append((offset, len(heading.group(1)), title))
        offset += len(line)
    return sections_at(text, starts)


def sections_at(text: str, starts: Iterable[tuple[int, int, str]]) -> tuple[Section, ...]:
    """Sections from (offset, level, title) of each heading in order of offset; what stands before the first has no heading."""
    sections: list[Section] = []
    path: list[tuple[int, str]] = []
    begin, heading = 0, ""
    for offset, level, title in starts:
        if text[begin:offset].strip():
            sections.append(Section(heading, begin, offset))
            begin = offset
        path = [above for above in path if above[0] < level] + [(level, title)]
        heading = SEPARATOR.join(name for _, name in path)
    if text[begin:].strip():
        sections.append(Section(heading, begin, len(text)))
    return tuple(sections)


def plain_heading(title: str) -> str:
    """A heading's words without Markdown marks and anchors, on one line, at most 200 characters."""
    title = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", _ANCHOR.sub("", title))
    return " ".join(re.sub(r"[*_`]{1,3}(?=\S)(.+?)[*_`]{1,3}", r"\1", title).split())[:200]
