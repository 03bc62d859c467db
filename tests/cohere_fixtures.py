"""A custom reranker, fine-tuned once at the loopback service, and what is needed to do it again."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune_core.evaluation.leakage import LeakageReport
from finetune_core.providers.prices import Prices
from finetune_core.records import QueryPassages, ServiceKind, Split
from finetune_core.storage.providers import Provider
from tests.training_fixtures import RecordedRun, Trained, tiny_split
from tests.vendors.cohere import serving_cohere
from tests.vendors.server import KEY

VARIABLE = "COHERE_LOOPBACK_KEY"
TINY_COHERE_CONFIG = {
    "service": "loopback", "max_tokens": 32, "depth": 8, "num_negatives": 2, "poll_s": 0.01, "seed": 1,
    "cosine_margin": 0.0,
}  # fmt: skip

CARD_FACTS = {
    "num_groups": {"train": 8, "validation": 4, "test": 8}, "num_searched": {"train": 8, "validation": 8, "test": 8},
    "split_rule": "document", "warnings": [], "leakage": dataclasses.asdict(LeakageReport()) | {"sentences": []},
}  # fmt: skip
"""What a dataset's card shows."""


def tiny_reranking_split(num_each: int = 33) -> Split[QueryPassages]:
    """`tiny_split()` with more wordings: as many training questions as the vendor asks for."""
    split = tiny_split()
    first = [example for example in split.train.examples if example.id.endswith("-0")]
    more = tuple(
        replace(example, id=f"{example.id}-{number}", query=f"{example.query} ({number})")
        for example in first
        for number in range(num_each)
    )
    return replace(split, train=replace(split.train, examples=more), fingerprint=f"tiny reranking {num_each}")


def loopback(url: str) -> Provider:
    return Provider("p", "loopback", ServiceKind.COHERE, url, "rerank-v3.5", VARIABLE, Prices())


class KeptRun:
    """A `RecordedRun` whose remembered facts survive the process, as a job's do; it may be killed when it remembers."""

    def __init__(self, folder: Path, url: str, kill_before: str = "", kill_after: str = "") -> None:
        self.recorded = RecordedRun(folder, seed=1)
        self.recorded.services["loopback"] = loopback(url)
        self.kill_before, self.kill_after = kill_before, kill_after
        self._file = folder / "facts.json"
        if self._file.is_file():
            self.recorded.facts = json.loads(self._file.read_text())

    def __getattr__(self, name: str) -> Any:
        return getattr(self.recorded, name)

    def remember(self, **facts: Any) -> None:
        import os
        import signal

        if self.kill_before in facts:
            os.kill(os.getpid(), signal.SIGKILL)
        self.recorded.remember(**facts)
        self._file.write_text(json.dumps(self.recorded.facts))
        if self.kill_after in facts:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="session")
def trained_cohere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A reranker fine-tuned by the recipe on `tiny_reranking_split()`; the service goes on for the session."""
    from finetune_core import recipes

    recipe = recipes.get("cohere_reranker")
    with pytest.MonkeyPatch.context() as patched, serving_cohere() as (vendor, _):
        patched.setenv(VARIABLE, KEY)
        run = RecordedRun(tmp_path_factory.mktemp("trained-cohere"), seed=1)
        run.services["loopback"] = loopback(vendor.url)
        config, split = recipe.config(**TINY_COHERE_CONFIG), tiny_reranking_split()
        yield Trained(run, split, config, recipe.train(split, config, run))
