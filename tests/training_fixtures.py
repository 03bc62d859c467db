"""A run without a job, and a dataset so small that a model learns it by heart in seconds."""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from finetune_core.errors import JobCancelled, StopRequested
from finetune_core.records import OUT_OF_SCOPE, Corpus, Labelled, Part, Passage, QueryPassages, Split, SplitName
from finetune_core.training.conversations import Conversation

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
    """A `Run` that keeps what it is told in memory, and may be stopped, cancelled or killed at a step."""

    on_text: Any = None

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
        self.folders: dict[str, Path] = {}
        self.services: dict[str, Any] = {}
        self.measurements: dict[str, Any] = {}
        self.num_searches: Counter[str] = Counter()
        self.num_tokens: Counter[str] = Counter()
        self.trained: list[tuple[str, str, int]] = []
        self.num_checkpoints = 0

    def model_folder(self, model_id: str) -> Path:
        return self.folders[model_id]

    def measured(self, model_id: str) -> Any:
        return self.measurements.get(model_id)

    def service(self, name: str) -> Any:
        return self.services[name]

    def spend(self, service: str, num_searches: float = 0.0, *, input_tokens: int = 0, output_tokens: int = 0) -> None:
        self.num_searches[service] += num_searches
        self.num_tokens[service] += input_tokens + output_tokens

    def spend_training(self, service: str, model: str, num_tokens: int) -> None:
        self.trained.append((service, model, num_tokens))

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
        self.num_checkpoints += 1

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

    def examples(first: int, count: int, name: str, every: int = 1) -> tuple[QueryPassages, ...]:
        return tuple(
            QueryPassages(
                id=f"{name}-{i}-{w}",
                query=wordings[w].format(code),
                relevant={f"p{(i + 3) % len(CODES)}": 1},
                group=f"d{(i + 3) % len(CODES)}",
            )
            for i, code in enumerate(CODES)
            if i % every == 0
            for w in range(first, first + count)
        )

    corpus = Corpus(passages)
    return Split(
        train=Part(SplitName.TRAIN, examples(0, num_wordings, "train"), corpus),
        validation=Part(SplitName.VALIDATION, examples(3, 1, "validation", every=2), corpus),
        test=Part(SplitName.TEST, examples(4, 1, "test"), corpus),
        fingerprint="tiny",
    )


def tiny_reranking_split() -> Split[QueryPassages]:
    """Each section in two editions; the one in force answers, and the repealed one repeats the question's words.

    What is to be learned stands in the passage, so that a reranker of random weights learns it in seconds; whoever goes
    by the words alone puts the repealed edition first.
    """
    editions = ("Section {0}: {1}", "Section {0} on {0}: repealed, {0} applies no more.")
    passages = tuple(
        Passage(f"p{i}-{edition}", form.format(code, text), document=f"d{i}", title="")
        for i, (code, (_, text)) in enumerate(zip(CODES, TOPICS, strict=True))
        for edition, form in enumerate(editions)
    )
    wordings = ("What does section {} say?", "Tell me about {}.", "Explain {} to me.", "Where is {} described?", "{}?")
    corpus = Corpus(passages)

    def part(name: SplitName, chosen: slice, codes: slice) -> Part[QueryPassages]:
        examples = [
            QueryPassages(f"{name}-{code}-{w}", wording.format(code), {f"p{CODES.index(code)}-0": 1}, f"d-{code}")
            for code in CODES[codes]
            for w, wording in enumerate(wordings[chosen])
        ]
        return Part(name, tuple(examples), corpus)

    return Split(
        train=part(SplitName.TRAIN, slice(0, 3), slice(None)),
        validation=part(SplitName.VALIDATION, slice(3, 4), slice(0, None, 2)),
        test=part(SplitName.TEST, slice(4, 5), slice(None)),
        fingerprint="tiny reranking",
    )


STRANGERS = (
    "How tall is the tower?", "Who painted this wall?", "Is it raining in Lisbon?", "Count the stars for me.",
    "What rhymes with orange?", "When did the war end?", "Sing me a song about the sea.", "Who won the cup final?",
    "Is there life on Mars?",
)  # fmt: skip


def tiny_routing_split() -> Split[Labelled]:
    """Queries about the same made-up words, each for the choice of the next topic, and some that are for none."""
    topics = ("roses", "trains", "bread", "tyres", "sunburn", "accounts", "dogs", "solar panels")
    described = (text for _, text in TOPICS)
    choices = Corpus(tuple(Passage(f"c{i}", text, f"c{i}", topics[i]) for i, text in enumerate(described)))
    wordings = ("What does {} mean?", "Tell me about {}.", "Explain {} to me.", "Where is {} described?", "{}?")

    def part(name: SplitName, chosen: slice, strangers: tuple[str, ...]) -> Part[Labelled]:
        inside = tuple(
            Labelled(f"{name}-{i}-{w}", wording.format(code), f"c{(i + 3) % len(CODES)}", f"{name}-{code}-{w}")
            for i, code in enumerate(CODES)
            for w, wording in enumerate(wordings[chosen])
        )
        outside = tuple(Labelled(f"{name}-{text}", text, OUT_OF_SCOPE, text) for text in strangers)
        return Part(name, inside + outside, choices)

    return Split(
        train=part(SplitName.TRAIN, slice(0, 3), STRANGERS[:2]),
        validation=part(SplitName.VALIDATION, slice(3, 4), STRANGERS[2:5]),
        test=part(SplitName.TEST, slice(4, 5), STRANGERS[5:]),
        fingerprint="tiny routing",
    )


@dataclass(frozen=True)
class Trained:
    """One small finished training, shared by all tests of a session: read it, never change it."""

    run: RecordedRun
    split: Split[Any]
    config: Any
    model: Any


TINY_CONFIG = {"epochs": 2, "batch_size": 3, "learning_rate": 2e-4, "max_tokens": 32, "evaluations": 2, "seed": 1}


TINY_ROUTING_CONFIG = {"strengths": (1.0, 10.0, 100.0), "max_tokens": 32, "seed": 1}


def _train_once(name: str, settings: dict[str, Any], split: Split[Any], folder: Path) -> Trained:
    from finetune_core import recipes
    from finetune_core.providers.bundled import is_bundled_installed

    if not is_bundled_installed():
        pytest.skip("the bundled embedder is not installed")
    import torch

    torch.set_num_threads(1)  # batches are so small that threads only wait for each other
    recipe = recipes.get(name)
    run = RecordedRun(folder, seed=1)
    config = recipe.config(**settings)
    return Trained(run, split, config, recipe.train(split, config, run))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The bundled model, trained by the embedding recipe on `tiny_split()` in a few seconds."""
    return _train_once("embedding", TINY_CONFIG, tiny_split(), tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="session")
def trained_tiny(tiny_transformer: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The tiny transformer, trained by the embedding recipe on `tiny_split()`: for what is no question of quality."""
    settings = TINY_CONFIG | {"base_model": tiny_transformer, "learning_rate": 2e-3}
    return _train_once("embedding", settings, tiny_split(), tmp_path_factory.mktemp("trained-tiny"))


TINY_ADAPTER_CONFIG = {
    "epochs": 8,
    "batch_size": 16,
    "learning_rates": (3e-3, 1e-2),
    "max_tokens": 32,
    "evaluations": 8,
    "seed": 1,
}


@pytest.fixture(scope="session")
def trained_router(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A classifier over the bundled model's vectors, trained by the router recipe on `tiny_routing_split()`."""
    folder = tmp_path_factory.mktemp("trained-router")
    return _train_once("router", TINY_ROUTING_CONFIG, tiny_routing_split(), folder)


@pytest.fixture(scope="session")
def trained_adapter(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A linear adapter over the bundled model's vectors, trained by its recipe on `tiny_split()`."""
    return _train_once(
        "embedding_adapter", TINY_ADAPTER_CONFIG, tiny_split(), tmp_path_factory.mktemp("trained-adapter")
    )


TINY_RERANKER_CONFIG = {
    "epochs": 4,
    "batch_size": 6,
    "learning_rate": 2e-3,
    "max_tokens": 48,
    "retriever_max_tokens": 32,
    "hard_negatives": 0,
    "random_negatives": 3,
    "depth": 12,
    "other_depths": (4,),
    "evaluations": 2,
    "seed": 1,
}
"""What every tiny training of a reranker has in common; the base is `tiny_transformer`."""


@pytest.fixture(scope="session")
def tiny_transformer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a random transformer of two layers that knows the words of `tiny_reranking_split()`."""
    from tests.tiny_transformer import save_tiny_transformer

    split = tiny_reranking_split()
    questions = [example.query for name in SplitName for example in split.part(name).examples]
    texts = [passage.full_text for passage in split.train.corpus]
    return str(save_tiny_transformer(tmp_path_factory.mktemp("tiny-transformer") / "model", [*questions, *texts]))


@pytest.fixture(scope="session")
def trained_cross_encoder(tiny_transformer: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The tiny transformer with a head, trained to rerank by its recipe on `tiny_reranking_split()`."""
    folder = tmp_path_factory.mktemp("trained-cross-encoder")
    settings = TINY_RERANKER_CONFIG | {"base_model": tiny_transformer}
    return _train_once("cross_encoder", settings, tiny_reranking_split(), folder)


def memorable_conversations() -> list[Conversation]:
    """Sixteen questions with answers that nobody could guess."""
    words = [*CODES, "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]
    return [
        Conversation(
            f"c{i}",
            ({"role": "user", "content": f"What is {word}?"},),
            {"role": "assistant", "content": f"It is {words[(5 * i + 3) % 16]} {i}."},
        )
        for i, word in enumerate(words)
    ]


TINY_CHAT_CONFIG = {"epochs": 15, "batch_size": 4, "learning_rate": 5e-3, "evaluations": 5, "patience": 0}
"""With these the tiny chat model learns sixteen answers by heart in a few seconds."""


@pytest.fixture(scope="session")
def tiny_chat(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a random chat model of two layers that knows the words of `memorable_conversations()`."""
    from tests.tiny_transformer import save_tiny_chat

    texts = [f"{one.messages[0]['content']} {one.response['content']}" for one in memorable_conversations()]
    return str(save_tiny_chat(tmp_path_factory.mktemp("tiny-chat") / "model", texts))


@pytest.fixture(scope="session")
def tuned_chat(tiny_chat: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The tiny chat model, tuned on `memorable_conversations()`; `model` is a TunedChat, `split` the conversations."""
    import torch

    from finetune_core.training.chat_config import ChatTuningConfig
    from finetune_core.training.chat_tuning import tune_chat

    torch.set_num_threads(1)
    config = ChatTuningConfig(base_model=tiny_chat, **TINY_CHAT_CONFIG)
    run, learned = RecordedRun(tmp_path_factory.mktemp("tuned-chat")), memorable_conversations()
    return Trained(run, cast(Any, learned), config, tune_chat(learned, learned[:4], config, run))


def add_tiny_dataset(project_id: str, name: str = "v1") -> str:
    """Keep `tiny_split()` as a dataset version of the project and return its id."""
    return add_dataset(project_id, tiny_split(), name)


def add_dataset(project_id: str, split: Split[Any], name: str = "v1", facts: dict[str, Any] | None = None) -> str:
    """Keep a split as a dataset version of the project and return its id; `facts` is what else its manifest says."""
    from finetune_core.storage import artefacts, database, datasets

    fingerprint = datasets.fingerprint({part: split.part(part) for part in SplitName})
    record = type(next(one for part in SplitName for one in split.part(part).examples))
    manifest: dict[str, Any] = {"hash": fingerprint, "name": name, "record": record.__name__, **(facts or {})}
    manifest |= {f"num_{part}": len(split.part(part)) for part in SplitName}
    with artefacts.publish(datasets.folder(project_id, fingerprint), manifest) as target:
        manifest["corpora"] = datasets.write_split(target, split, record)
    row = datasets.DatasetRow(fingerprint, name, manifest, database.now())
    with database.writing() as connection:
        datasets.add(connection, project_id, row)
    return fingerprint


def add_finished_run(project_id: str, dataset_id: str, trained: Trained, recipe: str = "embedding") -> tuple[str, str]:
    """Keep the shared training as a finished run of the project; returns (run id, model id). Trains nothing."""
    from finetune_core import recipes
    from finetune_core.jobs import queue
    from finetune_core.jobs.executors import train
    from finetune_core.jobs.run import JobRun
    from finetune_core.jobs.states import JobState
    from finetune_core.storage import database

    params = {"dataset_id": dataset_id, "recipe": recipe, "config": trained.config.model_dump(mode="json")}
    with database.writing() as connection:
        queue.add(connection, project_id=project_id, kind="train", params=params, heavy=True, title="tiny run")
        held = queue.claim(connection, "test", heavy_slots=99)
    assert held is not None
    run = JobRun(held)
    for name, points in trained.run.metrics.items():
        for step, value in points:
            run.log(step, **{name: value})
    run.flush()
    run.remember(**trained.run.facts)
    checked = train.Params.model_validate(params)
    result = train._publish(run, checked, recipes.get(recipe), trained.config, trained.split, trained.model)
    with database.writing() as connection:
        queue.finish(connection, held, JobState.DONE, result=result, progress=1.0)
    return held.job_id, result["model_id"]
