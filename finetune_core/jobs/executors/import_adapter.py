"""Take over an adapter that `llama-index-finetuning` wrote."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from finetune_core.jobs.run import JobRun
from finetune_core.providers.bundled import BUNDLED_EMBEDDER
from finetune_core.records import content_id

HEAVY = False
RECIPE = "embedding_adapter"


class Params(BaseModel):
    """The folder, the embedder that the adapter was tuned for, and what the model shall be called."""

    path: str
    base_model: str = BUNDLED_EMBEDDER
    name: str = Field("", max_length=120)


def execute(run: JobRun, params: Params) -> dict[str, Any]:
    """Convert the folder, publish it as a model, and say which."""
    from finetune_core import recipes
    from finetune_core.storage import artefacts
    from finetune_core.storage import models as rows
    from finetune_core.training.adapter_config import AdapterConfig
    from finetune_core.training.old_adapters import convert

    run.progress(0.1, "Reading the adapter")
    config = AdapterConfig(base_model=params.base_model)
    model = convert(Path(params.path), run.workdir / "converted", params.base_model, config.max_tokens)
    settings = config.model_dump(mode="json") | {"kind": model.settings.kind, "side": model.settings.side}
    model_id = content_id("model", run.job_id, "imported")
    folder = rows.folder(run.project_id, model_id)
    manifest = {"recipe": RECIPE, "config": settings, "base_model": params.base_model, "facts": {}}
    with artefacts.publish(folder, manifest) as target:
        recipes.get(RECIPE).save(model, target)
    row = rows.ModelRow(
        id=model_id,
        project_id=run.project_id,
        job_id=run.job_id,
        recipe=RECIPE,
        dataset_id="",
        name=params.name.strip() or Path(params.path).name or model_id,
        manifest=artefacts.read_manifest(folder),
        size_bytes=artefacts.size_bytes(folder),
    )
    with run.writing() as connection:
        rows.add(connection, row)
    run.progress(1.0, f"Took over {row.name}")
    return {"model_id": model_id, "name": row.name, "num_dimensions": model.settings.num_dimensions}
