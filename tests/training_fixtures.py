"""A run without a job, and a dataset so small that a model learns it by heart in seconds."""

import os
import signal
from pathlib import Path
from typing import Any

from finetune_core.errors import JobCancelled, StopRequested
from finetune_core.records import Corpus, Part, Passage, QueryPassages, Split, SplitName

TOPICS = (
    ("How do I plant a rose bush?", "Dig a wide hole, spread the roots of the shrub and water it in the first weeks."),
    ("When does the night train leave?", "Sleeper services depart from platform nine shortly before midnight."),
    ("Which bread has no gluten?", "Loaves made of buckwheat or rice flour are safe for people with coeliac disease."),
    ("How is a flat tyre mended?", "Take off the wheel, find the puncture in the inner tube and glue a patch on it."),
    ("What heals a sunburn?", "Cool the reddened skin with wet cloths, drink a lot and stay in the shade."),
    ("How do I close my account?", "Write to the branch that keeps your savings and hand in the card and passbook."),
    ("Why does my dog scratch itself?", "Fleas and mites are what most often makes the coat of an animal itch."),
    ("What does a solar panel cost?", "Expect to pay about four hundred for a module on the roof, mounting apart."),
)
CODES = ("zorble", "quandit", "mifrax", "pellonk", "dravish", "tumbric", "yexalt", "worfine")


class RecordedRun:
    """A `Run` that keeps what it is told in memory and its facts in nothing; `on_log` is called with every log."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.workdir = folder / "work"
        self.cache = folder / "cache"
        self.workdir.mkdir(parents=True, exist_ok=True)
        self.seed = seed
        self.metrics: dict[str, list[tuple[int, float]]] = {}
        self.facts: dict[str, Any] = {}
        self.stop_at: int | None = None
        self.cancel_at: int | None = None
        self.kill_at: int | None = None

    def log(self, step: int, **metrics: float) -> None:
        for name, value in metrics.items():
            self.metrics.setdefault(name, []).append((step, value))
        if self.kill_at is not None and step >= self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.cancel_at is not None and step >= self.cancel_at:
            raise JobCancelled
        if self.stop_at is not None and step >= self.stop_at:
            self.stop_at = None
            raise StopRequested

    def progress(self, fraction: float, message: str = "") -> None:
        assert 0 <= fraction <= 1

    def checkpoint(self) -> None:
        pass

    def remember(self, **facts: Any) -> None:
        self.facts.update(facts)

    def recall(self, key: str, default: Any = None) -> Any:
        return self.facts.get(key, default)


def tiny_split(num_wordings: int = 3) -> Split[QueryPassages]:
    """Questions about made-up words that no model knows, so that only one that has learned them finds the passages."""
    passages = tuple(
        Passage(f"p{i}", f"{text} (section {code})", document=f"d{i}", title="")
        for i, (code, (_, text)) in enumerate(zip(CODES, TOPICS, strict=True))
    )
    # Each code word asks for the passage of the next topic: true only in this data, so the base model is mostly wrong.
    wordings = ("What does {} mean?", "Tell me about {}.", "Explain {} to me.", "Where is {} described?", "{}?")

    def examples(first: int, count: int, name: str) -> tuple[QueryPassages, ...]:
        return tuple(
            QueryPassages(
                id=f"{name}-{i}-{w}",
                query=wordings[w].format(code),
                relevant={f"p{(i + 3) % len(CODES)}": 1},
                group=f"d{(i + 3) % len(CODES)}",
            )
            for i, code in enumerate(CODES)
            for w in range(first, first + count)
        )

    corpus = Corpus(passages)
    return Split(
        train=Part(SplitName.TRAIN, examples(0, num_wordings, "train"), corpus),
        validation=Part(SplitName.VALIDATION, examples(3, 1, "validation"), corpus),
        test=Part(SplitName.TEST, examples(4, 1, "test"), corpus),
        fingerprint="tiny",
    )
