"""The adapter recipe's defaults against a faithful re-run of the old package's engine on feedbackqa-uk.

    python -m tests.benchmarks.adapter

The old `EmbeddingAdapterFinetuneEngine` asks the embedder for every text of every pair one by one, in every epoch anew, in
unshuffled batches of 10; it learns with AdamW at 2e-5 (weight decay 0.01, linear warm-up over a tenth of the steps) and
MultipleNegatives loss, a linear layer from the identity on the side of the questions, and keeps what the last epoch left.
One of its epochs is timed and multiplied by 25; the vectors of that epoch serve the other 24, which changes its outcome in
nothing. Ayar starts with an empty cache: encoding, the sweep of learning rates and all validations are part of its time.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from finetune_core import recipes
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.providers.embedder import LocalEmbedder
from finetune_core.records import Part, QueryPassages, SplitName
from finetune_core.training.validation import choose_pool, pool_ndcg
from tests.benchmarks.embedding_feedbackqa import feedbackqa
from tests.training_fixtures import RecordedRun

EPOCHS, BATCH_SIZE, LEARNING_RATE = 25, 10, 2e-5


def old_engine(part: Part[QueryPassages], embedder: LocalEmbedder) -> tuple[torch.nn.Linear, float, float]:
    """The old way: (adapter, seconds of 25 epochs, seconds of the one that was timed)."""
    pairs = [(e.query, part.corpus[next(iter(e.relevant))].full_text) for e in part.examples]
    batches = [pairs[start : start + BATCH_SIZE] for start in range(0, len(pairs), BATCH_SIZE)]
    adapter = torch.nn.Linear(384, 384, bias=False)
    torch.nn.init.eye_(adapter.weight)
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    total = EPOCHS * len(batches)
    warm = total // 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, (total - step) / (total - warm))
    )
    vectors: list[tuple[torch.Tensor, torch.Tensor]] = []
    started = time.perf_counter()
    for batch in batches:
        queries = np.concatenate([embedder.encode_queries([query]) for query, _ in batch])
        passages = np.concatenate([embedder.encode_passages([text]) for _, text in batch])
        vectors.append((torch.from_numpy(queries), torch.from_numpy(passages)))
        _step(adapter, optimizer, schedule, *vectors[-1])
    seconds = time.perf_counter() - started
    for _ in range(EPOCHS - 1):
        for queries_BD, passages_BD in vectors:
            _step(adapter, optimizer, schedule, queries_BD, passages_BD)
    return adapter, EPOCHS * seconds, seconds


def _step(
    adapter: torch.nn.Linear,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    queries_BD: torch.Tensor,
    passages_BD: torch.Tensor,
) -> None:
    scores_BB = 20 * normalize(adapter(queries_BD), dim=-1) @ normalize(passages_BD, dim=-1).T
    loss = cross_entropy(scores_BB, torch.arange(len(scores_BB)))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(adapter.parameters(), 1.0)
    optimizer.step()
    schedule.step()


def main() -> None:
    """Run both and print the README's table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    split, recipe = feedbackqa(), recipes.get("embedding_adapter")
    embedder = LocalEmbedder(BUNDLED_EMBEDDER, max_tokens=256)
    embedder.encode_queries(["load the model"])  # for both: loading is no part of either time
    adapter, old_seconds, epoch_seconds = old_engine(split.train, embedder)
    with tempfile.TemporaryDirectory() as folder:
        run, config = RecordedRun(Path(folder)), recipe.config()
        started = time.perf_counter()
        model = recipe.train(split, config, run)
        new_seconds = time.perf_counter() - started
        systems = recipe.systems(config, model, run)
        base = systems["base"].embedder
        rows = []
        for part in (split.validation, split.test):
            pool, _ = choose_pool(part, lambda texts: [1] * len(texts), 10**6, 1, 0)
            queries_QD, passages_PD = base.encode_queries(pool.queries), base.encode_passages(pool.passages)
            with torch.no_grad():
                moved_QD = normalize(adapter(torch.from_numpy(queries_QD)), dim=-1).numpy()
            tuned_QD = systems["tuned"].embedder.encode_queries(pool.queries)
            rows.append([pool_ndcg(vectors, passages_PD, pool) for vectors in (queries_QD, moved_QD, tuned_QD)])
    (base_v, old_v, new_v), (base_t, old_t, new_t) = rows
    print(f"threads {torch.get_num_threads()}; one old epoch {epoch_seconds:.0f} s; {model.facts}\n")
    print("| | seconds | validation nDCG@10 | test nDCG@10 |\n| --- | --- | --- | --- |")
    print(f"| bundled MiniLM | – | {base_v:.3f} | {base_t:.3f} |")
    print(f"| old engine, 25 epochs | {old_seconds:,.0f} | {old_v:.3f} | {old_t:.3f} |")
    print(f"| Ayar, defaults | {new_seconds:,.0f} | {new_v:.3f} | {new_t:.3f} |")
    print(
        f"\n{old_seconds / new_seconds:.0f} times less; at least 30 wanted; {SplitName.VALIDATION} {new_v - old_v:+.3f}"
    )


if __name__ == "__main__":
    main()
