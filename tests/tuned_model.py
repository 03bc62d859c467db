"""A tuned model for tests without a training: MiniLM moved a little, in the form a run leaves it in."""

import functools
import shutil
import tempfile
from pathlib import Path

from finetune_core import recipes
from finetune_core.providers import bundled
from finetune_core.recipes.embedding import EmbeddingModel
from finetune_core.records import Passage
from finetune_core.storage import artefacts, database, documents
from finetune_core.storage import models as model_rows
from finetune_core.storage.models import ModelRow
from finetune_core.workspace import projects

QUERY_PREFIX, PASSAGE_PREFIX = "Question: ", "Text: "
MAX_TOKENS = 48
TEXTS = {
    "apple": "Apples are picked in autumn and kept in a cool cellar until spring.",
    "bread": "Bread rises because yeast turns sugar into gas inside the dough.",
    "cable": "The cable carries power to the pump; it is two metres long. " * 12,  # longer than the model reads
    "düğme": "Başlatmak için yeşil düğmeye basın.",
}


@functools.cache
def _weights() -> Path:
    """The folder of the moved model, made once for each test process and removed with it."""
    import atexit

    import torch
    from sentence_transformers import SentenceTransformer

    folder = Path(tempfile.mkdtemp(prefix="tuned-model-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    model = SentenceTransformer(str(bundled.locate(bundled.BUNDLED_EMBEDDER)), device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * parameter.abs().mean() * torch.randn(parameter.shape, generator=generator)
    model.max_seq_length = MAX_TOKENS
    model.prompts = {"query": QUERY_PREFIX, "document": PASSAGE_PREFIX}
    model.default_prompt_name = None
    model.save_pretrained(str(folder / "model"), create_model_card=False, safe_serialization=True)
    return folder / "model"


def add_passages(project_id: str) -> None:
    """The texts above as a document each; their ids are their keys."""
    with database.writing() as connection:
        passages = [Passage(name, text, name) for name, text in TEXTS.items()]
        documents.insert_passages(connection, project_id, "", passages)


def add_tuned_model(project_id: str, model_id: str = "m1", name: str = "Tuned no. 1") -> Path:
    """A published model with its row; returns its folder."""
    recipe = recipes.get("embedding")
    config = recipe.config(query_prefix=QUERY_PREFIX, passage_prefix=PASSAGE_PREFIX, max_tokens=MAX_TOKENS)
    manifest = {
        "recipe": "embedding",
        "base_model": projects.get(project_id).base_model,
        "config": config.model_dump(mode="json"),
        "libraries": {"torch": "2"},
    }
    folder = model_rows.folder(project_id, model_id)
    with artefacts.publish(folder, manifest) as temporary:
        recipe.save(EmbeddingModel(_weights(), QUERY_PREFIX, PASSAGE_PREFIX, MAX_TOKENS), temporary)
    row = ModelRow(
        id=model_id,
        project_id=project_id,
        job_id=f"run-{model_id}",
        recipe="embedding",
        dataset_id="no-dataset",
        name=name,
        manifest=artefacts.read_manifest(folder),
        size_bytes=artefacts.size_bytes(folder),
    )
    with database.writing() as connection:
        model_rows.add(connection, row)
    return folder
