"""Which offline generator teaches most: tune the bundled model on each one's questions, judge on people's questions.

    python -m tests.benchmarks.generators                                   # about half an hour on two quiet cores
    python -m tests.benchmarks.generators --part validation --arms extractive:1 extractive:2

Corpus: the 956 passages of feedbackqa-uk. A generator sees the passages only, never a question of a person. Its
questions go through the filters that always run, then through the plain sentence-transformers script of
`embedding_feedbackqa` (one epoch, the same for every generator). What is counted is nDCG@10 on the test questions, all
956 passages searched, with the paired interval of the gain over the untuned model, resampled by document. Generators
were designed on the validation questions; the test questions only judge.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from finetune_core import recipes
from finetune_core.corpus.near_duplicates import find_near_duplicates
from finetune_core.evaluation.retrieval import DenseRetriever
from finetune_core.metrics.bootstrap import paired_interval
from finetune_core.providers.bundled import BUNDLED_CHAT, BUNDLED_EMBEDDER, locate
from finetune_core.providers.embedder import LocalEmbedder
from finetune_core.providers.gguf_chat import LocalGgufChat
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipe import Report
from finetune_core.records import Corpus, Part, QueryPassages, SplitName
from finetune_core.synthesis import question_filters
from finetune_core.synthesis.chat_questions import LocalQuestions
from finetune_core.synthesis.extractive_questions import ExtractiveQuestions
from finetune_core.synthesis.question_filters import Candidate
from finetune_core.synthesis.questions import QuestionWriter
from finetune_core.synthesis.templates import shipped_prompt
from tests.benchmarks.embedding_feedbackqa import feedbackqa, plain_script
from tests.training_fixtures import RecordedRun

ARMS = ("extractive:1", "extractive:2", "gguf:1")


@dataclass(frozen=True)
class Written:
    """What a generator wrote: the questions that passed the filters, how many there were before, and the seconds."""

    examples: tuple[QueryPassages, ...]
    num_written: int
    seconds: float


def write(writer: QuestionWriter, corpus: Corpus, num_each: int) -> Written:
    """Questions 0 to `num_each` - 1 of every passage, filtered as the product does by default."""
    started = time.perf_counter()
    calls = [
        (passage, tuple(range(num_each))[start : start + writer.num_per_call])
        for passage in corpus
        for start in range(0, num_each, writer.num_per_call)
    ]
    with ThreadPoolExecutor(writer.num_parallel) as pool:
        batches = list(pool.map(lambda call: writer.write(*call), calls))
    asked = [
        (passage, one)
        for (passage, _), batch in zip(calls, batches, strict=True)
        for one in batch.written
        if one.question and not one.reason
    ]
    candidates = [Candidate(one.question, passage.text, one.evidence, passage.document) for passage, one in asked]
    kept = list(range(len(asked)))
    for judge in (
        question_filters.form,
        question_filters.evidence,
        question_filters.too_close,
        lambda some: question_filters.duplicate(some, lambda texts: find_near_duplicates(texts, threshold=0.7)),
    ):
        outcomes = judge([candidates[place] for place in kept])
        kept = [place for place, outcome in zip(kept, outcomes, strict=True) if outcome.passed]
    examples = tuple(
        QueryPassages(f"g{place}", asked[place][1].question, {asked[place][0].id: 1}, asked[place][0].document)
        for place in kept
    )
    return Written(examples, len(asked), time.perf_counter() - started)


def writer_of(name: str) -> QuestionWriter:
    """The generator of that name, as the product opens it."""
    if name == "extractive":
        return ExtractiveQuestions("English")
    chat = LocalGgufChat(locate(BUNDLED_CHAT))
    return LocalQuestions(chat, BUNDLED_CHAT, shipped_prompt("local_questions")[1], "English")


def report_of(model: str | Path, part: Part[QueryPassages], cache: Path) -> Report:
    """How a model does on the part."""
    system = DenseRetriever("model", CachedEmbedder(LocalEmbedder(model, max_tokens=256), cache))
    return recipes.get("embedding").evaluate(system, part, None, RecordedRun(cache))


def main() -> None:
    """Print a line for each generator as it is done: questions, seconds, nDCG@10 and the gain with its interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), help="generator:questions per passage")
    parser.add_argument("--part", default="test", choices=["validation", "test"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    split = feedbackqa()
    part = split.part(SplitName(options.part))
    metric = recipes.get("embedding").metrics["ndcg@10"]
    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(temporary) / "cache"
        base = report_of(BUNDLED_EMBEDDER, part, cache)
        print(f"{'untuned':<14} nDCG@10 {metric(base.columns):.4f} on {len(part)} {part.name} questions", flush=True)
        for arm in options.arms:
            name, num_each = arm.split(":")
            writer = writer_of(name)
            written = write(writer, split.train.corpus, int(num_each))
            writer.close()
            own = replace(split, train=replace(split.train, examples=written.examples))
            tuned = plain_script(own, options.seed, Path(temporary) / arm.replace(":", "-"))
            report = report_of(tuned.folder, part, cache)
            gain = paired_interval(base.columns, report.columns, report.groups, metric)
            print(
                f"{arm:<14} nDCG@10 {metric(report.columns):.4f}  gain {gain.difference:+.4f} [{gain.low:+.4f}, "
                f"{gain.high:+.4f}]  {len(written.examples)} of {written.num_written} questions kept  written in "
                f"{written.seconds:.0f} s, tuned in {tuned.train_seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
