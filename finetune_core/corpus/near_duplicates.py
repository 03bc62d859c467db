"""Texts that say nearly the same, found by MinHash and locality-sensitive hashing.

Source: A. Z. Broder, "On the resemblance and containment of documents", 1997; the index is datasketch's `MinHashLSH`.
A text is the set of its runs of three words; two texts resemble each other by the Jaccard index of their sets.
"""

import functools
import re
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasketch import MinHash, MinHashLSH

THRESHOLD = 0.85
NUM_PERMUTATIONS = 128
SHINGLE_WORDS = 3
SLACK = 0.1
"""How far below the threshold candidates are still proposed, so that few true pairs are missed; the estimate decides."""
MOST_ALIKE = 50
"""A text that repeats so many earlier ones is not itself compared with later ones, which repeat those as well."""

_WORD = re.compile(r"\w+")


def find_near_duplicates(
    texts: Sequence[str], threshold: float = THRESHOLD, *, checkpoint: Callable[[], None] | None = None
) -> list[tuple[int, int, float]]:
    """All pairs (i, j, estimated Jaccard) with i < j that reach `threshold` (0 to 1), in order of j, then i.

    Equal texts count as well (1.0); texts without a word match nothing. Of texts that all say the same, only the first
    `MOST_ALIKE` are told of as earlier ones, so that time and memory grow with the number of texts and not with its
    square. Use `find_originals` where one original for each text is enough. `checkpoint` is called after every text.
    """
    found: list[tuple[int, int, float]] = []
    for j, matches in _matches(texts, threshold, checkpoint, most_alike=MOST_ALIKE):
        found += [(i, j, jaccard) for i, jaccard in sorted(matches)]
    return found


def find_originals(
    texts: Sequence[str], threshold: float = THRESHOLD, *, checkpoint: Callable[[], None] | None = None
) -> dict[int, tuple[int, float]]:
    """For each text that nearly repeats an earlier one: (the earlier one that is no repetition itself, Jaccard)."""
    return {
        j: max(matches, key=lambda match: (match[1], -match[0]))
        for j, matches in _matches(texts, threshold, checkpoint, most_alike=1)
        if matches
    }


def find_alike(
    texts: Sequence[str],
    positions: Collection[int],
    threshold: float = THRESHOLD,
    *,
    most: int | None = None,
    checkpoint: Callable[[], None] | None = None,
) -> dict[int, set[int]]:
    """For each of `positions`: where the texts stand that nearly repeat the text there, {} in all for no positions.

    Memory grows with the number of positions and not with that of the texts. With `most` (>= 1), only the first so many for
    each position: then time, too, is bounded where all texts say the same. `checkpoint` is called after every text.
    """
    found: dict[int, set[int]] = {position: set() for position in sorted(set(positions))}
    if not found:
        return {}
    index = _index(threshold)
    own = {position: shingles(texts[position]) for position in found}
    sketches = {position: _sketch(runs) for position, runs in own.items() if runs}
    for position, sketch in sketches.items():
        index.insert(position, sketch, check_duplication=False)
    known = set[bytes]().union(*own.values())
    for j, text in enumerate(texts):
        if checkpoint is not None:
            checkpoint()
        runs = shingles(text)
        # Who is like one of them has most of its runs in common with all of them, which is far cheaper to see.
        if len(runs & known) <= (threshold - SLACK) * len(runs):
            continue
        sketch = _sketch(runs)
        for i in map(int, index.query(sketch)):
            if i == j or float(sketch.jaccard(sketches[i])) < threshold:
                continue
            found[i].add(j)
            if most is not None and len(found[i]) >= most:
                index.remove(i)
    return found


def shingles(text: str) -> set[bytes]:
    """The runs of three case-folded words; a text of one or two words is one run. Empty for a text without words."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    if not words:
        return set()
    if len(words) < SHINGLE_WORDS:
        return {" ".join(words).encode()}
    return {" ".join(words[at : at + SHINGLE_WORDS]).encode() for at in range(len(words) - SHINGLE_WORDS + 1)}


def _matches(
    texts: Sequence[str], threshold: float, checkpoint: Callable[[], None] | None, *, most_alike: int
) -> Iterator[tuple[int, list[tuple[int, float]]]]:
    """Each position with the earlier ones it resembles, of those that resembled fewer than `most_alike` themselves."""
    index = _index(threshold)
    sketches: dict[int, MinHash] = {}
    for j, sketch in _sketches(texts):
        if checkpoint is not None:
            checkpoint()
        if sketch is None:
            yield j, []
            continue
        scored = ((int(i), float(sketch.jaccard(sketches[int(i)]))) for i in index.query(sketch))
        matches = [(i, jaccard) for i, jaccard in scored if jaccard >= threshold]
        if len(matches) < most_alike:
            sketches[j] = sketch
            index.insert(j, sketch, check_duplication=False)
        yield j, matches


def _index(threshold: float) -> "MinHashLSH":
    from datasketch import MinHashLSH

    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be above 0 and at most 1, got {threshold}")
    return MinHashLSH(threshold=max(0.05, threshold - SLACK), num_perm=NUM_PERMUTATIONS)


def _sketches(texts: Iterable[str]) -> Iterator[tuple[int, "MinHash | None"]]:
    for position, text in enumerate(texts):
        runs = shingles(text)
        yield position, _sketch(runs) if runs else None


def _sketch(runs: set[bytes]) -> "MinHash":
    sketch = _empty().copy()
    sketch.update_batch(runs)
    return sketch


@functools.lru_cache(maxsize=1)
def _empty() -> "MinHash":
    from datasketch import MinHash

    # CRC-32 is a quarter of the time of SHA-1 here, and the permutations mix it again.
    return MinHash(num_perm=NUM_PERMUTATIONS, hashfunc=zlib.crc32)
