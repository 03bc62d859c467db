"""Which embedder a setting names: any model, another tuned model of the project, or a model service."""

from finetune_core.errors import ProviderError
from finetune_core.providers.embedder import LocalEmbedder, own_prefixes
from finetune_core.providers.vector_cache import CachedEmbedder
from finetune_core.recipe import Run
from finetune_core.recipes import embedding
from finetune_core.records import MODEL_REFERENCE


def open_embedder(reference: str, run: Run, max_tokens: int | None = None) -> CachedEmbedder:
    """The embedder behind the run's cache of vectors.

    `reference` is a base model as `EmbeddingConfig.base_model` takes it (its own prefixes apply, texts are cut at
    `max_tokens`), or "model:" and the id of a model that the recipe `embedding` tuned (its own prefixes and limit).
    Raises ArtefactError or ProviderError if it is not there.
    """
    if not reference.startswith(MODEL_REFERENCE):
        return CachedEmbedder(LocalEmbedder(reference, *own_prefixes(reference), max_tokens), run.cache)
    folder = run.model_folder(reference.removeprefix(MODEL_REFERENCE))
    if not (folder / embedding.SETTINGS_FILE).is_file():
        raise ProviderError(
            f"{reference!r} is no embedding model.", hint="Choose a model that the recipe for embedding models tuned."
        )
    return CachedEmbedder(embedding.load(folder, run).embedder(), run.cache)
