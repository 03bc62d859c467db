"""Compare tuned models with what they started from, on a dataset version's test questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, model_validator

from finetune_core.errors import ArtefactError, DatasetError
from finetune_core.jobs import out_of_domain, queue, reranked
from finetune_core.jobs.out_of_domain import Choice, Contender
from finetune_core.jobs.portion import Portion
from finetune_core.jobs.reranked import Reranked
from finetune_core.jobs.run import JobRun
from finetune_core.jobs.validation_values import validation_value, validation_values
from finetune_core.recipe import Recipe, Report, System, measured
from finetune_core.records import Labelled, Part, QueryPassages, Split, content_id
from finetune_core.storage import artefacts, comparisons, database, datasets, models
from finetune_core.storage.models import ModelRow
from finetune_core.wording import LOWER_IS_BETTER, WITHOUT_SIDE, metric_title

HEAVY = True


class Params(BaseModel):
    """Which models to compare on which dataset version; those of `run_ids` are known once these runs have ended.

    `with_reranker`: also put the best of the rerankers behind everything else that finds passages. `out_of_domain`: also
    score base and tuned on questions they were not tuned for.
    """

    dataset_id: str
    model_ids: list[str] = Field(default=[], max_length=12)
    run_ids: list[str] = []
    with_reranker: bool = False
    out_of_domain: Choice | None = None

    @model_validator(mode="after")
    def _checked(self) -> "Params":
        if not self.model_ids and not self.run_ids:
            raise ValueError("name at least one model or run")
        return self


SHARE_IN_DOMAIN = 0.6
"""How much of the progress the comparison itself is, where foreign questions are scored after it."""


def comparison_id(
    dataset_id: str, model_ids: Sequence[str], foreign: Choice | None = None, *, with_reranker: bool = False
) -> str:
    """The id of the comparison of these models on this version: the same question has the same answer."""
    identity = content_id("comparison", dataset_id, *sorted(set(model_ids)))
    identity = content_id(identity, foreign.identity) if foreign else identity
    return content_id(identity, "with reranker") if with_reranker else identity


@dataclass(frozen=True)
class _Scored:
    """A system that was scored: the name its recipe gives it, whether it stands without a model, and its file."""

    name: str
    is_baseline: bool
    key: str


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Score each system once, write its rows, then the summary. Restarted, it goes on with the next system.

    The result holds `comparison_id` and the `verdict`. Raises DatasetError without test questions, ArtefactError if a
    model is missing, damaged, or learned from another kind of example than the first.
    """
    params, left_out = _with_models_of_runs(run, params)
    rows = _models(run, params)
    by_name = _recipes(rows)
    split = datasets.load_split(run.project_id, params.dataset_id)
    if not len(split.test):
        raise DatasetError(
            "This dataset version has no test questions, so nothing can be compared on it.",
            hint="Freeze a version with at least one test question.",
        )
    for recipe in by_name.values():
        recipe.check(split.test)
    scored = {}
    end = SHARE_IN_DOMAIN if _foreign(params, by_name) else 0.98
    share = end / 2 if params.with_reranker else end
    for position, row in enumerate(rows):
        portion = Portion(run, position / len(rows) * share, (position + 1) / len(rows) * share)
        scored[row.id] = _score_model(run, portion, by_name[row.recipe], row, split)
    behind = (
        _score_reranked(run, Portion(run, share, end), by_name, rows, scored, split) if params.with_reranker else []
    )
    elsewhere = _out_of_domain(run, params, by_name, rows, scored)
    run.progress(0.98, "Working out intervals")
    return _finish(run, params, by_name, rows, scored, split, behind, left_out, elsewhere)


def _foreign(params: Params, by_name: dict[str, Recipe]) -> Choice | None:
    """The choice, None where the models learn from something else than questions with passages."""
    return params.out_of_domain if all(one.record is QueryPassages for one in by_name.values()) else None


def _out_of_domain(
    run: JobRun, params: Params, by_name: dict[str, Recipe], rows: Sequence[ModelRow], scored: dict[str, list[_Scored]]
) -> dict[str, Any] | None:
    choice = _foreign(params, by_name)
    if choice is None:
        return None
    keys = {row.id: {item.name: item.key for item in scored[row.id]} for row in rows}
    contenders = [Contender(row, by_name[row.recipe], keys[row.id]["base"], keys[row.id]["tuned"]) for row in rows]
    return out_of_domain.measure(run, Portion(run, SHARE_IN_DOMAIN, 0.98), contenders, choice, params.dataset_id)


def _with_models_of_runs(run: JobRun, params: Params) -> tuple[Params, list[str]]:
    """The same with the models that the runs left, and the names of the runs that left none; settled once for the job.

    Raises ArtefactError if there is nothing to compare.
    """
    if (known := run.recall("model_ids")) is None:
        known, missing = list(params.model_ids), []
        with database.reading() as connection:
            for run_id in params.run_ids:
                found = models.of_job(connection, run_id)
                if found is None:
                    view = queue.get(connection, run_id)
                    missing.append(f"{view.title} ({view.state})")
                else:
                    known.append(found.id)
        run.remember(model_ids=known, left_out=missing)
    if not known:
        raise ArtefactError(
            f"None of the {len(params.run_ids)} trainings left a model.", hint="See on Runs what became of them."
        )
    return params.model_copy(update={"model_ids": list(dict.fromkeys(known))}), list(run.recall("left_out", []))


def _score_reranked(
    run: JobRun,
    portion: Portion,
    by_name: dict[str, Recipe],
    rows: Sequence[ModelRow],
    scored: dict[str, list[_Scored]],
    split: Split[Any],
) -> list[Reranked]:
    keys = {row.id: {item.name: item.key for item in scored[row.id]} for row in rows}
    values = {row.id: validation_value(row) for row in rows}
    found = reranked.combinations(by_name, rows, keys, values)
    for position, one in enumerate(found):
        step = Portion(portion, position / len(found), (position + 1) / len(found))
        if not _path(run, one.key).is_file():
            system = reranked.system(one, by_name, split.validation, step)
            recipe, config = by_name[one.reranker.recipe], reranked.config_of(one.reranker, by_name)
            report = recipe.evaluate(system, split.test, config, step)
            comparisons.write_report(_path(run, one.key), _with_ragas(report, recipe, split.test, step))
            run.say(f"Scored {one.reranker.name} behind {one.name} on {len(split.test)} questions")
    return found


def _models(run: JobRun, params: Params) -> list[ModelRow]:
    rows = []
    with database.reading() as connection:
        for model_id in dict.fromkeys(params.model_ids):
            row = models.find(connection, model_id)
            if row is None or row.project_id != run.project_id:
                raise ArtefactError(f"There is no model {model_id!r} in this project.", hint="Choose another run.")
            rows.append(row)
    return rows


def _recipes(rows: Sequence[ModelRow]) -> dict[str, Recipe]:
    """The recipes of the models by name, in the models' order; all eat one kind of example and are judged alike."""
    from finetune_core import recipes

    found = {row.recipe: recipes.get(row.recipe) for row in rows}
    first = found[rows[0].recipe]
    for other in found.values():
        if other.record is not first.record or other.headline != first.headline:
            raise ArtefactError(
                f"{first.title} and {other.title} learn from different kinds of example, so they cannot be compared.",
                hint="Compare runs that learned from the same kind of example.",
            )
    return found


def _score_model(run: JobRun, portion: Portion, recipe: Recipe, row: ModelRow, split: Split[Any]) -> list[_Scored]:
    """Score what this model's recipe puts side by side, except what an earlier model or attempt has scored."""
    known = run.recall(f"systems_{row.id}")
    if known and all(_path(run, item["key"]).is_file() for item in known):
        return [_Scored(**item) for item in known]
    folder = models.folder(run.project_id, row.id)
    manifest = artefacts.verify(folder)
    config = recipe.config.model_validate(manifest["config"])
    baselines = recipe.systems(config, None, portion)
    systems = recipe.systems(config, recipe.load(folder, portion), portion)
    scored = []
    for position, (name, system) in enumerate(systems.items()):
        step = Portion(portion, position / len(systems), (position + 1) / len(systems))
        item = _Scored(name, name in baselines, _key(name, system, row, is_baseline=name in baselines))
        if not _path(run, item.key).is_file():
            report = recipe.evaluate(system, split.test, config, step)
            comparisons.write_report(_path(run, item.key), _with_ragas(report, recipe, split.test, step))
            run.say(
                f"{row.name}: scored {name} on {len(split.test)} questions in {report.facts.get('seconds', 0):.1f} s"
            )
        scored.append(item)
    run.remember(**{f"systems_{row.id}": [vars(item) for item in scored]})
    return scored


def _key(name: str, system: System, row: ModelRow, *, is_baseline: bool) -> str:
    """Equal for baselines that answer alike, so that two runs from one base share its row."""
    if not is_baseline:
        return f"{name}-{row.id}"
    embedder = getattr(system, "embedder", None)
    fingerprint = getattr(system, "fingerprint", None) or getattr(embedder, "fingerprint", None)
    if embedder is None and not fingerprint:
        fingerprint = repr(system)
    return f"{name}-{content_id(name, fingerprint or row.id)}"


def _path(run: JobRun, key: str) -> Path:
    return run.workdir / f"{key}.parquet"


def _with_ragas(report: Report, recipe: Recipe, part: Part[Any], step: Portion) -> Report:
    if recipe.record is not QueryPassages:
        return report
    from finetune_core.evaluation.ragas_retrieval import ragas_columns

    step.progress(0.95, f"{report.system}: ragas' context metrics")
    columns = {**report.columns, **ragas_columns(report, part, step.checkpoint)}
    return Report(report.system, report.ids, report.groups, columns, report.details, report.facts)


def _finish(
    run: JobRun,
    params: Params,
    by_name: dict[str, Recipe],
    rows: Sequence[ModelRow],
    scored: dict[str, list[_Scored]],
    split: Split[Any],
    behind: Sequence[Reranked],
    left_out: Sequence[str],
    elsewhere: dict[str, Any] | None,
) -> dict[str, Any]:
    from finetune_core.evaluation.out_of_domain import add_to
    from finetune_core.evaluation.side_by_side import compare

    with database.reading() as connection:
        version = datasets.find(connection, run.project_id, params.dataset_id)
    assert version is not None
    recipe = by_name[rows[0].recipe]
    entries = _with_reranked(run, _entries(run, rows, scored, split, params.dataset_id), behind)
    summary = compare(entries, _measures(recipe, entries), _circumstances(version.manifest))
    summary["dataset"] = {"id": version.id, "name": version.name}
    summary["recipes"] = list(by_name)
    summary["verdict"]["caveats"] += [f"Not compared, because its training left no model: {name}." for name in left_out]
    add_to(summary, elsewhere)
    identity = comparison_id(
        params.dataset_id, params.model_ids, params.out_of_domain, with_reranker=params.with_reranker
    )
    target = comparisons.folder(run.project_id, identity)
    summary |= _make_way(run, identity, target)
    with artefacts.publish(target, {"kind": "comparison", "summary": summary}) as temporary:
        comparisons.write_questions(temporary / comparisons.QUESTIONS_FILE, split.test)
        for entry in entries:
            comparisons.write_report(temporary / f"{entry.key}.parquet", entry.report)
    with run.writing() as connection:
        comparisons.add(
            connection,
            comparisons.ComparisonRow(
                id=identity,
                project_id=run.project_id,
                job_id=run.job_id,
                dataset_id=version.id,
                recipe=recipe.name,
                result=artefacts.read_manifest(target)["summary"],
                created_at=database.now(),
            ),
        )
    run.say(summary["verdict"]["sentence"])
    return {"comparison_id": identity, "verdict": summary["verdict"]}


def _make_way(run: JobRun, identity: str, folder: Path) -> dict[str, Any]:
    """Remove the same comparison if its foreign questions could not be scored then: artefacts are never changed in place.

    Gives what stays of it: the panels of answers.
    """
    with database.reading() as connection:
        known = comparisons.find(connection, identity)
    if known and out_of_domain.may_retry(known.result.get("out_of_domain")):
        with run.writing() as connection:
            comparisons.remove(connection, identity)
        artefacts.remove(folder)
    return {"panels": known.result["panels"]} if known and "panels" in known.result else {}


def _measures(recipe: Recipe, entries: Sequence[Any]) -> Any:
    """The recipe's metrics, except those whose columns no run of it made, as without a judge."""
    from finetune_core.evaluation.ragas_retrieval import RAGAS_METRICS
    from finetune_core.evaluation.side_by_side import Measures

    extra = RAGAS_METRICS if recipe.record is QueryPassages else {}
    found = set.intersection(*(set(entry.report.columns) for entry in entries))
    metrics = measured({**recipe.metrics, **extra}, found)
    titles = {name: metric_title(name) for name in metrics}
    searched = {Labelled: "choices", QueryPassages: "passages"}.get(recipe.record, "answers")
    return Measures(metrics, recipe.headline, titles, searched, LOWER_IS_BETTER, WITHOUT_SIDE)


def _circumstances(manifest: dict[str, Any]) -> Any:
    from finetune_core.evaluation.side_by_side import Circumstances

    leakage = manifest.get("leakage") or {}
    counts = ("num_train", "num_validation", "num_test")
    return Circumstances(
        num_never_reviewed=int(manifest.get("num_never_reviewed") or 0),
        num_pairs=sum(int(manifest.get(name) or 0) for name in counts),
        is_split_by_section=manifest.get("split_rule") == "section",
        leaks=tuple(line for line in leakage.get("sentences", ()) if line.endswith("that is leakage.")),
    )


def _entries(
    run: JobRun, rows: Sequence[ModelRow], scored: dict[str, list[_Scored]], split: Split[Any], dataset_id: str
) -> list[Any]:
    from finetune_core.evaluation.side_by_side import Entry

    found: dict[str, Entry] = {}
    validation = validation_values(rows)
    for row in rows:
        base = next((item for item in scored[row.id] if item.is_baseline and item.name == "base"), None)
        assert base is not None, "a recipe without a system called base has nothing to compare with"
        for item in scored[row.id]:
            if item.key in found:
                continue
            # A recipe may show its model in other uses besides; the one called "tuned" carries the verdict.
            role = "tuned" if item.name == "tuned" else "base" if item is base else "floor"
            report = comparisons.read_report(_path(run, item.key))
            beside = tuple(other.key for other in scored[row.id] if other.key not in (item.key, base.key))
            name = report.system if item.is_baseline else row.name if role == "tuned" else f"{row.name}, {item.name}"
            if role != "tuned":
                model_id = "" if item.is_baseline else row.id
                size = 0 if item.is_baseline else row.size_bytes
                found[item.key] = Entry(item.key, name, role, report, model_id=model_id, size_bytes=size)
                continue
            found[item.key] = Entry(
                key=item.key, name=name, role=role, report=report, against=base.key, run_id=row.job_id,
                model_id=row.id,
                validation=validation[row.id], num_leaking=_num_leaking(run, row, split, dataset_id),
                recipe=row.recipe, beside=beside, size_bytes=row.size_bytes,
            )  # fmt: skip
    order = {"floor": 0, "base": 1, "tuned": 2}
    return sorted(found.values(), key=lambda entry: order[entry.role])


def _with_reranked(run: JobRun, entries: list[Any], behind: Sequence[Reranked]) -> list[Any]:
    """With the tuned reranker's entries behind other systems: each is judged against what the reranker started from."""
    from finetune_core.evaluation.side_by_side import Entry

    by_key = {entry.key: entry for entry in entries}
    tuned = {entry.model_id: entry for entry in entries if entry.role == "tuned"}
    for one in behind:
        first, own = by_key[one.over], tuned[one.reranker.id]
        entries.append(
            Entry(
                key=one.key, name=f"{first.name} + {own.name}", role="tuned", against=own.against, model_id=own.model_id,
                report=comparisons.read_report(_path(run, one.key)), beside=own.beside, over=one.over,
                recipe=f"{first.recipe or first.name} + {own.recipe}", size_bytes=first.size_bytes + own.size_bytes,
                num_leaking=max(first.num_leaking, own.num_leaking),
            )
        )  # fmt: skip
    return entries


def _num_leaking(run: JobRun, row: ModelRow, split: Split[Any], dataset_id: str) -> int:
    """Test questions that a model trained on another version has seen, itself or another of their document."""
    from finetune_core.evaluation.verdict import leakage_of

    if row.dataset_id == dataset_id:
        return 0
    try:
        other = datasets.load_split(run.project_id, row.dataset_id)
    except (DatasetError, ArtefactError):
        return 0
    learned = {e.query: e.group for part in (other.train, other.validation) for e in part.examples}
    return leakage_of([(e.query, e.group) for e in split.test.examples], learned)
