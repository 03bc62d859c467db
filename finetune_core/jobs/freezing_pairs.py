"""Freezing question/passage pairs: gathered with the corpus they are searched in, split by document, base retriever measured."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetune_core import settings
from finetune_core.errors import DatasetError, ProviderError
from finetune_core.jobs.freezing import base_facts, missing_parts, power, warnings
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.run import JobRun
from finetune_core.records import Part, QueryPassages, Split, SplitName
from finetune_core.storage.examples import gather

if TYPE_CHECKING:
    from finetune_core.providers.embedder import Embedder
    from finetune_core.recipe import Report

__all__ = ["RECORD", "findings", "gather", "split"]

RECORD = QueryPassages
Parts = dict[SplitName, Part[QueryPassages]]
LEFT_OUT = {
    "section_boundary": "lie at a boundary between two sections",
    "passage_gone": "stand on passages that were excluded or are gone",
    "no_right_passage": "have no passage that answers them",
}


def split(gathered: Any, seed: int) -> tuple[Parts, str, tuple[str, ...]]:
    """Keep the parts that came with a split of their own; cut the missing ones from the rest."""
    from finetune_core.evaluation.splitting import cut

    pool, kept = gathered.examples[SplitName.TRAIN], dict(gathered.examples)
    if not pool:
        num = sum(len(examples) for examples in kept.values())
        raise DatasetError(
            f"There is no accepted pair to train on ({num} pairs in other splits).",
            hint="Accept pairs on the Review page, import some, or include the pending ones.",
        )
    corpora, rule = dict(gathered.corpora), "imported"
    left_out: tuple[str, ...] = ()
    if shares := missing_parts(kept):
        done = cut(pool, gathered.corpora[SplitName.TRAIN], shares, seed)
        kept |= done.parts
        corpora |= dict.fromkeys(shares, gathered.corpora[SplitName.TRAIN])
        rule, left_out = done.rule, done.left_out
    return {name: Part(name, tuple(kept[name]), corpora[name]) for name in SplitName}, rule, left_out


def findings(
    run: JobRun,
    gathered: Any,
    split: Split[QueryPassages],
    manifest: dict[str, Any],
    left_out: tuple[str, ...],
    *,
    measure_base: bool,
) -> dict[str, Any]:
    """What the manifest says beyond counts: leaks, how the base does, what the test set can show, and warnings."""
    from finetune_core.evaluation.leakage import leakage_report
    from finetune_core.evaluation.retrieval import HEADLINE

    run.progress(0.2, "Looking for leaks between the parts")
    parts = {name: split.part(name) for name in SplitName}
    leakage = leakage_report(parts, gathered.own_documents, manifest["split_rule"], run.checkpoint)
    base, report = _base(run, measure_base, split)
    found: dict[str, Any] = {
        "imported_splits": sorted(name.value for name in gathered.imported),
        "left_out": {"section_boundary": len(left_out), "passage_gone": gathered.num_gone,
                     "no_right_passage": gathered.num_without_right},
        "leakage": leakage.as_json(), "base": base,
        **power(run.project_id, HEADLINE, report.columns[HEADLINE] if report else None, report),
    }  # fmt: skip
    return found | {"warnings": warnings(manifest | found, "pairs", LEFT_OUT)}


def _base(run: JobRun, measure_base: bool, split: Split[QueryPassages]) -> tuple[dict[str, Any], "Report | None"]:
    """How the base model does before any training, and its report on the test questions; a note where it can't run."""
    from finetune_core.storage import database, projects

    with database.reading() as connection:
        project = projects.find(connection, project_id=run.project_id)
    model = project.base_model if project else ""
    if not measure_base or not model:
        return {"model": model, "note": "The base model was not measured."}, None
    from finetune_core.evaluation.retrieval import HEADLINE, RETRIEVAL_METRICS, DenseRetriever, evaluate_retrieval

    try:
        embedder, note_speed = _base_embedder(model, run.cache)
        retriever = DenseRetriever("base", embedder)
        run.progress(0.3, f"Measuring {model} before training")
        test = evaluate_retrieval(retriever, split.test, Portion(run, 0.3, 0.7))
        validation = evaluate_retrieval(retriever, split.validation, Portion(run, 0.7, 0.95))
    except ProviderError as error:
        run.say(f"The base model could not be measured: {error.message} {error.hint}")
        return {"model": model, "note": f"{error.message} {error.hint}"}, None
    note_speed()
    return base_facts(model, HEADLINE, RETRIEVAL_METRICS, validation, test), test


def _base_embedder(model: str, cache: Path) -> tuple["Embedder", Callable[[], None]]:
    """The base system of the recipe with its default settings, so that training and comparison find these vectors in
    the cache; and what keeps, for later estimates, how fast it encoded.
    """
    from finetune_core.providers.vector_cache import CachedEmbedder
    from finetune_core.storage import database
    from finetune_core.training import contrastive, speeds
    from finetune_core.training.embedding_config import EmbeddingConfig

    config = EmbeddingConfig(base_model=model)
    timed = speeds.TimedEmbedder(contrastive.base_embedder(config, cache).embedder, contrastive.token_counter(config))

    def note() -> None:
        threads = settings.current().threads
        speeds.record(database.home(), model, speeds.ENCODE, timed.num_tokens, timed.seconds, threads)

    return CachedEmbedder(timed, cache), note
