"""Documents cut into chunks: LlamaIndex's sentence splitter, tokens as the base model counts them, headings as context."""

import functools
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from finetune_core.corpus.sections import SEPARATOR, Section
from finetune_core.errors import CorpusError
from finetune_core.records import content_id

MIN_CHUNK_TOKENS, MAX_CHUNK_TOKENS = 32, 8192

_CHARACTERS_PER_TOKEN = 24
"""No real text has longer tokens; some tokenizers count a 10,000-letter blob as one unknown word."""

_HEADING_LINE = re.compile(r"^\s{0,3}#{1,6}\s+.*(?:\n|$)")


class TokenCounting(Protocol):
    """What the chunker needs to know of a tokenizer; `providers.tokens.TokenCounter` has it."""

    num_special_tokens: int

    def count_plain(self, text: str) -> int: ...
    def count_many(self, texts: Sequence[str]) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk of a document. `num_tokens` counts heading, text and special tokens: what the base model reads.

    `id` depends on document, heading and text alone, so that unchanged chunks keep theirs when settings change.
    """

    id: str
    position: int
    heading: str
    text: str
    num_tokens: int


class Chunker:
    """Cuts documents into chunks of at most `chunk_tokens` tokens that repeat up to `overlap_tokens` of the one before."""

    def __init__(self, counter: TokenCounting, chunk_tokens: int, overlap_tokens: int) -> None:
        """Raises CorpusError if the settings are out of bounds (see `check_settings`)."""
        check_settings(chunk_tokens, overlap_tokens)
        self._counter = counter
        self._chunk_tokens = chunk_tokens
        self._overlap_tokens = overlap_tokens
        self._size = functools.lru_cache(maxsize=20_000)(self._measure)

    def cut(self, document_id: str, text: str, sections: Sequence[Section]) -> list[NewChunk]:
        """The chunks of a document in order; [] for a text without words.

        Sections too short for a passage of their own are put together with their neighbours under the heading they
        share; no chunk otherwise crosses a heading.
        """
        pieces: list[tuple[str, str]] = []
        for heading, body in self._blocks(text, sections or (Section("", 0, len(text)),)):
            shown = self._fitting_heading(heading)
            pieces += [(shown, piece) for piece in self._split(body, self._size(shown) if shown else 0)]
        counts = self._counter.count_many([f"{heading}\n{piece}" if heading else piece for heading, piece in pieces])
        seen: Counter[tuple[str, str]] = Counter()
        chunks = []
        for position, ((heading, piece), num_tokens) in enumerate(zip(pieces, counts, strict=True)):
            chunk_id = content_id("chunk", document_id, heading, piece, str(seen[heading, piece]))
            seen[heading, piece] += 1
            chunks.append(NewChunk(chunk_id, position, heading, piece, num_tokens))
        return chunks

    def _blocks(self, text: str, sections: Sequence[Section]) -> list[tuple[str, str]]:
        """(heading, body) of each section, or of several short ones under one heading."""
        sizes = self._counter.count_many([text[section.start : section.end] for section in sections])
        blocks: list[tuple[str, str]] = []
        group: list[Section] = []
        total, short = 0, self._chunk_tokens // 3
        for section, size in zip(sections, sizes, strict=True):
            together = _shared_heading([*group, section]) if group else ""
            is_small = min(total, size) < short and total + size <= self._chunk_tokens
            if group and not (together and is_small):
                blocks.append(_block(text, group))
                group, total = [], 0
            group.append(section)
            total += size
        if group:
            blocks.append(_block(text, group))
        return [(heading, body) for heading, body in blocks if re.search(r"\w", body)]

    def _split(self, body: str, heading_tokens: int) -> list[str]:
        room = self._chunk_tokens - self._counter.num_special_tokens - heading_tokens
        splitter = _splitter(room, min(self._overlap_tokens, room // 2), self._size)
        pieces: list[str] = splitter.split_text(body)
        return pieces

    def _fitting_heading(self, heading: str) -> str:
        """At most a quarter of the chunk: the outermost headings go first, then the end of the innermost."""
        limit = self._chunk_tokens // 4
        parts = heading.split(SEPARATOR)
        while len(parts) > 1 and self._size(SEPARATOR.join(parts)) > limit:
            parts = parts[1:]
        words = SEPARATOR.join(parts).split(" ")
        while words and self._size(" ".join(words)) > limit:
            words = words[:-1]
        return " ".join(words)

    def _measure(self, text: str) -> int:
        return max(self._counter.count_plain(text), len(text) // _CHARACTERS_PER_TOKEN)


def check_settings(chunk_tokens: int, overlap_tokens: int) -> None:
    """Raises CorpusError unless 32 <= chunk_tokens <= 8192 and 0 <= overlap_tokens <= chunk_tokens / 2."""
    if not MIN_CHUNK_TOKENS <= chunk_tokens <= MAX_CHUNK_TOKENS:
        raise CorpusError(
            f"A chunk size of {chunk_tokens} tokens is outside {MIN_CHUNK_TOKENS} to {MAX_CHUNK_TOKENS}.",
            hint="Most embedding models read best at 128 to 512 tokens.",
        )
    if not 0 <= overlap_tokens <= chunk_tokens // 2:
        raise CorpusError(
            f"An overlap of {overlap_tokens} tokens is outside 0 to {chunk_tokens // 2}, half of the chunk size.",
            hint="Choose a smaller overlap or a larger chunk size.",
        )


@functools.lru_cache(maxsize=64)
def _splitter(chunk_tokens: int, overlap_tokens: int, size: Any) -> Any:
    """LlamaIndex's splitter; its tokenizer may return anything that has a length."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from llama_index.core.node_parser import SentenceSplitter

    return SentenceSplitter(
        chunk_size=chunk_tokens,
        chunk_overlap=overlap_tokens,
        tokenizer=lambda text: range(size(text)),
        paragraph_separator="\n\n",
    )


def _block(text: str, group: Sequence[Section]) -> tuple[str, str]:
    heading = _shared_heading(group)
    body = text[group[0].start : group[-1].end]
    if heading and group[0].heading == heading:
        inner = _HEADING_LINE.sub("", body, count=1)
        if not re.search(r"\w", inner):  # a heading with nothing under it is its own text
            return heading.rpartition(SEPARATOR)[0], heading.rpartition(SEPARATOR)[2]
        body = inner
    return heading, body.strip()


def _shared_heading(group: Sequence[Section]) -> str:
    shared: list[str] = []
    for parts in zip(*(section.heading.split(SEPARATOR) for section in group), strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return SEPARATOR.join(shared)
