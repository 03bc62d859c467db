"""Time and peak memory of exact search: 100,000 passages by 1,000 questions, best 100 each, vectors at hand.

    python tests/benchmarks/exact_search.py [--passages 100000] [--questions 1000] [--dimensions 384]

It must stay under 20 s and 2 GB. Vectors are random with clustered twins, so that ties are exercised as well.
"""

import argparse
import json
import resource
import time

import numpy as np

from finetune_core.evaluation import retrieval


def unit_vectors(random: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    """Random unit vectors (count, dimensions), float32."""
    vectors = random.standard_normal((count, dimensions), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=1_000)
    parser.add_argument("--dimensions", type=int, default=384)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    passages = unit_vectors(random, options.passages, options.dimensions)
    passages[options.passages // 2 :: 50] = passages[: len(passages[options.passages // 2 :: 50])]
    questions = unit_vectors(random, options.questions, options.dimensions)
    started = time.perf_counter()
    found = retrieval.search(questions, passages, retrieval.NUM_RANKS, lambda: None)
    seconds = time.perf_counter() - started
    sample = random.integers(options.questions, size=20)
    for row in sample:  # the same as a plain sort, or the time means nothing
        exact = passages @ questions[row]
        plain = np.sort(exact)[::-1][: retrieval.NUM_RANKS]
        np.testing.assert_allclose(exact[found[row][0]], plain, atol=2e-6)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {**vars(options), "seconds": round(seconds, 2), "peak_memory_mb": round(peak_mb)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
