"""Tuned models: what there is, where it came from, and how to be rid of it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune_core import recipes
from finetune_core.errors import ArtefactError
from finetune_core.evaluation.judging import LEARNED_SCALE
from finetune_core.evaluation.router_files import EMBEDDER_FOLDER
from finetune_core.jobs import serving_client
from finetune_core.jobs.executors import export as export_job
from finetune_core.plugins import snippets as templates
from finetune_core.providers.bundled import BUNDLED_CHAT
from finetune_core.providers.chat_model import bundled_chat_folder
from finetune_core.providers.embedder import own_prefixes, resolve
from finetune_core.providers.transformers_chat import ADAPTER_WEIGHTS
from finetune_core.recipes.embedding import SETTINGS_FILE
from finetune_core.records import MODEL_REFERENCE, SERVICE_REFERENCE
from finetune_core.storage import artefacts, database
from finetune_core.storage import models as model_rows
from finetune_core.storage.database import Connection
from finetune_core.storage.models import ModelRow
from finetune_core.training.adapter_config import Kind

ADAPTER_RECIPE = "embedding_adapter"


@dataclass(frozen=True)
class ModelView:
    """A tuned model as pages and the command line show it; `run_id` is the run (a job) that made it."""

    id: str
    project_id: str
    name: str
    recipe: str
    run_id: str
    dataset_id: str
    manifest: dict[str, Any]
    size_bytes: int
    created_at: float


@dataclass(frozen=True)
class Snippet:
    """Code to paste into an application built with `framework`."""

    framework: str
    code: str


def listing(project_id: str) -> list[ModelView]:
    """The models of a project, newest first; [] where there are none."""
    with database.reading() as connection:
        return [_view(row) for row in model_rows.of_project(connection, project_id)]


def get(model_id: str) -> ModelView:
    """The model of that id. Raises ArtefactError if there is none."""
    with database.reading() as connection:
        return _view(_row(connection, model_id))


def by_name(project_id: str, name: str) -> ModelView:
    """The model of that id or name, or the one made by the run of that id; the newest where a name occurs twice.

    Raises ArtefactError that lists the names there are.
    """
    views = listing(project_id)
    for view in views:
        if name in {view.id, view.run_id, view.name}:
            return view
    known = ", ".join(f"{view.name} ({view.id})" for view in views) or "none"
    raise ArtefactError(
        f"There is no model {name!r} in this project; its models are: {known}.",
        hint="Name one of these, or train one first." if views else "Train a model first.",
    )


def folder(model_id: str) -> Path:
    """Where the files of a model lie. Raises ArtefactError if there is no such model."""
    view = get(model_id)
    return model_rows.folder(view.project_id, view.id)


def delete(model_id: str) -> None:
    """Delete a model and its files for good.

    Raises ArtefactError if there is no such model, if an unfinished job or a Playground answer needs it now, or if another
    model was built on it.
    """
    serving_client.release(model_id)
    with database.writing() as connection:
        row = _row(connection, model_id)
        if users := model_rows.live_jobs_using(connection, row):
            raise ArtefactError(
                f"The model {row.name!r} is in use by: {', '.join(users)}.",
                hint="Wait until that is done, or cancel it on the Runs page, then delete the model.",
            )
        if others := model_rows.built_on(connection, row):
            raise ArtefactError(
                f"The model {row.name!r} cannot be deleted: {', '.join(map(repr, others))} cannot work without it.",
                hint="Delete what was built on it first.",
            )
        model_rows.remove(connection, model_id)
    files = model_rows.folder(row.project_id, row.id)
    (files / artefacts.MANIFEST).unlink(missing_ok=True)  # first, so that a half-deleted folder never looks complete
    shutil.rmtree(files, ignore_errors=True)
    export_job.zip_path(row.project_id, row.id).unlink(missing_ok=True)


def snippets(model_id: str, at: str = "") -> list[Snippet]:
    """How to use a model in each framework, the best known first; [] where there is no snippet for its recipe, and for a
    router over the vectors of a service or an adapter.

    `at` is the folder it was exported to.

    Without `at`, the folder inside Ayar is named, which works on this machine as long as the model is not deleted.
    """
    view = get(model_id)
    if view.recipe == "router" and not _can_leave(view):
        return []
    if "merged model" in recipes.get(view.recipe).exports and not (folder(model_id) / ADAPTER_WEIGHTS).is_file():
        return []  # a service keeps it
    if view.recipe == ADAPTER_RECIPE and view.manifest.get("config", {}).get("kind") == Kind.CUSTOM:
        return []  # it takes the code of a person's own class
    query_prefix, passage_prefix = prefixes(view)
    base = _below_adapter(view) if view.recipe == ADAPTER_RECIPE else None
    if base is not None:
        query_prefix, passage_prefix = own_prefixes(base) if base else ("", "")
    return [
        Snippet(
            framework.title,
            templates.render(
                framework.template,
                folder=at or str(folder(model_id)),
                name=view.name,
                query_prefix=query_prefix,
                passage_prefix=passage_prefix,
                embedder=_embedder(view, at) if base is None else base,
                base_model=_base_model(view),
                max_tokens=_max_tokens(view),
                retriever_weight=float((view.manifest.get("facts") or {}).get("retriever_weight") or 0.0),
                precision=str((view.manifest.get("facts") or {}).get("precision") or "auto"),
                learned_scale=_learned_scale(view),
                with_feedback=bool(view.manifest.get("config", {}).get("with_feedback")),
            ),
        )
        for framework in templates.FRAMEWORKS.get(view.recipe, ())
    ]


def _base_model(view: ModelView) -> str:
    """What a model was tuned from, as a name or folder that others can load."""
    name = str(view.manifest.get("base_model", ""))
    return str(bundled_chat_folder()) if name == BUNDLED_CHAT else name


def _below_adapter(view: ModelView) -> str:
    """The folder or hub name of the model whose vectors an adapter moves; "" where a service or an adapter gives them."""
    base_model = str(view.manifest.get("base_model", ""))
    if base_model.startswith(SERVICE_REFERENCE):
        return ""
    if base_model.startswith(MODEL_REFERENCE):
        below = model_rows.folder(view.project_id, base_model.removeprefix(MODEL_REFERENCE))
        return str(below) if (below / SETTINGS_FILE).is_file() else ""
    return str(resolve(base_model)) if base_model.startswith("bundled/") else base_model


def _max_tokens(view: ModelView) -> int:
    """Where a model's texts are cut; another tuned model below it has a limit of its own, in its folder."""
    is_own = view.recipe == ADAPTER_RECIPE and str(view.manifest.get("base_model", "")).startswith(MODEL_REFERENCE)
    return 10**6 if is_own else int(view.manifest.get("config", {}).get("max_tokens") or 10**6)


def _learned_scale(view: ModelView) -> tuple[float, float]:
    """The lowest and the highest grade that a judge learned; 1 and 5 where that was not noted, as for other models."""
    lowest, highest = (view.manifest.get("facts") or {}).get(LEARNED_SCALE) or (1.0, 5.0)
    return float(lowest), float(highest)


def _can_leave(view: ModelView) -> bool:
    """Whether a router's embedding model lies in a folder, so that it can be used without Ayar."""
    inside = model_rows.folder(view.project_id, view.id)
    elsewhere = (SERVICE_REFERENCE, MODEL_REFERENCE)
    return (inside / EMBEDDER_FOLDER).is_dir() or not str(view.manifest.get("base_model")).startswith(elsewhere)


def _embedder(view: ModelView, at: str) -> str:
    """Where the embedding model of a router lies, as seen from the router's folder `at`; an export has it inside."""
    inside = model_rows.folder(view.project_id, view.id)
    is_export = bool(at) and Path(at) != inside
    if view.recipe != "router" or is_export or (inside / EMBEDDER_FOLDER).is_dir():
        return EMBEDDER_FOLDER
    return str(resolve(str(view.manifest["base_model"])))


def traits(view: ModelView) -> dict[str, str]:
    """What is special about a model of its recipe, by name; {} where its manifest says too little."""
    try:
        return dict(recipes.get(view.recipe).traits({"config": {}, "facts": {}, **view.manifest}))
    except (KeyError, TypeError, ValueError):  # an imported model, or one of an earlier edition of its recipe
        return {}


def prefixes(view: ModelView) -> tuple[str, str]:
    """What is put before a question and before a passage wherever the model is used; ("", "") where nothing is."""
    kept = model_rows.folder(view.project_id, view.id) / SETTINGS_FILE
    said = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else view.manifest.get("config", {})
    return str(said.get("query_prefix") or ""), str(said.get("passage_prefix") or "")


def export(model_id: str, to: str = "") -> str:
    """Start copying a model, with its card, into the folder `to`, or into a zip; the job's id.

    Raises ArtefactError if there is no such model, or if the folder holds something else already.
    """
    from finetune_core.workspace import jobs, model_card

    view = get(model_id)
    if to:
        export_job.is_free(Path(to), model_id)
    params = {"model_id": model_id, "to": to, "card": model_card.markdown(model_id)}
    return jobs.submit(
        view.project_id, "export", params, title=f"Export {view.name}", unique_key=f"export {model_id} {to}"
    )


def import_adapter(project_id: str, path: str | Path, base_model: str = "", name: str = "") -> str:
    """Start taking over the adapter that `llama-index-finetuning` wrote into the folder `path`; the job's id.

    `base_model` is the embedding model it was tuned for, the project's where it is "". Raises ArtefactError where there is
    no such folder.
    """
    from finetune_core.workspace import jobs, projects

    source = Path(path).expanduser() if str(path).strip() else None
    if source is None or not source.is_dir():
        raise ArtefactError(f"There is no folder {str(path)!r}.", hint="Name the folder that the old package wrote.")
    base = base_model.strip() or projects.get(project_id).base_model
    params = {"path": str(source), "base_model": base, "name": name}
    title = f"Import {source.name}"
    return jobs.submit(project_id, "import_adapter", params, title=title, unique_key=f"import_adapter {source} {base}")


def exported_zip(model_id: str) -> Path | None:
    """The zip that an export made, if it is there."""
    path = export_job.zip_path(get(model_id).project_id, model_id)
    return path if path.is_file() else None


def _row(connection: Connection, model_id: str) -> ModelRow:
    row = model_rows.find(connection, model_id)
    if row is None:
        raise ArtefactError(f"There is no model {model_id!r}.", hint="Choose one from the Models page.")
    return row


def _view(row: ModelRow) -> ModelView:
    return ModelView(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        recipe=row.recipe,
        run_id=row.job_id,
        dataset_id=row.dataset_id,
        manifest=row.manifest,
        size_bytes=row.size_bytes,
        created_at=row.created_at,
    )
