"""Where mined candidates lie: made once for a dataset version and base model, read whenever somebody moves the slider."""

from pathlib import Path

from finetune_core.records import content_id
from finetune_core.storage import database


def path(project_id: str, dataset_id: str, base_model: str, prefixes: tuple[str, str], max_tokens: int) -> Path:
    """The safetensors file of `training.negatives.Candidates`, whether it exists or not."""
    key = content_id(base_model, *prefixes, str(max_tokens))
    return database.home() / "projects" / project_id / "mined" / f"{dataset_id}-{key}.safetensors"
