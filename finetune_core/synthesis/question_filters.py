"""Filters that set bad questions aside. Each is a function from questions to one `Outcome` each; none deletes anything.

They go from cheap and certain to costly and debatable, and a question is set aside by the first it fails.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

MAX_SHARED_RUN = 0.7
"""The largest part of a question's words that may stand in the passage in one run."""
NEAR_DUPLICATE = 92.0
AS_GOOD_MARGIN = 0.02
MAX_AS_NEAR = 5
ROUND_TRIP_K = 10
_BLOCK = 512
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class FilterInfo:
    """A filter as people see it. `needs_embedder` marks those that encode all chunks; `is_default` those that always run."""

    name: str
    title: str
    note: str
    is_default: bool = True
    needs_embedder: bool = False


FILTERS = {
    info.name: info
    for info in (
        FilterInfo(
            "form",
            "Form and chatter",
            "Not a question: too short or long, chatter of a model, markup, talk about “the passage”.",
        ),
        FilterInfo("evidence", "Quote not found", "The quote given as evidence does not stand in the passage."),
        FilterInfo(
            "too_close",
            "Copied from the passage",
            "Most of its words stand in the passage in one run; people do not ask like that.",
        ),
        FilterInfo("duplicate", "Duplicates", "The same question, or nearly, was asked before; the earlier one stays."),
        FilterInfo(
            "ambiguous",
            "Answered elsewhere too",
            "Another chunk is as near to the question and holds its evidence as well.",
            is_default=False,
            needs_embedder=True,
        ),
        FilterInfo(
            "round_trip",
            "Round trip",
            f"The base model does not find the question's own chunk among its first {ROUND_TRIP_K}. This removes junk, but "
            "the hard questions too, from which a model learns most: look before you use it.",
            is_default=False,
            needs_embedder=True,
        ),
    )
}
"""All filters by name, in the order in which they are applied."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question to be judged, and what it was written about. `group` is its document."""

    question: str
    passage: str
    evidence: str
    group: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a filter says of one question. The scale of `score` is the filter's own; `detail` says why, for people."""

    passed: bool
    score: float = 0.0
    detail: str = ""


_CHATTER = re.compile(
    r"^(?:sure|certainly|of course|here (?:is|are|'s)|as an ai|i(?:'m| am) sorry|okay|awesome|great)\b"
    r"|^(?:question ?\d*|q\d*|answer|note):"
    r"|\b(?:the|this|that|above|given|following|provided) "
    r"(?:passage|text|document|paragraph|context|excerpt|article|author|sentence|fact|heading|section above)\b"
    r"|\baccording to the (?:text|passage|document|author)\b|\bas an ai\b|\blanguage model\b|\bstep-by-step\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"[{}<>\[\]|\\]{1}|```|\*\*|https?://|#{2,}|\\n")
_REPEATED = re.compile(r"\b(\w+(?:[\s,]+\w+){0,3})\b(?:[\s,]+\1\b){2,}", re.IGNORECASE)
_DANGLING = frozenset({
    "a", "an", "the", "and", "or", "of", "to", "in", "for", "with", "by", "from", "at", "on", "that", "which",
    "is", "are", "my", "your", "related", "including", "as", "if", "but", "than",
})  # fmt: skip


def form(candidates: Sequence[Candidate]) -> list[Outcome]:
    """Whether each can be a question or a search at all; the score is its number of words."""
    return [_formed(candidate.question) for candidate in candidates]


def _formed(question: str) -> Outcome:
    words = _WORD.findall(question)
    letters = sum(character.isalpha() for character in question)
    checks: tuple[tuple[bool, str], ...] = (
        (len(question) < 8 or (len(words) < 2 and question.isascii()), "too short"),
        (len(question) > 300 or len(words) > 45, "too long"),
        (_CHATTER.search(question) is not None, "chatter, or talk about the passage instead of its matter"),
        (_MARKUP.search(question) is not None, "markup or code left in it"),
        (letters < 0.6 * max(1, len(re.sub(r"\s", "", question))), "hardly any letters"),
        (_REPEATED.search(question) is not None, "the same words again and again"),
        (question.count("?") > 2, "several questions in one"),
        (question.endswith("?") and len(words) > 3 and words[-1].lower() in _DANGLING, "cut off before its end"),
        (question.rstrip().endswith((",", ":", ";", "…", ",?", ".?", "...?")), "cut off before its end"),
    )
    problem = next((words_ for failed, words_ in checks if failed), "")
    return Outcome(not problem, float(len(words)), problem)


def evidence(candidates: Sequence[Candidate]) -> list[Outcome]:
    """Whether the evidence stands in the passage; a question without any never passed `locate_quote`."""
    return [
        Outcome(found, float(found), "" if found else "the quote does not stand in the passage")
        for found in (bool(candidate.evidence) and candidate.evidence in candidate.passage for candidate in candidates)
    ]


def too_close(candidates: Sequence[Candidate], max_share: float = MAX_SHARED_RUN) -> list[Outcome]:
    """Whether less than `max_share` of a question's words stand in the passage in one run; the score is that share."""
    return [_closeness(candidate, max_share) for candidate in candidates]


def _closeness(candidate: Candidate, max_share: float) -> Outcome:
    words, passage = _words(candidate.question), _words(candidate.passage)
    share = _longest_shared_run(words, passage) / len(words) if words else 0.0
    passed = share < max_share or len(words) < 5
    return Outcome(passed, round(share, 3), "" if passed else f"{share:.0%} of its words are copied in one run")


def _longest_shared_run(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest run of words that both hold, by dynamic programming over word positions."""
    places = defaultdict(list)
    for position, word in enumerate(second):
        places[word].append(position)
    best, runs = 0, dict[int, int]()
    for word in first:
        runs = {position: runs.get(position - 1, 0) + 1 for position in places.get(word, ())}
        best = max(best, max(runs.values(), default=0))
    return best


def duplicate(
    candidates: Sequence[Candidate],
    find_near: Callable[[Sequence[str]], list[tuple[int, int, float]]],
    min_ratio: float = NEAR_DUPLICATE,
) -> list[Outcome]:
    """Whether each is new among those before it; of equal questions the earliest stays. The score is the likeness (0 to 100).

    Within a document all are compared (rapidfuzz's token sort ratio of at least `min_ratio`), across documents only those
    that `find_near` (MinHash) calls alike.
    """
    texts = [" ".join(_words(candidate.question)) for candidate in candidates]
    found: dict[int, tuple[int, float]] = {}
    first_of: dict[str, int] = {}
    for position, text in enumerate(texts):
        if (first := first_of.setdefault(text, position)) != position:
            found[position] = (first, 100.0)
    for earlier, later, likeness in find_near(texts):
        found.setdefault(later, (earlier, 100 * likeness))
    _add_alike_within_groups(candidates, texts, min_ratio, found)
    return [
        Outcome(False, round(found[position][1], 1), f"like “{candidates[_kept(found, position)].question}”")
        if position in found
        else Outcome(True)
        for position in range(len(candidates))
    ]


def _add_alike_within_groups(
    candidates: Sequence[Candidate], texts: Sequence[str], min_ratio: float, found: dict[int, tuple[int, float]]
) -> None:
    from rapidfuzz import fuzz, process

    groups = defaultdict(list)
    for position, candidate in enumerate(candidates):
        if position not in found:
            groups[candidate.group].append(position)
    for members in groups.values():
        for own, position in enumerate(members):
            earlier = [texts[other] for other in members[:own] if other not in found]
            places = [other for other in members[:own] if other not in found]
            match = process.extractOne(texts[position], earlier, scorer=fuzz.token_sort_ratio, score_cutoff=min_ratio)
            if match is not None:
                found[position] = (places[match[2]], match[1])


def _kept(found: dict[int, tuple[int, float]], position: int) -> int:
    """Follow a chain of duplicates to the one that stays."""
    while position in found:
        position = found[position][0]
    return position


@dataclass(frozen=True)
class Neighbours:
    """What a base model thinks of each question: its own chunk's rank (1 is first) and the other chunks about as near.

    `ranks` (Q,) holds 1 + the number of nearer chunks; `nums_as_near` (Q,) counts other chunks at most AS_GOOD_MARGIN
    farther than the own; `nearest` holds the positions of up to 20 of those, nearest first. Near-duplicates of the own
    chunk are counted nowhere.
    """

    ranks: NDArray[np.int64]
    nums_as_near: NDArray[np.int64]
    nearest: tuple[tuple[int, ...], ...]


def neighbours(
    query_QD: Vectors,
    passage_PD: Vectors,
    own_Q: NDArray[np.int64],
    twins_P: NDArray[np.int64],
    checkpoint: Callable[[], None],
) -> Neighbours:
    """Compare L2-normalised questions (Q, D) with all chunks (P, D), exactly and in blocks.

    `own_Q` holds the position of each question's chunk; chunks with equal numbers in `twins_P` are near-duplicates.
    """
    ranks, counts, nearest = [], [], []
    for start in range(0, len(query_QD), _BLOCK):
        checkpoint()
        own = own_Q[start : start + _BLOCK]
        scores_BP = query_QD[start : start + _BLOCK] @ passage_PD.T
        own_B = scores_BP[np.arange(len(own)), own]
        scores_BP[twins_P[own][:, None] == twins_P[None, :]] = -np.inf
        ranks.append(1 + (scores_BP > own_B[:, None]).sum(axis=1))
        as_near_BP = scores_BP >= own_B[:, None] - AS_GOOD_MARGIN
        counts.append(as_near_BP.sum(axis=1))
        for row, near in zip(scores_BP, as_near_BP, strict=True):
            places = np.flatnonzero(near)
            nearest.append(tuple(int(place) for place in places[np.argsort(-row[places], kind="stable")][:20]))
    empty = np.zeros(0, np.int64)
    return Neighbours(np.concatenate([empty, *ranks]), np.concatenate([empty, *counts]), tuple(nearest))


def ambiguous(candidates: Sequence[Candidate], near: Neighbours, passages: Sequence[str]) -> list[Outcome]:
    """Whether no other chunk that is as near holds the evidence as well (four fifths of its longer words).

    Where a question has no evidence, it fails if MAX_AS_NEAR other chunks are as near. The score is the number as near.
    """
    words_of = {place: set(_words(passages[place])) for places in near.nearest for place in places}
    outcomes = []
    for candidate, places, num_near in zip(candidates, near.nearest, near.nums_as_near, strict=True):
        wanted = {word for word in _words(candidate.evidence) if len(word) > 3}
        if len(wanted) >= 4:
            holds = sum(len(wanted & words_of[place]) >= 0.8 * len(wanted) for place in places)
            detail = f"{holds} other chunk(s) hold the evidence too" if holds else ""
        else:
            holds = int(num_near >= MAX_AS_NEAR)
            detail = f"{num_near} other chunks are as near" if holds else ""
        outcomes.append(Outcome(not holds, float(num_near), detail))
    return outcomes


def round_trip(near: Neighbours, k: int = ROUND_TRIP_K) -> list[Outcome]:
    """Whether the base model finds the question's own chunk among the first `k`; the score is its rank."""
    return [
        Outcome(rank <= k, float(rank), "" if rank <= k else f"its own chunk comes at rank {rank}")
        for rank in near.ranks
    ]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
