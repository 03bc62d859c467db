"""Freeze a dataset version: gather, split, look for leaks, measure the base model, write, keep."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, field_validator

from finetune_core import settings
from finetune_core.errors import DatasetError, ProviderError
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.run import JobRun
from finetune_core.records import Part, QueryPassages, Split, SplitName

if TYPE_CHECKING:
    from finetune_core.providers.embedder import Embedder
    from finetune_core.recipe import Report
    from finetune_core.storage.datasets import DatasetRow

HEAVY = False
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.1
Parts = dict[SplitName, Part[QueryPassages]]


class Params(BaseModel):
    """The version's name, whether pairs nobody reviewed may join, the seed of the split, and the model to start from."""

    name: str = Field(max_length=120)
    include_pending: bool = False
    seed: int = Field(0, ge=0)
    measure_base: bool = True

    @field_validator("name")
    @classmethod
    def _trimmed(cls, value: str) -> str:
        if not (name := " ".join(value.split())):
            raise ValueError("a name has at least one character")
        return name


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Freeze the version; the result is `id`, `name`, `hash`, `is_new` and the manifest.

    The same content under another name gives the version there is. Raises DatasetError where a name is taken by other
    content or a part would be empty.
    """
    from finetune_core.storage import database, datasets, examples

    run.progress(0.02, "Gathering pairs")
    with database.reading() as connection:
        gathered = examples.gather(connection, run.project_id, include_pending=params.include_pending)
    run.progress(0.1, "Splitting")
    parts, rule, left_out = _split(gathered, params.seed)
    fingerprint = datasets.fingerprint(parts)
    with database.reading() as connection:
        known = datasets.find(connection, run.project_id, fingerprint)
        namesake = datasets.find(connection, run.project_id, params.name)
    if known is not None and known.id == fingerprint:
        return _known(run, known)
    _check_name(namesake, params.name, fingerprint)
    split = Split(parts[SplitName.TRAIN], parts[SplitName.VALIDATION], parts[SplitName.TEST], fingerprint)
    manifest = _manifest(run, params, gathered, split, rule, left_out)
    return _kept(run, params, split, manifest)


def _split(gathered: Any, seed: int) -> tuple[Parts, str, tuple[str, ...]]:
    """Keep the parts that came with a split of their own; cut the missing ones from the rest."""
    from finetune_core.evaluation.splitting import cut

    pool, kept = gathered.examples[SplitName.TRAIN], dict(gathered.examples)
    if not pool:
        num = sum(len(examples) for examples in kept.values())
        raise DatasetError(
            f"There is no accepted pair to train on ({num} pairs in other splits).",
            hint="Accept pairs on the Review page, import some, or include the pending ones.",
        )
    shares = {SplitName.VALIDATION: VALIDATION_SHARE, SplitName.TEST: TEST_SHARE}
    missing = {name: share for name, share in shares.items() if not kept[name]}
    corpora, rule = dict(gathered.corpora), "imported"
    left_out: tuple[str, ...] = ()
    if missing:
        shares = {SplitName.TRAIN: 1 - sum(missing.values()), **missing}
        done = cut(pool, gathered.corpora[SplitName.TRAIN], shares, seed)
        kept |= done.parts
        corpora |= dict.fromkeys(missing, gathered.corpora[SplitName.TRAIN])
        rule, left_out = done.rule, done.left_out
    return {name: Part(name, tuple(kept[name]), corpora[name]) for name in SplitName}, rule, left_out


def _manifest(
    run: JobRun, params: Params, gathered: Any, split: Split[QueryPassages], rule: str, left_out: tuple[str, ...]
) -> dict[str, Any]:
    from finetune_core.evaluation.leakage import leakage_report

    parts = {name: split.part(name) for name in SplitName}
    run.progress(0.2, "Looking for leaks between the parts")
    leakage = leakage_report(parts, gathered.own_documents, rule, run.checkpoint)
    manifest: dict[str, Any] = {
        "kind": "dataset", "record": "QueryPassages", "name": params.name, "hash": split.fingerprint,
        **{f"num_{name}": len(part) for name, part in parts.items()},
        "num_groups": {name.value: len({one.group for one in part.examples}) for name, part in parts.items()},
        "num_searched": {name.value: len(part.corpus) for name, part in parts.items()},
        "num_never_reviewed": sum(not one.reviewed for part in parts.values() for one in part.examples),
        "num_test_never_reviewed": sum(not one.reviewed for one in split.test.examples),
        "include_pending": params.include_pending, "seed": params.seed, "split_rule": rule,
        "imported_splits": sorted(name.value for name in gathered.imported),
        "left_out": {"section_boundary": len(left_out), "passage_gone": gathered.num_gone,
                     "no_right_passage": gathered.num_without_right},
        "leakage": leakage.as_json(),
    }  # fmt: skip
    manifest["base"], report = _base(run, params, split)
    manifest |= _power(run.project_id, report)
    manifest["warnings"] = _warnings(manifest)
    return manifest


def _power(project_id: str, test: "Report | None") -> dict[str, Any]:
    """The smallest gain the test set can show, and in words what that assumes."""
    from finetune_core.evaluation.retrieval import HEADLINE
    from finetune_core.metrics.bootstrap import ASSUMED_SPREAD, smallest_detectable_gain
    from finetune_core.storage import comparisons, database

    if test is None:
        return {"smallest_detectable_gain": None, "gain_assumes": ""}
    with database.reading() as connection:
        seen = comparisons.spreads(connection, project_id)
    spread = max(seen, default=ASSUMED_SPREAD)
    if seen:
        models = "one tuned model" if len(seen) == 1 else f"the most changed of {len(seen)} tuned models"
        said = f"This assumes that a run changes single questions as much as {models} of this project did."
    else:
        said = (
            f"This assumes that a run changes the scores of single questions {spread:g} times as much as they differ among "
            "themselves; nobody knows before the first comparison. A run that changes little shows smaller gains."
        )
    gain = smallest_detectable_gain(test.columns[HEADLINE], test.groups, spread=spread)
    return {"smallest_detectable_gain": gain, "gain_assumes": said}


def _base(run: JobRun, params: Params, split: Split[QueryPassages]) -> tuple[dict[str, Any], "Report | None"]:
    """How the base model does before any training, and its report on the test questions; a note where it can't run."""
    from finetune_core.storage import database, projects

    with database.reading() as connection:
        project = projects.find(connection, project_id=run.project_id)
    model = project.base_model if project else ""
    if not params.measure_base or not model:
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
    headline = RETRIEVAL_METRICS[HEADLINE]
    base = {
        "model": model, "metric": HEADLINE, "validation_ndcg": headline(validation.columns),
        "test_ndcg": headline(test.columns), "test": {name: metric(test.columns) for name, metric in RETRIEVAL_METRICS.items()},
    }  # fmt: skip
    return base, test


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
        speeds.record(database.home(), model, speeds.Work.ENCODE, timed.num_tokens, timed.seconds, threads)

    return CachedEmbedder(timed, cache), note


def _warnings(manifest: dict[str, Any]) -> list[str]:
    """What a person should know before training on this version."""
    said = []
    if manifest["split_rule"] == "section":
        said.append(
            "There are fewer than 10 documents, so train, validation and test are sections of the same documents; "
            "results say less about documents never seen."
        )
    if manifest["leakage"]["is_leaking"]:
        said += [line for line in manifest["leakage"]["sentences"] if line.endswith("that is leakage.")]
    if manifest["num_never_reviewed"]:
        total = sum(manifest[f"num_{name}"] for name in SplitName)
        said.append(f"{manifest['num_never_reviewed']:,} of {total:,} pairs were never reviewed.")
    if manifest["num_test"] < 50:
        said.append(f"The test set has only {manifest['num_test']} questions: only large differences will show.")
    words = {
        "section_boundary": "lie at a boundary between two sections",
        "passage_gone": "stand on passages that were excluded or are gone",
        "no_right_passage": "have no passage that answers them",
    }
    said += [f"{num:,} pairs were left out: they {words[why]}." for why, num in manifest["left_out"].items() if num]
    return said


def _kept(run: JobRun, params: Params, split: Split[QueryPassages], manifest: dict[str, Any]) -> dict[str, Any]:
    from finetune_core.storage import artefacts, database, datasets

    run.progress(0.95, "Writing the version")
    run.flush()
    with artefacts.publish(datasets.folder(run.project_id, split.fingerprint), manifest) as folder:
        manifest["corpora"] = datasets.write_split(folder, split)
    row = datasets.DatasetRow(split.fingerprint, params.name, manifest, database.now())
    with run.writing() as connection:
        _check_name(datasets.find(connection, run.project_id, params.name), params.name, split.fingerprint)
        datasets.add(connection, run.project_id, row)
        kept = datasets.find(connection, run.project_id, split.fingerprint)
    assert kept is not None
    if kept.name != params.name:  # another job froze the same pairs meanwhile
        return _known(run, kept)
    run.progress(1.0, f"Frozen as {params.name}")
    return {"id": row.id, "name": row.name, "hash": row.id, "is_new": True, "manifest": manifest}


def _known(run: JobRun, row: "DatasetRow") -> dict[str, Any]:
    run.say(f"The same pairs are frozen already as {row.name!r}.")
    return {"id": row.id, "name": row.name, "hash": row.id, "is_new": False, "manifest": row.manifest}


def _check_name(namesake: "DatasetRow | None", name: str, fingerprint: str) -> None:
    if namesake is not None and namesake.name == name and namesake.id != fingerprint:
        raise DatasetError(
            f"A version called {name!r} holds other pairs, and versions never change.",
            hint="Give this one another name.",
        )
