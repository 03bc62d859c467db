"""The topics of `pydoc_data.topics`, which every CPython carries (PSF License), as titled documents with sections."""

import functools
from dataclasses import dataclass

from finetune_core.corpus.demo.questions import reserved_topics
from finetune_core.corpus.demo.reflow import heading_level, reflow
from finetune_core.corpus.sections import SEPARATOR, Section

MIN_SHARED_CHARS = 80  # shorter paragraphs ("New in version 3.5.") are shared by chance


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as a document. No training question may be written on it where `held_out`; it is searched all the same."""

    name: str
    title: str
    text: str
    sections: tuple[Section, ...]
    held_out: bool


@functools.cache
def topics() -> tuple[Topic, ...]:
    """Every topic of this interpreter, by name.

    Topics repeat one another ("naming" stands word for word in "execmodel"). One that shares a paragraph with a reserved
    topic is held out as well, or else training questions would be written on the very text the test asks about.
    """
    from pydoc_data.topics import topics as raw

    paragraphs = {name: _paragraphs(text) for name, text in raw.items()}
    reserved = reserved_topics()
    reserved_paragraphs = frozenset().union(*(paragraphs[name] for name in reserved if name in paragraphs))
    return tuple(
        _topic(name, raw[name], held_out=name in reserved or bool(paragraphs[name] & reserved_paragraphs))
        for name in sorted(raw)
    )


def _paragraphs(text: str) -> frozenset[str]:
    flat = (" ".join(part.split()) for part in text.split("\n\n"))
    return frozenset(part for part in flat if len(part) >= MIN_SHARED_CHARS)


def _topic(name: str, raw: str, *, held_out: bool) -> Topic:
    parts = _parts(raw)
    title = next((heading for level, heading, _ in parts if level == 1), name)
    path: list[str] = []
    sections: list[Section] = []
    text = ""
    for level, heading, body in parts:
        if level:
            path = [*path[: level - 1], heading]
        if not (lines := reflow(body)):
            continue
        start = len(text)
        text += "\n".join(lines) + "\n\n"
        sections.append(Section(SEPARATOR.join(path) or title, start, len(text)))
    return Topic(name, _plain(title), text, tuple(sections), held_out)


def _parts(raw: str) -> list[tuple[int, str, list[str]]]:
    """(level, heading, lines) of each section, in order; level 0 and heading "" for what stands above the first one."""
    parts: list[tuple[int, str, list[str]]] = [(0, "", [])]
    lines = raw.splitlines()
    position = 0
    while position < len(lines):
        following = lines[position + 1] if position + 1 < len(lines) else ""
        if level := heading_level(lines[position], following):
            parts.append((level, _plain(lines[position]), []))
            position += 2
            continue
        parts[-1][2].append(lines[position])
        position += 1
    return parts


def _plain(heading: str) -> str:
    return heading.replace('"', "").strip()
