"""Cuts examples into parts so that what is judged on was never learned from: by document, or by sections of few documents."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Protocol, TypeVar

from finetune_core.errors import DatasetError
from finetune_core.records import Corpus, QueryPassages, Record, SplitName
from finetune_core.wording import counted

MIN_GROUPS = 10
"""With fewer documents than this, parts are sections of documents, and whoever shows a verdict says so."""

MAX_VALIDATION = 400
"""Checkpoints are chosen as well on 400 questions as on more; the rest is better learned from."""

OVERSHOOT = 1.25

_GIVES_WAY = {  # which of two neighbouring sections loses a passage to the gap between them: the larger part
    frozenset((SplitName.TRAIN, SplitName.VALIDATION)): SplitName.TRAIN,
    frozenset((SplitName.TRAIN, SplitName.TEST)): SplitName.TRAIN,
    frozenset((SplitName.VALIDATION, SplitName.TEST)): SplitName.VALIDATION,
}


class Reviewable(Record, Protocol):
    """An example that a person may have looked at."""

    @property
    def reviewed(self) -> bool: ...


Grouped = TypeVar("Grouped", bound=Reviewable)


@dataclass(frozen=True)
class Cut:
    """Examples by part, in their original order.

    `rule` is "document" or "section". `num_groups` counts the documents of each part. `left_out` holds the ids of
    examples whose passage lies at a boundary between two sections.
    """

    parts: dict[SplitName, tuple[QueryPassages, ...]]
    rule: str
    num_groups: dict[SplitName, int]
    left_out: tuple[str, ...] = ()


def cut(examples: Sequence[QueryPassages], corpus: Corpus, shares: Mapping[SplitName, float], seed: int = 0) -> Cut:
    """Cut `examples` into the parts that `shares` names (positive, sum 1), the same way for the same seed and examples.

    No document straddles two parts if there are at least 10; otherwise every document that is long enough is cut into
    contiguous sections, one for each part, whose passages lie more than one passage apart in the document. Few documents
    that are all too short for that are dealt out whole. Of documents with equal claims, a test part prefers those with
    more reviewed examples.

    Raises DatasetError if a part would be empty.
    """
    sizes = Counter(example.group for example in examples)
    left_out: tuple[str, ...] = ()
    parts: dict[SplitName, tuple[QueryPassages, ...]] = {}
    rule = "section"
    if len(sizes) < MIN_GROUPS:
        parts, left_out = _by_section(examples, corpus, shares, seed)
    if not all(parts.get(name) for name in shares) and len(sizes) >= len(shares):
        parts = cut_groups(examples, shares, seed)
        rule, left_out = "document", ()
    for name in shares:
        if not parts[name]:
            raise DatasetError(
                f"{counted(len(examples), 'pair')} over {counted(len(sizes), 'document')}: too few to leave one for {name}.",
                hint="Accept more pairs, over at least 10 documents or 6 passages of one.",
            )
    num_groups = {name: len({one.group for one in parts[name]}) for name in shares}
    return Cut(parts, rule, num_groups, left_out)


def cut_groups(
    examples: Sequence[Grouped], shares: Mapping[SplitName, float], seed: int = 0
) -> dict[SplitName, tuple[Grouped, ...]]:
    """Cut examples of any kind into the parts that `shares` names, whole groups at a time, the same way for the same seed.

    Raises DatasetError where there are fewer groups than parts.
    """
    sizes = Counter(example.group for example in examples)
    if len(sizes) < len(shares):
        raise DatasetError(
            f"{counted(len(examples), 'example')} in {counted(len(sizes), 'group')}: too few to fill {len(shares)} parts.",
            hint=f"Accept at least {len(shares)} examples that are not wordings of one another.",
        )
    place = _by_document(examples, sizes, _wanted(len(examples), shares), seed)
    return {name: tuple(one for one in examples if place[one.group] == name) for name in shares}


def _wanted(num_examples: int, shares: Mapping[SplitName, float]) -> dict[SplitName, int]:
    """How many examples each part should have; what validation does not need goes to training."""
    wanted = {name: max(1, round(share * num_examples)) for name, share in shares.items()}
    if SplitName.VALIDATION in wanted:
        wanted[SplitName.VALIDATION] = min(wanted[SplitName.VALIDATION], MAX_VALIDATION)
    wanted[SplitName.TRAIN] = num_examples - sum(num for name, num in wanted.items() if name != SplitName.TRAIN)
    return wanted


def _by_document(
    examples: Sequence[Reviewable], sizes: Counter[str], wanted: Mapping[SplitName, int], seed: int
) -> dict[str, SplitName]:
    """Group to part: test is filled first, then validation; the rest trains."""
    reviewed: Counter[str] = Counter()
    for example in examples:
        reviewed[example.group] += example.reviewed
    shuffled = sorted(sizes, key=lambda group: _rank(seed, group))
    best_reviewed = sorted(shuffled, key=lambda group: -reviewed[group] / sizes[group])  # stable: ties stay shuffled
    place = dict.fromkeys(sizes, SplitName.TRAIN)
    for name, order in ((SplitName.TEST, best_reviewed), (SplitName.VALIDATION, shuffled)):
        if name in wanted:
            free = [group for group in order if place[group] == SplitName.TRAIN]
            place.update(dict.fromkeys(_filled(free, sizes, wanted[name]), name))
    return place


def _filled(groups: Sequence[str], sizes: Counter[str], wanted: int) -> list[str]:
    """Groups in order until `wanted` examples are reached, skipping those that would overshoot by far.

    At least one, and never more than half of them, so that one huge document does not push all others out of training.
    """
    chosen: list[str] = []
    num = 0
    for group in groups:
        if num >= wanted or len(chosen) == len(groups) // 2:
            break
        if num + sizes[group] <= max(OVERSHOOT * wanted, wanted + 1):
            chosen.append(group)
            num += sizes[group]
    return chosen or [min(groups, key=lambda group: (sizes[group], groups.index(group)))]


def _by_section(
    examples: Sequence[QueryPassages], corpus: Corpus, shares: Mapping[SplitName, float], seed: int
) -> tuple[dict[SplitName, tuple[QueryPassages, ...]], tuple[str, ...]]:
    """Cut each document's passages into contiguous sections, a passage apart; short documents train as a whole."""
    place_in_document = _places(corpus)
    by_group: dict[str, list[QueryPassages]] = defaultdict(list)
    for example in examples:
        by_group[example.group].append(example)
    part_of: dict[str, SplitName | None] = {}
    for group, own in sorted(by_group.items()):
        place = {example.id: place_in_document[next(iter(example.relevant))] for example in own}
        section = _sections(Counter(place.values()), shares, seed, group)
        part_of.update({example.id: section[place[example.id]] for example in own})
    parts = {name: tuple(one for one in examples if part_of[one.id] == name) for name in shares}
    return parts, tuple(one.id for one in examples if part_of[one.id] is None)


def _sections(
    num_at: Counter[int], shares: Mapping[SplitName, float], seed: int, group: str
) -> dict[int, SplitName | None]:
    """Place of a passage in its document to its part; None for the gap between two parts.

    `num_at` says how many examples lie at each place. Training takes the front or the back of a document, by the seed, so
    that the parts do not always judge endings. Each part gets at least two places, of which a gap may take one.
    """
    places = sorted(num_at)
    order = [name for name in SplitName if name in shares]
    if len(places) < 2 * len(order):
        return dict.fromkeys(places, SplitName.TRAIN)
    if _rank(seed, group) % 2:
        order.reverse()
    counts = list(accumulate(num_at[at] for at in places))
    found: dict[int, SplitName | None] = {}
    start, share = 0, 0.0
    for number, name in enumerate(order):
        share += shares[name]
        nearest = min(range(len(places)), key=lambda index: abs(counts[index] - share * counts[-1])) + 1
        end = min(max(nearest, start + 2), len(places) - 2 * (len(order) - 1 - number))
        found.update(dict.fromkeys(places[start:end], name))
        start = end
    for earlier, later in pairwise(places):
        before, after = found[earlier], found[later]
        if before and after and before != after and later - earlier <= 1:
            found[earlier if before == _GIVES_WAY[frozenset((before, after))] else later] = None
    return found


def _places(corpus: Corpus) -> dict[str, int]:
    """Passage id to its number within its document, in corpus order."""
    counts: Counter[str] = Counter()
    places = {}
    for passage in corpus:
        places[passage.id] = counts[passage.document]
        counts[passage.document] += 1
    return places


def _rank(seed: int, group: str) -> int:
    """A random-looking number that depends on nothing but its arguments."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:8], "big")
