"""What runs would take: speeds from what was timed on this machine, counts from a sample of the texts; reads no weights.

Shape suffixes: N pairs of a question and a passage.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from finetune_core.providers.adapted_embedder import AdaptedEmbedder
from finetune_core.providers.embedder import LocalEmbedder, resolve
from finetune_core.providers.tokens import TokenCounter
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipe import Charge, Estimate, Machine, Outline, Service
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE
from finetune_core.training import cost, speeds
from finetune_core.training.batches import ROWS_PER_PASSAGE
from finetune_core.training.cost import ModelSize
from finetune_core.training.embedding_config import EmbeddingConfig, Loss
from finetune_core.training.validation import TRAINING_COST

VALIDATION = 1.15  # validation takes up to 15 % on top of the steps
TEXTS_PER_REQUEST = 64
PASSAGES_PER_SEARCH = 100
USUAL_DIMENSIONS = 1536
CHARACTERS_PER_TOKEN = 4  # of English, for a service whose tokenizer is not known

OpenedEmbedder = CachedEmbedder | AdaptedEmbedder
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Speed:
    """Tokens per second, and in words where the number comes from."""

    tokens_per_s: float
    basis: str


@dataclass(frozen=True)
class Texts:
    """Texts that have to be encoded: how many, and a sample of them."""

    number: int
    sample: Sequence[str]
    is_query: bool = False


@dataclass(frozen=True)
class Encoding:
    """What encoding texts would take: seconds and memory here, or what a service would charge; nothing for known texts."""

    seconds: float = 0.0
    memory_bytes: int = 0
    basis: str = ""
    charges: tuple[Charge, ...] = ()


def base_folder(reference: str, machine: Machine) -> Path:
    """The folder of a model to start from: any, or one of the project. Raises ProviderError or ArtefactError."""
    if reference.startswith(MODEL_REFERENCE):
        return machine.model_folder(reference.removeprefix(MODEL_REFERENCE))
    return resolve(reference)


def counter_of(reference: str, machine: Machine) -> TokenCounter:
    """Counts tokens as that model to start from does. Raises ProviderError or ArtefactError."""
    is_own = reference.startswith(MODEL_REFERENCE)
    return TokenCounter.for_model(str(base_folder(reference, machine)) if is_own else reference)


def training_speed(machine: Machine, recipe: str, base_model: str, size: ModelSize) -> Speed:
    """Of steps that train all weights: from the last runs, else from how fast it encoded, else from a probe."""
    if trained := machine.tokens_per_s(recipe, base_model):
        runs = "the last run" if trained[1] == 1 else f"the last {trained[1]} runs"
        return Speed(trained[0], f"{runs} of this base model on this machine")
    if encoded := machine.tokens_per_s(speeds.ENCODE, base_model):
        return Speed(encoded[0] / TRAINING_COST, "how fast this base model encoded texts on this machine")
    per_token = cost.train_seconds(size, 1, machine.flops())
    return Speed(1 / per_token, "a short probe of this machine, and is rough until a run was timed")


def encoding_speed(machine: Machine, base_model: str, size: ModelSize) -> Speed:
    """Of a model that only reads."""
    if encoded := machine.tokens_per_s(speeds.ENCODE, base_model):
        return Speed(encoded[0], "how fast this base model encoded texts on this machine")
    per_token = cost.train_seconds(size, 1, machine.flops()) / TRAINING_COST
    return Speed(1 / per_token, "a short probe of this machine, and is rough until a run was timed")


def pair_texts(outline: Outline) -> tuple[list[str], list[str]]:
    """The questions and the passages (N each) of the pairs in the sample; a choice of a query counts as its passage."""
    known = outline.sample.corpus.positions
    pairs = [(e.query, p) for e in outline.sample.examples for p in belonging(e) if p in known]
    return [query for query, _ in pairs], [outline.sample.corpus[passage].full_text for _, passage in pairs]


def belonging(example: Any) -> tuple[str, ...]:
    """The ids of the passages, or of the choice, that belong to an example; () for kinds without a corpus."""
    return tuple(getattr(example, "relevant", ())) or tuple(filter(None, (getattr(example, "label", ""),)))


def counted(texts: Sequence[str], counter: TokenCounter, max_tokens: int) -> Counts:
    """Tokens of each text (N,) as a model reads it that is cut at `max_tokens`, or at its own limit."""
    counts = np.array(counter.count_many(texts), dtype=np.int64)
    return np.minimum(counts, min(max_tokens, counter.max_tokens))


def mean(tokens_N: Counts) -> float:
    """The mean; 0 for none."""
    return float(tokens_N.mean()) if len(tokens_N) else 0.0


def num_readings(outline: Outline, per_passage: int = ROWS_PER_PASSAGE) -> int:
    """How often passages are read in an epoch, where up to `per_passage` of its questions share a reading."""
    return sum(-(-count // per_passage) for count in outline.uses)


def encoding(reference: str, opened: OpenedEmbedder, texts: Sequence[Texts], machine: Machine) -> Encoding:
    """What it would take to encode texts with the embedder that `reference` names and `opened` is.

    The share of the sample that has vectors already is taken for that of all.
    """
    cached = _cached(opened)
    unknown = [each.number * (1 - cached.known_share(each.sample, each.is_query)) for each in texts]
    local = cached.embedder
    if isinstance(local, LocalEmbedder):
        counter, limit = TokenCounter.for_model(str(local.model)), local.max_tokens or sys.maxsize
        of_text = [mean(counted(each.sample, counter, limit)) for each in texts]
        size = cost.model_size(resolve(local.model))
        speed, num_tokens = encoding_speed(machine, local.model, size), float(np.dot(unknown, of_text))
        return Encoding(num_tokens / speed.tokens_per_s, cost.BYTES * size.num_weights, speed.basis)
    of_text = [float(np.mean([len(text) for text in each.sample] or [0])) / CHARACTERS_PER_TOKEN for each in texts]
    return Encoding(charges=_charges(reference, sum(unknown), float(np.dot(unknown, of_text)), machine))


def _cached(opened: OpenedEmbedder) -> CachedEmbedder:
    return opened if isinstance(opened, CachedEmbedder) else _cached(cast(Any, opened.base))


def _charges(reference: str, num_texts: float, num_tokens: float, machine: Machine) -> tuple[Charge, ...]:
    if not reference.startswith(SERVICE_REFERENCE):
        return ()  # an adapter of the project over a service's vectors
    service = machine.service(reference.removeprefix(SERVICE_REFERENCE))
    num_requests = -(-round(num_texts) // TEXTS_PER_REQUEST)
    cost_usd = service.prices.cost_usd(round(num_tokens), 0)
    return (Charge(service.name, num_requests, round(num_tokens), cost_usd=cost_usd),) if num_requests else ()


def contrastive(recipe: str, outline: Outline, config: EmbeddingConfig, machine: Machine) -> Estimate:
    """What training an embedding model on pairs takes: the tokens that the steps of all epochs read, at a known speed."""
    counter, folder = counter_of(config.base_model, machine), base_folder(config.base_model, machine)
    size = cost.model_size(folder)
    queries_N, passages_N = (np.array(counter.count_many(texts), dtype=np.int64) for texts in pair_texts(outline))
    limit = min(config.max_tokens, counter.max_tokens)
    queries, passages = np.minimum(queries_N, limit), np.minimum(passages_N, limit)
    num_rows = sum(outline.uses)
    num_groups = num_rows if config.loss is Loss.CACHED else num_readings(outline)
    num_passages = num_groups + config.hard_negatives * num_rows
    num_tokens = config.epochs * (num_rows * mean(queries) + num_passages * mean(passages))
    speed = training_speed(machine, recipe, config.base_model, size)
    longest = int(passages.max(initial=0))
    passages_at_once = min(config.batch_size, 32) if config.loss is Loss.CACHED else config.batch_size
    passages_at_once *= round(num_passages / max(num_groups, 1))
    return Estimate(
        seconds=VALIDATION * num_tokens / speed.tokens_per_s,
        basis=speed.basis,
        num_steps=config.epochs * -(-num_groups // config.batch_size),
        memory_bytes=cost.train_memory_bytes(size, passages_at_once * longest, longest),
        disk_bytes=cost.train_disk_bytes(size),
        warnings=(*few_batches(num_rows, num_groups, config.batch_size), *cut(passages_N, limit, "passages")),
    )


def few_batches(num_rows: int, num_groups: int, batch_size: int) -> tuple[str, ...]:
    """A warning if the training pairs make less than four batches."""
    if num_groups >= batch_size * 4:
        return ()
    return (
        f"Only {num_rows} training pairs on {num_groups} passages: that is less than four batches of {batch_size} passages.",
    )


def cut(tokens_N: Counts, limit: int, what: str) -> tuple[str, ...]:
    """A warning if one in a hundred has more than `limit` tokens."""
    share = float((tokens_N > limit).mean()) if len(tokens_N) else 0.0
    return (
        (f"About {share:.0%} of the {what} are longer than {limit} tokens and are cut there.",) if share >= 0.01 else ()
    )


def searches(service: Service, num_questions: int, depth: int) -> Charge:
    """What it costs to have `num_questions` ranked, each against `depth` passages."""
    num_searches = num_questions * -(-depth // PASSAGES_PER_SEARCH)
    return Charge(
        service.name, num_questions, num_searches=num_searches, cost_usd=service.prices.searches_cost_usd(num_searches)
    )


def num_dimensions(opened: OpenedEmbedder) -> int:
    """The length of its vectors; where a service makes them, a guess, because nobody asks it for an estimate."""
    local = _cached(opened).embedder
    return cost.model_size(resolve(local.model)).width if isinstance(local, LocalEmbedder) else USUAL_DIMENSIONS


def everything(outline: Outline) -> list[Texts]:
    """What a retriever reads before it is measured: the whole corpus, and all questions but those of the test."""
    queries, passages = pair_texts(outline)
    return [
        Texts(outline.num_train + outline.num_validation, queries, is_query=True),
        Texts(outline.num_passages, passages),
    ]


def judged(outline: Outline, max_pool_texts: int) -> list[Texts]:
    """What an adapter reads: training questions with their passages, and a validation pool of so many texts at most."""
    queries, passages = pair_texts(outline)
    num_queries = min(outline.num_validation, max_pool_texts)
    num_pool = min(outline.num_passages, max_pool_texts - num_queries)
    num_passages = min(outline.num_passages, len(outline.uses) + num_pool)
    return [Texts(outline.num_train + num_queries, queries, is_query=True), Texts(num_passages, passages)]
