"""How fast pairs are found among 100,000: counts, next pair, first and last page, search.

python -m tests.benchmarks.pair_pages
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from finetune_core.workspace import pairs
from finetune_core.workspace.pairs import PairFilter
from tests.benchmarks.review_keys import fill

NUM_PAIRS, NUM_ROUNDS = 100_000, 9


def main() -> None:
    """Run each question nine times and print the median in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AYAR_HOME"] = str(Path(folder) / "home")
        found = fill(NUM_PAIRS, 0)
        pending = PairFilter(state="pending")
        asked: dict[str, Callable[[], Any]] = {
            "counts per state, pace": lambda: pairs.progress(found),
            "next 8 of the queue": lambda: pairs.upcoming(found, pending, 60_000, 8),
            "first page": lambda: pairs.page(found, pending, 0),
            "last page": lambda: pairs.page(found, pending, NUM_PAIRS // 50 - 1),
            "search, first page": lambda: pairs.page(found, PairFilter(text="thing 9999"), 0),
            "documents that have pairs": lambda: pairs.documents_of(found),
        }
        for name, ask in asked.items():
            times = []
            for _ in range(NUM_ROUNDS):
                started = time.perf_counter()
                ask()
                times.append(1000 * (time.perf_counter() - started))
            print(f"{name:28} {statistics.median(times):7.1f} ms")


if __name__ == "__main__":
    main()
