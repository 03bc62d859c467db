"""Which passages to ask about, when there are more than one wants to pay for."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, TypeVar

from finetune_core.records import content_id


class OfDocument(Protocol):
    """What belongs to a document: a passage, or a question about one."""

    @property
    def document(self) -> str: ...


D = TypeVar("D", bound=OfDocument)


def spread_sample(passages: Sequence[D], num: int, seed: int = 0) -> list[D]:
    """`num` of the passages (0: all), spread evenly over documents and over each document's length.

    Documents take turns, each giving next the passage farthest from those it gave before. The sample of n + 1 starts
    with the sample of n, so that a larger sample never throws away what was written for a smaller one. Passages of a
    document must come in their order there.
    """
    by_document: dict[str, list[D]] = defaultdict(list)
    for passage in passages:
        by_document[passage.document].append(passage)
    queues = [
        [own[position] for position in spread_order(len(own))]
        for _, own in sorted(by_document.items(), key=lambda item: content_id(str(seed), item[0]))
    ]
    longest = max(map(len, queues), default=0)
    turns = (queue[turn] for turn in range(longest) for queue in queues if turn < len(queue))
    sample = list(turns)
    return sample[:num] if num else sample


def spread_order(num: int) -> list[int]:
    """The positions 0 to num - 1 so that every beginning of the list is spread evenly: 0, 1/2, 1/4, 3/4, 1/8, ...

    The base-2 sequence of van der Corput (1935), skipping positions that come again.
    """
    order: dict[int, None] = {}
    index = 0
    while len(order) < num:
        fraction, denominator, rest = 0.0, 1.0, index
        while rest:
            denominator *= 2
            fraction += (rest & 1) / denominator
            rest >>= 1
        order.setdefault(int(fraction * num))
        index += 1
    return list(order)
