"""Peak memory of mining hard negatives: 1,000,000 passages by 1,000 questions, with synthetic texts and vectors.

    python tests/benchmarks/mining_memory.py [--passages 1000000] [--questions 1000] [--dimensions 384]

Beyond the texts and their vectors, which are there before the search begins, mining must stay under 500 MB. Printed are
`seconds` by the clock and `cpu_seconds` of all threads, which other work on the machine changes little. Needs Linux.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from finetune_core.records import Corpus, Part, Passage, QueryPassages, SplitName
from finetune_core.training import negatives


class GivenVectors:
    """An embedder whose vectors lie in memory already."""

    fingerprint = "given"

    def __init__(self, queries: np.ndarray, passages: np.ndarray) -> None:
        self.queries, self.passages = queries, passages

    def encode_queries(self, texts: Sequence[str], checkpoint: object = None) -> np.ndarray:
        """Vectors (Q, D)."""
        return self.queries

    def encode_passages(self, texts: Sequence[str], checkpoint: object = None) -> np.ndarray:
        """Vectors (P, D)."""
        return self.passages


def _status_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _vectors(random: np.random.Generator, num: int, dimensions: int) -> np.ndarray:
    vectors = random.standard_normal((num, dimensions), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--dimensions", type=int, default=384)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    words = random.integers(0, 20_000, (options.passages, 12))
    corpus = Corpus(tuple(Passage(str(i), " ".join(f"w{n}" for n in row), str(i)) for i, row in enumerate(words)))
    examples = [QueryPassages(f"q{i}", f"question {i}", {str(i): 1}, str(i)) for i in range(options.questions)]
    part = Part(SplitName.TRAIN, tuple(examples), corpus)
    vectors = [_vectors(random, num, options.dimensions) for num in (options.questions, options.passages)]
    assert len(corpus.positions) == options.passages
    Path("/proc/self/clear_refs").write_text("5", "ascii")  # the peak is counted from here on
    before_mb, started, cpu_started = _status_mb("VmRSS"), time.perf_counter(), time.process_time()
    found = negatives.mine(part, GivenVectors(*vectors), lambda: None)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    more_mb = _status_mb("VmHWM") - before_mb
    assert (found.positions >= 0).all()
    result = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "before_mb": round(before_mb),
        "more_mb": round(more_mb),
    }
    print(json.dumps({**vars(options), **result}))


if __name__ == "__main__":
    main()
