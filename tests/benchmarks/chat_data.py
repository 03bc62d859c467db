"""The data of the benchmarks of chat recipes: read by the importers, split by group with a seed, a sample of each part."""

import gzip
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from finetune_core.corpus.interchange import demonstrations
from finetune_core.records import Comparison, Judgement, Part, Split, SplitName, SqlQuestion, ToolCall

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where the data is looked for: the folder `shared` beside the project."""
VALIDATION_DATABASES = ("museum_visit", "employee_hire_evaluation")


class Size(NamedTuple):
    """At most so many examples of each part."""

    train: int
    validation: int
    test: int


def restaurants8k(size: Size, seed: int) -> Split[ToolCall]:
    """Coope et al., Span-ConveRT, 2020: its own test part; the rest by utterance."""
    return _by_group(*_own_test("structured/restaurants8k/norm/items.jsonl", ToolCall), size, seed)


def bfcl(size: Size, seed: int) -> Split[ToolCall]:
    """Patil et al., The Berkeley Function Calling Leaderboard, 2025: split by set of functions."""
    return _by_group(_read("tools/bfcl-v4-nonlive/norm/cases.jsonl.gz", ToolCall)["all"], (), size, seed)


def feedbackqa(size: Size, seed: int) -> Split[Judgement]:
    """Li et al., Using Interactive Feedback, 2022, the part CDC: its validation part is learned from, its test part graded."""
    return _by_group(*_own_test("judge/feedbackqa-cdc-ratings/norm/ratings.jsonl.gz", Judgement), size, seed)


def pandalm(size: Size, seed: int) -> Split[Comparison]:
    """Wang et al., PandaLM, 2023: the pairs that people voted on, split by instruction."""
    return _by_group(_read("judge/pandalm-testset/norm/pairs.jsonl", Comparison)["all"], (), size, seed)


def spider(size: Size, seed: int) -> Split[SqlQuestion]:
    """Yu et al., Spider, 2018, its development databases: no database is in two parts, each part balanced over its own."""
    folder = DATA / "text2sql" / "spider-dev"
    parts: dict[SplitName, dict[str, list[SqlQuestion]]] = {name: defaultdict(list) for name in SplitName}
    for row in _lines(folder / "questions.jsonl"):
        name, path = row["db_id"], folder / "database" / row["db_id"]
        question = SqlQuestion(
            row["id"], row["question"], path.with_suffix(".schema.sql").read_text(encoding="utf-8"), row["gold_sql"][0],
            name, f"sqlite:///{path.with_suffix('.sqlite')}",
        )  # fmt: skip
        fold = SplitName.TEST if row["fold"] == "eval" else SplitName.TRAIN
        parts[SplitName.VALIDATION if name in VALIDATION_DATABASES else fold][name].append(question)
    drawn = {
        name: _balanced(parts[name], num, seed if name is SplitName.TRAIN else 0)
        for name, num in zip(SplitName, size, strict=True)
    }
    return _split(drawn, f"spider-{size}-{seed}")


TASKS: dict[str, tuple[str, Callable[[Size, int], Split[Any]]]] = {
    "restaurants8k": ("function_calling", restaurants8k),
    "bfcl": ("function_calling", bfcl),
    "feedbackqa": ("judge_correctness", feedbackqa),
    "pandalm": ("judge_pairwise", pandalm),
    "spider": ("text_to_sql", spider),
}
"""By the name of the data: the recipe that learns it, and its split."""


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _read(path: str, record: type) -> dict[str, list[Any]]:
    """All examples of a file by its own part, and "all"."""
    source, found = DATA / path, defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        if source.suffix == ".gz":
            unpacked = Path(folder) / source.stem
            unpacked.write_bytes(gzip.decompress(source.read_bytes()))
            source = unpacked
        for brought in demonstrations.read(source, record.__name__)[1]:
            found[brought.split].append(brought.example)
            found["all"].append(brought.example)
    return found


def _own_test(path: str, record: type) -> tuple[list[Any], list[Any]]:
    found = _read(path, record)
    return found["train"], found["test"]


def _by_group(learned: Sequence[Any], tested: Sequence[Any], size: Size, seed: int) -> Split[Any]:
    """`tested` to test on, and of `learned` what validates; without, both from `learned`. No group is in two parts.

    `seed` draws what is learned from; the other parts are always the same.
    """
    draw = np.random.default_rng(0)
    groups = sorted({one.group for one in learned})
    order = {groups[number]: place for place, number in enumerate(draw.permutation(len(groups)))}
    queue = sorted(learned, key=lambda one: (order[one.group], one.id))
    test = [tested[number] for number in draw.permutation(len(tested)) if tested[number].group not in order]
    if not tested:
        test, queue = _taken(queue, size.test)
    validation, queue = _taken(queue, size.validation)
    drawn = [queue[place] for place in np.random.default_rng([seed, 1]).permutation(len(queue))[: size.train]]
    parts = {SplitName.TRAIN: drawn, SplitName.VALIDATION: validation, SplitName.TEST: test[: size.test]}
    return _split(parts, f"{size}-{seed}-{len(learned)}")


def _taken(queue: list[Any], num: int) -> tuple[list[Any], list[Any]]:
    """The first whole groups of at least `num` examples, cut to it, and what other groups hold."""
    groups = {one.group for one in queue[:num]}
    return queue[:num], [one for one in queue[num:] if one.group not in groups]


def _balanced(by_database: dict[str, list[SqlQuestion]], num: int, seed: int) -> list[SqlQuestion]:
    """One question of each database after the other, until there are `num`, or no more."""
    draw = np.random.default_rng(seed)
    queues = [[questions[at] for at in draw.permutation(len(questions))] for questions in by_database.values()]
    chosen: list[SqlQuestion] = []
    while any(queues) and len(chosen) < num:
        chosen += [queue.pop() for queue in queues if queue]
    return chosen[:num]


def _split(parts: dict[SplitName, list[Any]], version: str) -> Split[Any]:
    train, validation, test = (Part(name, tuple(parts[name])) for name in SplitName)
    return Split(train, validation, test, version)
